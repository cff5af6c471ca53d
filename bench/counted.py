"""The app with one more route: `GET /bench/counts` returns how often the reader and the database were used so far.

A client can measure time, but not the number of database reads. That number must grow with the topics, and not with the
sessions.
"""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import event
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from app.main import app

PARLEY = app.state.parley
statements = 0


def _count(*_: Any) -> None:
    global statements  # noqa: PLW0603
    statements += 1


for engine in (PARLEY.database._engine.sync_engine, *(threads.engine for threads in PARLEY.database._threads)):
    event.listen(engine, "before_cursor_execute", _count)


async def counts(request: Request) -> JSONResponse:
    return JSONResponse({"reads": PARLEY.reader.reads, "statements": statements, "cpu": time.process_time()})


app.router.routes.insert(0, Route("/bench/counts", counts))
