"""Maintenance: periodic work on the database. Every process does it, and several may do it concurrently."""

from __future__ import annotations

import asyncio
import logging
import random

from app.accounts import bylines, login_throttle
from app.accounts.accounts import finish_deletions
from app.accounts.logins import expire
from app.comments.rerender import rerender_outdated
from app.database import log_error
from app.likes.likes import publish_overdue
from app.live.service import Parley
from app.mail import mail_queue
from app.moderator_mail import queueing as moderator_mail
from app.notifications import notifications
from app.reply_mail import queueing
from app.webhooks import deliveries

INTERVAL_SECONDS = 60.0  # plus or minus a fifth; a stream may outlive the expiry of its login by this time

log = logging.getLogger(__name__)


async def run_maintenance(parley: Parley) -> None:
    """Forever: end expired logins, delete old rows, and finish work that was interrupted."""
    while True:
        await asyncio.sleep(INTERVAL_SECONDS * random.uniform(0.8, 1.2))
        try:
            await parley.own(run_once(parley))
        except Exception as error:
            log_error(log, error, "maintenance")


async def run_once(parley: Parley) -> None:
    await expire(parley)
    await finish_deletions(parley)
    await bylines.finish(parley)
    await rerender_outdated(parley)
    await publish_overdue(parley)
    await queueing.clean_up(parley)
    await moderator_mail.clean_up(parley)
    async with parley.database.transaction() as writing, writing.begin():
        await login_throttle.prune(writing)
        await notifications.erase_left(writing)
        await mail_queue.prune(writing)
        await deliveries.prune(writing, parley.settings.webhook_urls)
