"""The inbox: reads an account's notifications in pages, and marks them as read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, select

from app.database import Reading
from app.errors import Missing, Seen, SignInFirst, refuse_stale
from app.live.read.pages import PAGE_SIZE, Page, read_page
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import Viewer
from app.live.write.batches import change_all
from app.live.write.transaction import Write, owned
from app.notifications.notifications import Notification

NEWEST = 10  # notifications that other pages contain


@dataclass(frozen=True)
class Inbox:
    """A page of the viewer's notifications."""

    page: Page[Notification]
    unread: int  # of all
    earlier_unread: int  # of those before this page


async def read_inbox(reading: Reading, viewer: Viewer, before: int | None = None, limit: int = PAGE_SIZE) -> Inbox:
    own = _own_topic(viewer)
    page = await read_page(reading, Notification, own, before=before, limit=limit)
    unread = await _count_unread(reading, own)
    return Inbox(page, unread, await _count_unread(reading, own, page.before) if page.before else 0)


@owned
async def mark(parley: Parley, viewer: Viewer, id: UUID, read: bool | None, seen: Seen = None) -> Notification:
    """Mark a notification as read or unread. None or its current state takes no seq. Raises Missing, Stale."""
    async with parley.writing(_own_topic(viewer)) as write:
        notification = await write.get(Notification, id)
        if notification is None or notification.deleted_at or notification.user_id != viewer.user_id:
            raise Missing("This notification no longer exists.")
        refuse_stale(notification, seen)
        if read is not None and read != notification.read:
            notification.read_at = datetime.now(UTC) if read else None
            write.update(notification)
    return notification


@owned
async def mark_all(parley: Parley, viewer: Viewer, upto: int) -> int:
    """Mark the notifications that were created up to this seq as read, in batches. Returns their number."""
    marked = 0

    async def mark(write: Write, rows: Sequence[Notification]) -> None:
        nonlocal marked
        for row in rows:
            row.read_at = datetime.now(UTC)
            write.update(row)
        marked += len(rows)

    seen = select(Notification).where(*_unread(_own_topic(viewer)), Notification.created_seq <= upto)
    await change_all(parley, seen, mark)
    return marked


async def _count_unread(reading: Reading, own: Topic, before: int | None = None) -> int:
    query = select(func.count()).select_from(Notification).where(*_unread(own))
    if before is not None:
        query = query.where(Notification.created_seq < before)
    return await reading.scalar(query) or 0


def _unread(own: Topic) -> Sequence[ColumnElement[bool]]:
    return Notification.topic == str(own), Notification.deleted_at.is_(None), Notification.read_at.is_(None)


def _own_topic(viewer: Viewer) -> Topic:
    if viewer.user_id is None:
        raise SignInFirst
    return Topic.account(viewer.user_id)
