"""Resume: find the seqs at which a session begins, from the cursors that its client sent, or reset topics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from app.live.cursors import BadCursor, Cursors
from app.live.read.feeds import Feed, Feeds
from app.live.topics import Topic


class Reason(StrEnum):
    """Why a stream cannot resume from a cursor."""

    MALFORMED = "malformed"
    EPOCH = "epoch"  # it belongs to another history of the database
    AHEAD = "ahead"  # its seq is above the topic's counter in the database
    VIEWER = "viewer"  # the set of topics and rows that this viewer may see has changed


@dataclass(frozen=True)
class ResumePoint:
    """The epoch (None if it is unknown), the first seq in each topic, and the topics to reset, with the reason."""

    epoch: str | None
    starts: Mapping[Topic, int] = field(default_factory=dict)
    reason: Reason | None = None
    reset_topics: Sequence[Topic] = ()


async def find_resume_point(
    feeds: Feeds, opened: Sequence[Feed], texts: Sequence[str], network: str | None = None
) -> ResumePoint:
    """Where a session of `network` begins that has opened these feeds and whose client sent these cursors."""
    cursors, malformed = _parse(texts)
    # Another process may know a newer head or epoch, so read the database before a cursor is rejected.
    if _unknown(opened, cursors) and not await feeds.refresh(lambda: _unknown(opened, cursors), network):
        return ResumePoint(None)
    epoch = await common_epoch(feeds, opened, network)
    starts = {feed.topic: _start(cursors, feed) for feed in opened}
    if epoch is None:
        return ResumePoint(None)
    if malformed:
        return ResumePoint(epoch, starts, Reason.MALFORMED, list(starts))
    if not cursors.are_of(epoch):
        return ResumePoint(epoch, starts, Reason.EPOCH, list(starts))
    ahead = [feed.topic for feed in opened if cursors.are_ahead(feed.topic, feed.head or 0)]
    return ResumePoint(epoch, starts, Reason.AHEAD if ahead else None, ahead)


async def common_epoch(feeds: Feeds, opened: Sequence[Feed], network: str | None = None) -> str | None:
    """The epoch that all these feeds have; None if they still differ after one read."""
    epochs = {feed.epoch for feed in opened}
    if len(epochs) > 1:
        await feeds.refresh(lambda: opened, network)
        epochs = {feed.epoch for feed in opened}
    return epochs.pop() if len(epochs) == 1 else None


def _unknown(opened: Sequence[Feed], cursors: Cursors) -> list[Feed]:
    """The feeds that must be read before these cursors can be accepted or rejected."""
    return [
        feed
        for feed in opened
        if feed.head is None or not cursors.are_of(feed.epoch) or cursors.are_ahead(feed.topic, feed.head)
    ]


def _parse(texts: Sequence[str]) -> tuple[Cursors, bool]:
    """(the cursors, whether one of the texts is malformed)."""
    try:
        return Cursors(texts), False
    except BadCursor:
        return Cursors(()), True


def _start(cursors: Cursors, feed: Feed) -> int:
    start, head = cursors.start(feed.topic), feed.head or 0
    return head if start is None else min(start, head)
