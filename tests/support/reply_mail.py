"""Mail about replies, in tests: replies, a clock that is moved on, and all due mail sent."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import select

from app.comments import posting
from app.comments.comments import Comment
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import Viewer
from app.mail.mail_queue import Mail
from app.moderator_mail.news import News
from app.notifications.notifications import Notification
from app.reply_mail.follows import Follow
from app.reply_mail.last_mails import LastMail
from app.reply_mail.queueing import queue_next
from tests.support.mail_queue import send_next

DELAY = timedelta(minutes=2)
QUARTER = timedelta(minutes=15)


async def reply(parley: Parley, author: Viewer, parent: Comment, body: str = "Indeed", **more: Any) -> Comment:
    comment, _ = await posting.post(parley, author, Topic.parse(parent.topic), body, uuid4(), parent.id, **more)
    return comment


async def pass_time(parley: Parley, time: timedelta) -> None:
    """Move all stored times about mail into the past, as if this time had passed."""
    columns = {
        Notification: ("mail_due_at", "created_at"), LastMail: ("mailed_at",), Mail: ("due_at", "created_at"),
        News: ("due_at", "created_at"),
        Comment: ("created_at",), Follow: ("mail_due_at", "waiting_since"),
    }  # fmt: skip
    async with parley.database.transaction() as writing, writing.begin():
        for model, names in columns.items():
            for row in await writing.scalars(select(model)):
                for name in names:
                    if at := getattr(row, name):
                        setattr(row, name, at - time)


async def send_due(parley: Parley) -> None:
    """Queue and send all mail that is due."""
    while await queue_next(parley):
        pass
    while await send_next(parley):
        pass


async def waiting(parley: Parley) -> int:
    """The number of notifications that wait for mail."""
    async with parley.reading() as reading:
        rows = await reading.scalars(select(Notification).where(Notification.mail_due_at.is_not(None)))
        return len(rows.all())
