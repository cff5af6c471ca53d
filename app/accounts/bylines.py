"""Bylines: an author's name and role, stored in each row that the author wrote.

A rendering depends on its row alone, so a new name or role is written to all of the author's comments, notifications
and reports. This happens after the change, a few rows in each transaction. The name of a deleted account is new, too.

1. The account's `byline_changed_at` marks pending work. The transaction of the change sets it, and it is cleared when
   all rows are rewritten. If a process is killed before that, another process finishes (`finish`).
2. A comment gets its author's current name and role under a lock on the account. A change waits for that lock. So no
   row is written with an old name after the last query for such rows.
3. The name is read in the transaction that writes it, and the queries compare the rows with the account's current name.
   So if the name changes again, or the account is deleted before that, no older name is written over the newest.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select

from app.accounts.user import User
from app.comments.comments import Comment
from app.database import DATABASE_ERRORS, one_line
from app.live.service import Parley
from app.live.write.batches import change_all
from app.live.write.transaction import Write, owned
from app.moderation.reports import Report
from app.notifications.notifications import Notification

log = logging.getLogger(__name__)


async def lock_author(write: Write, user_id: UUID) -> None:
    """Wait for comments that this account is writing. Later ones wait for this transaction (2)."""
    await write.session.execute(select(User.id).where(User.id == user_id).with_for_update())


def note_change(user: User) -> None:
    """Mark the account's rows as outdated (1). Call it within the transaction of the change."""
    user.byline_changed_at = datetime.now(UTC)


@owned
async def rewrite(parley: Parley, user_id: UUID) -> None:
    """Rewrite the account's rows if they are outdated (1). Idempotent, also in several processes at once."""
    while True:
        async with parley.reading() as reading:
            user = await reading.get(User, user_id)
        if user is None or user.byline_changed_at is None:
            return
        await rewrite_rows(parley, user_id)
        if await _is_done(parley, user):
            return


async def rewrite_rows(parley: Parley, user_id: UUID) -> None:
    """Write the account's name and role to its rows. The account may be deleted."""

    async def write_byline(write: Write, rows: Sequence[Comment | Notification | Report]) -> None:
        user = (await write.session.scalars(select(User).where(User.id == user_id))).one()  # (3)
        for row in rows:
            if isinstance(row, Notification):
                row.actor_name = user.username
            else:
                row.username = user.username
            if isinstance(row, Comment):
                row.author_role = user.role
            write.update(row)

    for rows in _outdated_rows(user_id):
        await change_all(parley, rows, write_byline)


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


def _outdated_rows(user_id: UUID) -> Iterator[Select[Any]]:
    """Queries for the rows whose name or role is not the account's (3)."""
    author, name, role = User.id == user_id, User.username, User.role
    comments = select(Comment).where(author, Comment.user_id == User.id, Comment.deleted_at.is_(None))
    yield comments.where((Comment.username != name) | (Comment.author_role != role))
    for model, of, old in (
        (Notification, Notification.actor_id, Notification.actor_name), (Report, Report.user_id, Report.username)
    ):  # fmt: skip
        yield select(model).where(author, of == User.id, model.deleted_at.is_(None), old != name)


async def _is_done(parley: Parley, user: User) -> bool:
    """Clear `byline_changed_at` (1), unless the name or the role has changed again."""
    async with parley.database.transaction() as writing, writing.begin():
        current = await writing.get(User, user.id, with_for_update=True)
        if current and current.byline_changed_at == user.byline_changed_at:
            current.byline_changed_at = None
            return True
    return current is None
