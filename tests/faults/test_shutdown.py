"""The end of a process: writes finish, streams end with a `retry`, and a client that does not read delays nobody."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.persistence import PersistentWriter
from tests.support.database import write_comments
from tests.support.people import person, snapshot, write
from tests.support.serving import serving
from tests.support.sse import open_stream
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from app.settings import Settings

STREAM_END_TIMEOUT_SECONDS = 0.5


pytestmark = pytest.mark.sqlite_only


async def test_a_client_that_does_not_read_is_disconnected_at_shutdown(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from app.http import sse_response
    from app.main import create_app

    monkeypatch.setattr(sse_response, "STREAM_END_TIMEOUT_SECONDS", STREAM_END_TIMEOUT_SECONDS)
    waiting: dict[str, Any] = {"timeout_graceful_shutdown": None}  # uvicorn would wait for ever
    app = create_app(settings)
    async with serving(app, **waiting) as site, person(site, "Alice") as alice, site.client() as bob:
        with socket.socket() as unread:
            unread.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            unread.connect(("127.0.0.1", int(site.url.rpartition(":")[2])))
            unread.sendall(b"GET /streams?topic=Article/1 HTTP/1.1\r\nHost: x\r\n\r\n")
            async with open_stream(bob, "Article/1") as stream:
                await stream.next()
                bodies = [f"{number} {'x' * 9_990}" for number in range(100)]
                # A megabyte, which is more than both sockets buffer.
                last = (await write_comments(app.state.parley, await write(alice, "First"), bodies))[-1]
                await stream.until(lambda block: block.event.endswith("success") and block.model["id"] == last["id"])
                with caplog.at_level(logging.WARNING):
                    site.stop()
                    await stream.ended()
                    await wait_until(lambda: not site.server.server_state.connections, "all connections to close")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_rolling_restart_under_load_loses_nothing(settings: Settings) -> None:
    """Alice's browser repeats requests, and each comment is stored once. Bob's browser reconnects with its cursor."""
    from app.main import create_app
    from tests.support.serving import free_port

    port, bodies = free_port(), [f"{number}" for number in range(60)]
    position: str | None = None
    seen: list[str] = []
    writing: asyncio.Task[None] | None = None
    for _ in range(4):
        async with serving(create_app(settings), port=port) as site:
            if writing is None:
                async with person(site, "Alice") as alice:
                    cookies = alice.cookies
                writer = PersistentWriter(site.client(cookies=cookies))
                writing = asyncio.create_task(writer.write_all(*bodies))
            async with site.client() as bob, open_stream(bob, "Article/1", last_event_id=position) as stream:
                for _ in range(8):
                    await stream.next()
                site.stop()
                await stream.ended()
            position = next(block.id for block in reversed(stream.blocks) if block.id)
            seen += [block.model["body"] for block in stream.blocks if block.event.endswith("create.success")]
    async with serving(create_app(settings), port=port) as site, site.client() as bob:
        assert writing
        await writing
        async with open_stream(bob, "Article/1", last_event_id=position, once=1) as stream:
            await stream.ended()
        seen += [block.model["body"] for block in stream.blocks if block.event.endswith("create.success")]
        assert [comment["body"] for comment in (await snapshot(bob, limit=100))["comments"]] == bodies
        await writer.client.aclose()
    assert seen == bodies
