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

DATABASE_TIMEOUT_SECONDS = 3.0
LATE_MAIL_SECONDS = 600.0  # that the oldest mail has waited


async def healthz(request: Request) -> Response:
    return answer({"status": "alive"})


async def readyz(request: Request) -> Response:
    """Each dependency's state. The app is ready without Redis (only slower), and while mail is late. It is not ready
    without the database, or before the database is migrated to this release's schema.
    """
    parley = parley_of(request)
    try:
        async with asyncio.timeout(DATABASE_TIMEOUT_SECONDS):
            states = await parley.own(_database_states(parley))
    except Exception as error:
        states = {"database": f"down ({type(error).__name__})", "migrations": "unknown", "mail": "unknown"}
    ready = states["database"] == "up" and states["migrations"] != Schema.BEHIND
    states["redis"] = "up" if parley.hints.flowing else "down"
    return answer({"status": "ready" if ready else "not ready", **states}, 200 if ready else 503)


async def _database_states(parley: Parley) -> dict[str, str]:
    schema = await parley.database.schema()
    # An older schema may have no such table yet.
    return {
        "database": "up",
        "migrations": schema,
        "mail": "unknown" if schema is Schema.BEHIND else await _mail_state(parley),
    }


async def _mail_state(parley: Parley) -> str:
    if not parley.settings.smtp_url:
        return "kept" if parley.settings.environment == "development" else "off"
    async with parley.reading() as reading:
        count, seconds = await mail_queue.count_waiting(reading)
    return f"late ({count} waiting)" if seconds > LATE_MAIL_SECONDS else "up"
