"""Connections without a proxy in between: clients that send nothing, and heads without end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from app import bounded_http
from app.bounded_http import MAX_HEAD_BYTES, BoundedHttpProtocol
from tests.support.serving import Site, serving

pytestmark = pytest.mark.anyio

HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n"


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """Read the body and return its length. /slow responds until the client disconnects."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"%05d" % len(body)})


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with serving(hello, http=BoundedHttpProtocol, timeout_keep_alive=5) as site:
        yield site


@asynccontextmanager
async def connected(site: Site) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(site.url.rpartition(":")[2]))
    try:
        yield reader, writer
    finally:
        writer.close()


@pytest.mark.parametrize("sent", [b"", b"G", HEAD, HEAD + b"X-More: 1\r\n", HEAD + b"\r\n" + HEAD])
async def test_a_connection_without_a_complete_head_is_closed(
    site: Site, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(bounded_http, "HEAD_TIMEOUT_SECONDS", 0.2)
    async with connected(site) as (reader, writer):
        writer.write(sent)
        answer = await reader.read()  # to its end
    assert answer.count(b"200 OK") == (2 if sent.count(b"\r\n\r\n") == 2 else sent.count(b"\r\n\r\n"))


async def test_a_response_may_take_longer_than_the_timeout_of_a_head(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The timeout is for the head only, and not for a body or a response."""
    monkeypatch.setattr(bounded_http, "HEAD_TIMEOUT_SECONDS", 1.0)
    async with connected(site) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n12")
        await asyncio.sleep(1.5)
        writer.write(b"345")
        assert (await reader.readuntil(b"00005")).startswith(b"HTTP/1.1 200 ")
        writer.write(HEAD + b"\r\n")
        assert (await reader.readuntil(b"00000")).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("in_one", [True, False])
async def test_an_endless_head_is_refused(site: Site, in_one: bool) -> None:
    async with connected(site) as (reader, writer):
        if in_one:
            writer.write(HEAD + b"X-Long: " + b"x" * MAX_HEAD_BYTES + b"\r\n\r\n")
        else:
            writer.write(HEAD)
            writer.writelines(b"X-%d: 1\r\n" % number for number in range(10_000))
        assert (await reader.readline()).startswith(b"HTTP/1.1 431 ")


async def test_requests_of_browsers_are_served(site: Site) -> None:
    async with site.client(headers={"X-Long": "x" * 60_000}) as client:
        for _ in range(3):
            assert (await client.post("/", content=b"x" * 50_000)).text == "50000"
        assert (await client.get("/")).status_code == httpx.codes.OK
    async with connected(site) as (reader, writer):
        writer.write((HEAD + b"\r\n") * 3)  # pipelined
        for _ in range(3):
            await reader.readuntil(b"00000")
