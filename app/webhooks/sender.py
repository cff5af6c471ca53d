"""The sender of webhooks: takes deliveries from the queue, and sends each as a signed POST (Standard Webhooks).

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

1. A receiver acknowledges with a status of 200 to 299 within `TIMEOUT_SECONDS`. Anything else is a failure, and is
   retried. A redirect is a failure, too: it could lead to an address that this network must not reach.
2. Each URL has senders of its own, so a receiver that is slow or down does not delay the others.
3. The body of a response is not read.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from functools import partial

import httpcore
from pydantic_core import to_json

from app.database import DATABASE_ERRORS
from app.live.gids import Gid
from app.live.model import Live, LiveModel
from app.live.service import Parley
from app.live.tasks import Tasks
from app.live.topics import QUEUE, Topic
from app.live.viewers import Kind
from app.polling import poll_for_work
from app.webhooks import deliveries
from app.webhooks.deliveries import Delivery
from app.webhooks.network import PublicNetwork, Refused
from app.webhooks.signature import signature

SENDERS = 4  # requests to one URL at the same time, each of another topic
POLL_SECONDS = 2.0  # seconds between two polls of one sender with nothing to do
TIMEOUT_SECONDS = 20.0  # for one request; shorter than `deliveries.CLAIM_PERIOD`

log = logging.getLogger(__name__)


async def send_webhooks(parley: Parley) -> None:
    """Send deliveries that are due. This never returns, unless there is no URL."""
    backend = None if parley.settings.webhook_allow_private else PublicNetwork()
    async with httpcore.AsyncConnectionPool(network_backend=backend) as pool, Tasks() as tasks:
        senders = [
            tasks.start(poll_for_work(partial(_send_next, parley, pool, url), log, "webhooks", POLL_SECONDS))
            for url in parley.settings.webhook_urls
            for _ in range(SENDERS)
        ]
        await asyncio.gather(*senders)


async def _send_next(parley: Parley, pool: httpcore.AsyncConnectionPool, url: str) -> bool:
    if delivery := await _claim_next(parley, url):
        await deliver(parley, pool, delivery)
    return delivery is not None


async def _claim_next(parley: Parley, url: str) -> Delivery | None:
    async with parley.reading() as reading:
        if not await deliveries.is_due(reading, url):
            return None
    return await parley.own(_claim(parley, url))


async def _claim(parley: Parley, url: str) -> Delivery | None:
    async with parley.database.transaction() as writing, writing.begin():
        return await deliveries.claim(writing, url)


async def deliver(parley: Parley, pool: httpcore.AsyncConnectionPool, delivery: Delivery) -> None:
    """Send a claimed delivery. If this is cancelled, as at shutdown, it is due again when its claim expires."""
    try:
        error = await _post(parley, pool, delivery)
    except Exception as bug:
        if isinstance(bug, DATABASE_ERRORS):
            raise
        log.error("webhook %s", delivery.id, exc_info=bug)
        error = type(bug).__name__
    await parley.own(_settle(parley, delivery, error))


async def _settle(parley: Parley, delivery: Delivery, error: str) -> None:
    async with parley.database.transaction() as writing, writing.begin():
        if not error:
            await deliveries.finish(writing, delivery)
            return
        again = await deliveries.retry_later(writing, delivery, error)
    log.warning(
        "webhook %s was not delivered, %s: %s",
        delivery.id,
        "retrying later" if again else "stored as a dead letter",
        error,
    )


async def _post(parley: Parley, pool: httpcore.AsyncConnectionPool, delivery: Delivery) -> str:
    """Send the request. Returns the error; "" if the receiver has acknowledged it (1)."""
    body = await payload(parley, delivery)
    now = datetime.now(UTC)
    headers = {
        "content-type": "application/json",
        "user-agent": "Parley",
        "webhook-id": str(delivery.id),
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature(parley.settings.webhook_keys, str(delivery.id), now, body),
    }
    try:
        async with (
            asyncio.timeout(TIMEOUT_SECONDS),
            pool.stream("POST", delivery.url, headers=[*headers.items()], content=body) as response,
        ):
            return "" if 200 <= response.status < 300 else f"the receiver responded {response.status}"
    except TimeoutError:
        return f"no response within {TIMEOUT_SECONDS:.0f} seconds"
    except Refused as error:
        return str(error)
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
        return type(error).__name__


async def payload(parley: Parley, delivery: Delivery) -> bytes:
    """The JSON of a delivery: the object's current state as the public sees it, or for a report or a decision as
    moderators do; its tombstone, if it is deleted or hidden."""
    live = next(live for live in parley.models if live.model.__name__ == delivery.model)
    async with parley.reading() as reading:
        row = await reading.get(live.model, delivery.object_id)
    shows, model = _render(live, row, delivery)
    verb = ("create" if delivery.created else "update") if shows else "destroy"
    return to_json(
        {
            "type": f"{live.name}.{verb}",
            "timestamp": delivery.changed_at,
            "data": {"gid": str(Gid(delivery.model, str(delivery.object_id))), "topic": delivery.topic, "model": model},
        }
    )


def _render(live: LiveModel, row: Live | None, delivery: Delivery) -> tuple[bool, object]:
    kind = Kind.MODERATOR if delivery.topic == str(QUEUE) else Kind.PUBLIC
    if row is None:  # the rows of live models stay as tombstones; this one was removed outside Parley
        topic = Topic.parse(delivery.topic)
        return False, {"id": delivery.object_id, "commentable_type": topic.type, "commentable_id": topic.id}
    if row.deleted_at is None and live.visible(row, kind):
        return True, live.render_for(row, kind)
    return False, row.tombstone()
