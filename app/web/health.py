"""Health: is the process alive, and can it serve."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from app.web.answers import answer
from app.web.identity import parley_of

PATIENCE = 3.0  # seconds


async def healthz(request: Request) -> Response:
    return answer({"status": "alive"})


async def readyz(request: Request) -> Response:
    """Each dependency's state. Without Redis we are slower, and ready; without the database we are not."""
    parley = parley_of(request)
    try:
        async with asyncio.timeout(PATIENCE):
            await parley.own(parley.database.ping())
        database = "up"
    except Exception as error:
        database = f"down ({type(error).__name__})"
    ready = database == "up"
    states = {"database": database, "redis": "up" if parley.hints.flowing else "down"}
    return answer({"status": "ready" if ready else "not ready", **states}, 200 if ready else 503)
