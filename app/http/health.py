"""Health: is the process alive, and can it serve."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from pydantic import Field
from starlette.requests import Request
from typing_extensions import TypedDict

from app.accounts.identity import parley_of
from app.database import Schema
from app.http.endpoints import Endpoint
from app.http.responses import Json
from app.live.service import Parley
from app.mail import mail_queue

DATABASE_TIMEOUT_SECONDS = 3.0
LATE_MAIL_SECONDS = 600.0  # that the oldest mail has waited
UNKNOWN = "unknown"  # a state, while the database is down


class Alive(TypedDict):
    status: Literal["alive"]


class Readiness(TypedDict):
    status: Literal["ready", "not ready"]
    database: Annotated[str, Field(description="`up`, or what is wrong.")]
    migrations: Annotated[str, Field(json_schema_extra={"enum": [*Schema, UNKNOWN]})]
    mail: Annotated[str, Field(description="`up`, `kept` for `/dev/mail`, `off`, or the number of late e-mails.")]
    redis: Literal["up", "down"]


@Endpoint("GET /healthz")
async def healthz(request: Request) -> Json[Alive]:
    """Check that the process is alive."""
    return Json({"status": "alive"})


@Endpoint("GET /readyz", statuses=[200, 503])
async def readyz(request: Request) -> Json[Readiness]:
    """Check that the process can serve, with the state of each dependency.

    It is ready without Redis (only slower), and while mail is late. It is not ready without the database, or before the
    database is migrated to this release's schema.
    """
    parley = parley_of(request)
    try:
        async with asyncio.timeout(DATABASE_TIMEOUT_SECONDS):
            states = await parley.own(_database_states(parley))
    except Exception as error:
        states = {"database": f"down ({type(error).__name__})", "migrations": UNKNOWN, "mail": UNKNOWN}
    ready = states["database"] == "up" and states["migrations"] != Schema.BEHIND
    body: Readiness = {
        "status": "ready" if ready else "not ready",
        "database": states["database"],
        "migrations": states["migrations"],
        "mail": states["mail"],
        "redis": "up" if parley.hints.flowing else "down",
    }
    return Json(body, 200 if ready else 503)


async def _database_states(parley: Parley) -> dict[str, str]:
    schema = await parley.database.schema()
    # An older schema may have no such table yet.
    return {
        "database": "up",
        "migrations": schema,
        "mail": UNKNOWN if schema is Schema.BEHIND else await _mail_state(parley),
    }


async def _mail_state(parley: Parley) -> str:
    if not parley.settings.smtp_url:
        return "kept" if parley.settings.environment == "development" else "off"
    async with parley.reading() as reading:
        count, seconds = await mail_queue.count_waiting(reading)
    return f"late ({count} waiting)" if seconds > LATE_MAIL_SECONDS else "up"
