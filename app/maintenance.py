"""Upkeep: what time does to the database. Any process may do it, several at once do no harm."""

from __future__ import annotations

import asyncio
import logging
import random

from app.accounts import bylines, login_throttle
from app.accounts.accounts import finish_deletions
from app.accounts.logins import expire
from app.comments.rerender import rerender_outdated
from app.database import complain
from app.likes.likes import publish_overdue
from app.live.service import Parley
from app.mail import mail_queue

INTERVAL_SECONDS = 60.0  # seconds, give or take a fifth; so long a stream may outlive its login's time

log = logging.getLogger(__name__)


async def run_maintenance(parley: Parley) -> None:
    """For ever: end logins whose time is over, forget old failures, finish what was left undone."""
    while True:
        await asyncio.sleep(INTERVAL_SECONDS * random.uniform(0.8, 1.2))
        try:
            await parley.own(once(parley))
        except Exception as error:
            complain(log, error, "upkeep")


async def once(parley: Parley) -> None:
    await expire(parley)
    await finish_deletions(parley)
    await bylines.finish(parley)
    await rerender_outdated(parley)
    await publish_overdue(parley)
    async with parley.database.transaction() as writing, writing.begin():
        await login_throttle.prune(writing)
        await mail_queue.prune(writing)
