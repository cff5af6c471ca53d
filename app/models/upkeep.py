"""Upkeep: what time does to the database. Any process may do it, several at once do no harm."""

from __future__ import annotations

import asyncio
import logging
import random

from app.database import complain
from app.live.parley import Parley
from app.models import byline, lock, mail
from app.models.account import finish_leaving
from app.models.like import publish_overdue
from app.models.login import expire
from app.models.rerender import render_anew

EVERY = 60.0  # seconds, give or take a fifth; so long a stream may outlive its login's time

log = logging.getLogger(__name__)


async def keep_up(parley: Parley) -> None:
    """For ever: end logins whose time is over, forget old failures, finish what was left undone."""
    while True:
        await asyncio.sleep(EVERY * random.uniform(0.8, 1.2))
        try:
            await parley.own(once(parley))
        except Exception as error:
            complain(log, error, "upkeep")


async def once(parley: Parley) -> None:
    await expire(parley)
    await finish_leaving(parley)
    await byline.finish(parley)
    await render_anew(parley)
    await publish_overdue(parley)
    async with parley.database.transaction() as writing, writing.begin():
        await lock.prune(writing)
        await mail.prune(writing)
