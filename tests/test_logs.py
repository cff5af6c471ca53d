"""Logs: the form of a line in text and in JSON, for all lines of a process."""

from __future__ import annotations

import json
import logging
import logging.config
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from app import logs
from tests.support.serving import spawned
from tests.support.sse import open_stream


@pytest.fixture
def record() -> logging.LogRecord:
    record = logging.LogRecord("app.test", logging.WARNING, __file__, 1, "mail %s", ("m",), None)
    record.created, record.msecs = 1_795_000_000.125, 125.0
    record.color_message = "for uvicorn's own eyes"
    return record


@pytest.fixture(autouse=True)
def no_request() -> Iterator[None]:
    """Notes of a test belong to a request of its own."""
    token = logs._known.set(None)
    yield
    logs._known.reset(token)


def in_json(record: logging.LogRecord) -> dict[str, Any]:
    assert logs.Known().filter(record)
    line = logs.json_lines().format(record)
    assert "\n" not in line
    return dict(json.loads(line))


def test_a_line_in_json(record: logging.LogRecord) -> None:
    logs.begin("r-1")
    logs.note(login="l-1", gid="gid://parley/Comment/1")
    logs.note(gid="gid://parley/Notification/2")  # the first note is the requested object
    assert in_json(record) == {
        "time": "2026-11-18T11:06:40.125000+00:00", "level": "WARNING", "logger": "app.test", "message": "mail m",
        "request": "r-1", "login": "l-1", "gid": "gid://parley/Comment/1",
    }  # fmt: skip


def test_a_line_in_text(record: logging.LogRecord) -> None:
    formatter = logs.TextLines()
    assert formatter.format(record) == "2026-11-18T11:06:40.125Z WARNING app.test: mail m"
    logs.begin("r-1")
    record.status = 200  # already part of the message
    logs.Known().filter(record)
    assert formatter.format(record) == "2026-11-18T11:06:40.125Z WARNING app.test: mail m (request=r-1)"


def test_a_stack_trace_is_one_line_in_json(record: logging.LogRecord) -> None:
    try:
        raise LookupError("what went wrong\nat length")
    except LookupError:
        record.exc_info = sys.exc_info()
    line = in_json(record)
    assert line["message"] == "mail m"
    assert line["stack"].startswith("Traceback")
    assert "what went wrong" in line["stack"]


def test_outside_of_requests_nothing_is_noted(record: logging.LogRecord) -> None:
    logs.note(login="l-1")
    assert "login" not in in_json(record)
    assert logs.known("request") == ""


@pytest.mark.parametrize(("level", "app", "uvicorn"), [("debug", 10, 20), ("info", 20, 20), ("error", 40, 40)])
def test_the_level_applies_to_our_own_lines(level: str, app: int, uvicorn: int) -> None:
    loggers = logs.config("text", level)["loggers"]
    assert [getattr(logging, loggers[name]["level"]) for name in ("app", "uvicorn")] == [app, uvicorn]


def test_an_operators_own_configuration_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    monkeypatch.setattr(logging.config, "dictConfig", taken.append)
    handler = logging.NullHandler()
    handler.setFormatter(logging.Formatter("mine: %(message)s"))
    monkeypatch.setattr(logging.getLogger("uvicorn"), "handlers", [handler])
    logs.take_over("json", "info")
    assert not taken


async def test_all_lines_of_a_process_have_one_form_and_no_query(sqlite_url: str, redis_url: str) -> None:
    environment = {"DATABASE_URL": sqlite_url, "REDIS_URL": redis_url, "LOG_FORMAT": "json"}
    async with spawned(environment) as app, app.client() as guest:
        await guest.get("/api/comments/?commentable_type=Article&commentable_id=1&cursor=sesame")
        async with open_stream(guest, "Article/1", cursor="sesame") as stream:
            await stream.until("reset")
        log = app.process.log
    lines = [json.loads(line) for line in log.splitlines()]
    assert {line["logger"] for line in lines} == {"uvicorn.error", "app.http.middleware.request_log"}
    asked = [line["path"] for line in lines if line["logger"] == "app.http.middleware.request_log"]
    assert asked == ["/api/comments", "/streams"], "health checks are not logged"
    assert "sesame" not in log
