"""Clients that do what browsers do not: nothing of them stays, and nobody else notices."""

from __future__ import annotations

import asyncio
import gc
import socket
import tracemalloc
from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest

from tests.support.people import ARTICLE, snapshot, write
from tests.support.sse import open_stream
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.support.serving import Site

RECONNECTS = 400
MANY_RECONNECTS = 10_000
SPARE = 100  # descriptors by which the pools may still grow; a leak would be of 400
ASLEEP = 30  # streams that nobody reads
CHANGES = 40  # of 10,000 characters, twice
BUFFERED = 160 * 1024  # bytes: uvicorn's high-water mark of 64 KiB, a batch of 64 KiB, and a change
MORE = 64 * 1024  # bytes, with a share of what all hold together: a queue would hold 400 KB more for each

HALVES = {
    "a line": b"GET /str",
    "headers": b"GET /streams?topic=Article/1 HTTP/1.1\r\nHost: x\r\nCook",
    "a body": b"POST /api/comments/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b'Content-Length: 90\r\n\r\n{"bo',
    "a chunk": b"POST /api/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n40\r\n{",
    "nothing": b"",
    "nonsense": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


pytestmark = pytest.mark.sqlite_only


def connect(site: Site) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(site.url.rpartition(":")[2])))


def parts(site: Site) -> tuple[int, int]:
    """(open feeds, open connections) of the server."""
    parley = site.server.config.app.state.parley
    return len(parley.feeds), len(site.server.server_state.connections)


@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES.keys())
async def test_half_a_request(site: Site, alice: httpx.AsyncClient, half: bytes) -> None:
    await write(alice, "Whole")
    known = parts(site)
    sockets = [connect(site) for _ in range(20)]
    for each in sockets:
        each.sendall(half)
    await wait_until(lambda: parts(site)[1] > known[1] or not half.startswith(b"GET"), "them to be there")
    assert (await alice.get("/healthz")).status_code == 200
    for each in sockets:
        each.close()
    await wait_until(lambda: parts(site)[1] <= known[1], "them to be gone")
    assert [comment["body"] for comment in (await snapshot(alice))["comments"]] == ["Whole"]


@pytest.mark.parametrize("times", [RECONNECTS, pytest.param(MANY_RECONNECTS, marks=pytest.mark.extended)])
async def test_one_who_reconnects_all_the_time_leaves_nothing(site: Site, alice: httpx.AsyncClient, times: int) -> None:
    process = psutil.Process()
    async with open_stream(alice, "Article/1") as stream:
        position = (await stream.next()).id

    async def come_and_go(times: int) -> None:
        for _ in range(times):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(site.url.rpartition(":")[2]))
            request = f"GET /streams?topic=Article/1 HTTP/1.1\r\nHost: x\r\nLast-Event-ID: {position}\r\n\r\n"
            writer.write(request.encode())
            assert b"200" in await reader.readline()
            writer.transport.abort()

    async def all_come_and_go(times: int) -> None:
        await asyncio.gather(*(come_and_go(times // 20) for _ in range(20)))
        await wait_until(lambda: parts(site)[0] == 0, "the feeds to close")

    await all_come_and_go(200)  # the pools are as large as they get
    descriptors, tasks = process.num_fds(), len(asyncio.all_tasks())
    await all_come_and_go(times)
    await wait_until(lambda: len(asyncio.all_tasks()) <= tasks + 2, "their tasks to end")
    await wait_until(lambda: process.num_fds() <= descriptors + SPARE, "their sockets to close")


async def test_one_who_leaves_in_the_middle_of_a_write_has_written_it(site: Site, alice: httpx.AsyncClient) -> None:
    parley = site.server.config.app.state.parley
    async with parley.database.transaction() as other, other.begin():
        await other.connection()  # Alice's write waits for this one
        with pytest.raises(httpx.ReadTimeout):
            await alice.post("/api/comments/", json={**ARTICLE, "body": "On its way"}, timeout=0.3)

    async def is_there() -> bool:
        return [comment["body"] for comment in (await snapshot(alice))["comments"]] == ["On its way"]

    await wait_until(is_there, "what was sent to be stored")


async def test_those_who_do_not_read_cost_a_bounded_amount_each(site: Site, alice: httpx.AsyncClient) -> None:
    """A reader that sleeps holds a batch, and what the server buffers before it waits. A queue would hold it all."""
    await write(alice, "Warm")
    with ExitStack() as stack:
        sockets = [stack.enter_context(connect(site)) for _ in range(ASLEEP)]
        known = set(site.server.server_state.connections)
        for each in sockets:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            each.sendall(b"GET /streams?topic=Article/1 HTTP/1.1\r\nHost: x\r\n\r\n")
        await wait_until(lambda: site.server.config.app.state.admission.streams == ASLEEP, "them to be there")
        asleep = [one for one in set(site.server.server_state.connections) - known if one.transport]
        for one in asleep:  # the kernel would take megabytes for each
            one.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        async with open_stream(alice, "Article/1") as stream:
            await stream.next()

            async def write_on() -> None:
                for number in range(CHANGES):
                    await write(alice, f"{number} {'x' * 9_990}")
                    await stream.until("create.success")

            await write_on()  # each is full after that: caches and buffers have their size
            tracemalloc.start()
            try:
                await write_on()
                gc.collect()
                each = tracemalloc.get_traced_memory()[0] / ASLEEP
            finally:
                tracemalloc.stop()
        buffered = max(one.transport.get_write_buffer_size() for one in asleep)
    assert 0 < buffered <= BUFFERED, f"{buffered:,} bytes for one of them"
    assert each < MORE, f"{each:,.0f} bytes more for each, after {CHANGES} more changes"
