"""Who comes in the moment in which a server ends is sent away, and keeps nobody waiting."""

from __future__ import annotations

import asyncio
import gc
import socket
from contextlib import suppress
from typing import Any

import pytest

from tests.chaos.proxy import Proxy, to_port
from tests.support.serving import serving

SOON = 10.0  # seconds

# Of the loop, between the visit and the end: at each of them a visitor is let in a little further.
pytestmark = pytest.mark.parametrize("turns", range(6))


@pytest.fixture(scope="module", autouse=True)
def collections_of_these_tests_only() -> None:
    """To look at what all tests before have left would take most of a second for each test here."""
    gc.collect()
    gc.freeze()


async def test_by_a_proxy(turns: int) -> None:
    async with Proxy(to_port(lambda: None)) as proxy:
        proxy.stop()
        visitor = await knock(proxy.port, turns)
    await is_sent_away(visitor)


async def test_by_a_site(turns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    visitors = []
    async with serving(app) as site:
        end = site.server.shutdown

        async def somebody_comes(sockets: Any) -> None:
            visitors.append(await knock(int(site.url.rpartition(":")[2]), turns))
            await end(sockets)

        site.server.config.timeout_graceful_shutdown = None  # the end would wait for the visitor for ever
        monkeypatch.setattr(site.server, "shutdown", somebody_comes)
    await is_sent_away(*visitors)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Nothing but a lifespan: nobody gets to ask for anything."""
    for phase in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{phase}.complete"})


async def knock(port: int, turns: int) -> socket.socket:
    visitor = socket.create_connection(("127.0.0.1", port), SOON)
    for _ in range(turns):
        await asyncio.sleep(0)
    return visitor


async def is_sent_away(visitor: socket.socket) -> None:
    with visitor, suppress(ConnectionError):
        assert await asyncio.to_thread(visitor.recv, 1) == b""
    gc.collect()  # a socket that is nobody's complains
