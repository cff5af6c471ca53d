"""Health: is the process alive, and can it serve."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from app.accounts.identity import parley_of
from app.database import Schema
from app.http.responses import answer
from app.live.service import Parley
from app.mail import mail_queue

PATIENCE = 3.0  # seconds
LATE = 600.0  # seconds that the oldest mail has waited


async def healthz(request: Request) -> Response:
    return answer({"status": "alive"})


async def readyz(request: Request) -> Response:
    """Each dependency's state. Without Redis we are slower, and ready; mail can wait, too. Without the database, or
    before it has been migrated to this release's schema, we are not.
    """
    parley = parley_of(request)
    try:
        async with asyncio.timeout(PATIENCE):
            states = await parley.own(_of_database(parley))
    except Exception as error:
        states = {"database": f"down ({type(error).__name__})", "migrations": "unknown", "mail": "unknown"}
    ready = states["database"] == "up" and states["migrations"] != Schema.BEHIND
    states["redis"] = "up" if parley.hints.flowing else "down"
    return answer({"status": "ready" if ready else "not ready", **states}, 200 if ready else 503)


async def _of_database(parley: Parley) -> dict[str, str]:
    schema = await parley.database.schema()
    # An older schema may have no such table yet.
    return {
        "database": "up",
        "migrations": schema,
        "mail": "unknown" if schema is Schema.BEHIND else await _mail(parley),
    }


async def _mail(parley: Parley) -> str:
    if not parley.settings.smtp_url:
        return "kept" if parley.settings.environment == "development" else "off"
    async with parley.reading() as reading:
        count, seconds = await mail_queue.count_waiting(reading)
    return f"late ({count} waiting)" if seconds > LATE else "up"
