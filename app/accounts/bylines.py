"""Bylines: an author's name and role, stored in each row that the author wrote.

A rendering depends on its row alone, so a new name or role is written to all of the author's comments, notifications
and reports. This happens after the change, a few rows in each transaction.

1. The account's `byline_changed_at` marks pending work. The transaction of the change sets it, and it is cleared when
   all rows are rewritten. If a process is killed before that, another process finishes (`finish`).
2. A comment gets its author's current name and role under a lock on the account. A change waits for that lock. So no
   row is written with an old name after the last query for such rows.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, or_, select

from app.accounts.user import DELETED, User
from app.comments.comments import Comment
from app.database import DATABASE_ERRORS, one_line
from app.live.service import Parley
from app.live.topics import Topic
from app.live.write.transaction import Write, owned
from app.moderation.reports import Report
from app.notifications.notifications import Notification

BATCH_SIZE = 200  # rows in one transaction

log = logging.getLogger(__name__)


async def lock_author(write: Write, user_id: UUID) -> None:
    """Wait for comments that this account is writing. Later ones wait for this transaction (2)."""
    await write.session.execute(select(User.id).where(User.id == user_id).with_for_update())


def note_change(user: User) -> None:
    """Mark the account's rows as outdated (1). Call it within the transaction of the change."""
    user.byline_changed_at = datetime.now(UTC)


@owned
async def rewrite(parley: Parley, user_id: UUID) -> None:
    """Write the account's name and role to its rows. Idempotent, also in several processes at once."""
    while True:
        async with parley.reading() as reading:
            user = await reading.get(User, user_id)
        if user is None or user.byline_changed_at is None:
            return
        if not user.deleted_at:
            for rows in (_comments(user), _notifications(user), _reports(user)):
                while await _rewrite_some(parley, user, rows):
                    pass
        if await _is_done(parley, user):
            return


async def rewrite_later(parley: Parley, user_id: UUID) -> None:
    """Run `rewrite` in the background. If the database fails, `finish` retries later."""
    try:
        await rewrite(parley, user_id)
    except DATABASE_ERRORS as error:
        log.warning("cannot write a new name or role to the comments; maintenance retries it: %s", one_line(error))


async def finish(parley: Parley) -> None:
    """Rewrite the rows that a killed process did not rewrite (1)."""
    async with parley.reading() as reading:
        left = (await reading.scalars(select(User.id).where(User.byline_changed_at.is_not(None)))).all()
    for id_ in left:
        await rewrite(parley, id_)


def _comments(user: User) -> Select[Comment]:
    old = or_(Comment.username != user.username, Comment.author_role != user.role)
    return select(Comment).where(Comment.user_id == user.id, Comment.deleted_at.is_(None), old)


def _notifications(user: User) -> Select[Notification]:
    old = Notification.actor_name.not_in((user.username, DELETED))
    return select(Notification).where(Notification.actor_id == user.id, Notification.deleted_at.is_(None), old)


def _reports(user: User) -> Select[Report]:
    return select(Report).where(
        Report.user_id == user.id, Report.deleted_at.is_(None), Report.username != user.username
    )


async def _rewrite_some(parley: Parley, user: User, old: Select[Any]) -> bool:
    """Rewrite some rows of one topic. Returns whether there were any."""
    async with parley.reading() as reading:
        found = await reading.scalar(old.limit(1))
    if found is None:
        return False
    async with parley.writing(Topic.parse(found.topic)) as write:
        model = type(found)
        here = old.where(model.topic == found.topic).order_by(model.seq).limit(BATCH_SIZE)
        for row in (await write.session.scalars(here)).all():
            if isinstance(row, Notification):
                row.actor_name = user.username
            else:
                row.username = user.username
            if isinstance(row, Comment):
                row.author_role = user.role
            write.update(row)
    return True


async def _is_done(parley: Parley, user: User) -> bool:
    """Clear `byline_changed_at` (1), unless the name or the role has changed again."""
    async with parley.database.transaction() as writing, writing.begin():
        current = await writing.get(User, user.id, with_for_update=True)
        if current and current.byline_changed_at == user.byline_changed_at:
            current.byline_changed_at = None
            return True
    return current is None
