"""A client that connects while a server ends is disconnected, and does not delay the end."""

from __future__ import annotations

import asyncio
import gc
import socket
from contextlib import suppress
from typing import Any

import pytest

from tests.chaos.proxy import Proxy, to_port
from tests.support.serving import serving

TIMEOUT_SECONDS = 10.0

# Iterations of the event loop between the connection and the end. At each of them the server knows more of the client.
pytestmark = pytest.mark.parametrize("iterations", range(6))


@pytest.fixture(scope="module", autouse=True)
def fast_garbage_collection() -> None:
    """Exclude the objects of earlier tests, which would take most of a second for each test here."""
    gc.collect()
    gc.freeze()


async def test_a_proxy_that_ends_disconnects_a_new_client(iterations: int) -> None:
    async with Proxy(to_port(lambda: None)) as proxy:
        proxy.stop()
        client = await connect(proxy.port, iterations)
    await assert_disconnected(client)


async def test_a_site_that_ends_disconnects_a_new_client(iterations: int, monkeypatch: pytest.MonkeyPatch) -> None:
    clients = []
    async with serving(app) as site:
        end = site.server.shutdown

        async def connect_first(sockets: Any) -> None:
            clients.append(await connect(int(site.url.rpartition(":")[2]), iterations))
            await end(sockets)

        site.server.config.timeout_graceful_shutdown = None  # so the end would wait for the client for ever
        monkeypatch.setattr(site.server, "shutdown", connect_first)
    await assert_disconnected(*clients)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """An app that has a lifespan and serves no requests."""
    for phase in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{phase}.complete"})


async def connect(port: int, iterations: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS)
    for _ in range(iterations):
        await asyncio.sleep(0)
    return client


async def assert_disconnected(client: socket.socket) -> None:
    with client, suppress(ConnectionError):
        assert await asyncio.to_thread(client.recv, 1) == b""
    gc.collect()  # an unclosed socket causes a ResourceWarning
