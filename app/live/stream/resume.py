"""Openings: where a session begins, by the cursors that its client came with, and whether they can be honoured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from app.live.cursors import BadCursor, Cursors
from app.live.read.feeds import Feed, Feeds
from app.live.topics import Topic


class Reason(StrEnum):
    """Why a cursor could not be honoured."""

    MALFORMED = "malformed"
    EPOCH = "epoch"  # it is of another history of the database
    AHEAD = "ahead"  # it claims more than the database has
    VIEWER = "viewer"  # what this person may see has changed as a whole


@dataclass(frozen=True)
class ResumePoint:
    """The epoch, None where it cannot be known; the seq to begin at in each topic; and what is to be reset, and why."""

    epoch: str | None
    starts: Mapping[Topic, int] = field(default_factory=dict)
    reason: Reason | None = None
    lost: Sequence[Topic] = ()


async def find_resume_point(
    feeds: Feeds, opened: Sequence[Feed], texts: Sequence[str], network: str | None = None
) -> ResumePoint:
    """Where a session of `network` begins, if it has opened these feeds and sent these cursors."""
    cursors, malformed = _parse(texts)
    # Another process may be further, or know of another history: look before judging.
    if _unsure(opened, cursors) and not await feeds.refresh(lambda: _unsure(opened, cursors), network):
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
    """The epoch that these feeds agree on; None when, after one look, they do not."""
    epochs = {feed.epoch for feed in opened}
    if len(epochs) > 1:
        await feeds.refresh(lambda: opened, network)
        epochs = {feed.epoch for feed in opened}
    return epochs.pop() if len(epochs) == 1 else None


def _unsure(opened: Sequence[Feed], cursors: Cursors) -> list[Feed]:
    return [
        feed
        for feed in opened
        if feed.head is None or not cursors.are_of(feed.epoch) or cursors.are_ahead(feed.topic, feed.head)
    ]


def _parse(texts: Sequence[str]) -> tuple[Cursors, bool]:
    try:
        return Cursors(texts), False
    except BadCursor:
        return Cursors(()), True


def _start(cursors: Cursors, feed: Feed) -> int:
    start, head = cursors.start(feed.topic), feed.head or 0
    return head if start is None else min(start, head)
