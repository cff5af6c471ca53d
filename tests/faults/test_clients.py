"""Clients that misbehave as no browser does. They leave nothing behind, and nobody else notices them."""

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
MAX_MORE_DESCRIPTORS = 100  # by which the pools may still grow; a leak would need 400
UNREAD_STREAMS = 30
CHANGES = 40  # of 10,000 characters, written twice
MAX_BUFFERED_BYTES = 160 * 1024  # uvicorn's high-water mark of 64 KiB, a batch of 64 KiB, and a change
MAX_MORE_BYTES = 64 * 1024  # for each stream, with its share of shared memory; a queue would hold 400 KB more

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


def count_feeds_and_connections(site: Site) -> tuple[int, int]:
    """The server's (open feeds, open connections)."""
    parley = site.state.parley
    return len(parley.feeds), len(site.server.server_state.connections)


@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES.keys())
async def test_clients_that_send_half_a_request_leave_nothing_behind(
    site: Site, alice: httpx.AsyncClient, half: bytes
) -> None:
    await write(alice, "Whole")
    known = count_feeds_and_connections(site)
    sockets = [connect(site) for _ in range(20)]
    for each in sockets:
        each.sendall(half)
    await wait_until(
        lambda: count_feeds_and_connections(site)[1] > known[1] or not half.startswith(b"GET"), "the clients to connect"
    )
    assert (await alice.get("/healthz")).status_code == 200
    for each in sockets:
        each.close()
    await wait_until(lambda: count_feeds_and_connections(site)[1] <= known[1], "the connections to close")
    assert [comment["body"] for comment in (await snapshot(alice))["comments"]] == ["Whole"]


@pytest.mark.parametrize("times", [RECONNECTS, pytest.param(MANY_RECONNECTS, marks=pytest.mark.extended)])
async def test_a_client_that_reconnects_all_the_time_leaves_nothing_behind(
    site: Site, alice: httpx.AsyncClient, times: int
) -> None:
    process = psutil.Process()
    async with open_stream(alice, "Article/1") as stream:
        position = (await stream.next()).id

    async def connect_and_abort(times: int) -> None:
        for _ in range(times):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(site.url.rpartition(":")[2]))
            request = f"GET /streams?topic=Article/1 HTTP/1.1\r\nHost: x\r\nLast-Event-ID: {position}\r\n\r\n"
            writer.write(request.encode())
            assert b"200" in await reader.readline()
            writer.transport.abort()

    async def connect_and_abort_together(times: int) -> None:
        await asyncio.gather(*(connect_and_abort(times // 20) for _ in range(20)))
        await wait_until(lambda: count_feeds_and_connections(site)[0] == 0, "the feeds to close")

    await connect_and_abort_together(200)  # after this the pools have their full size
    descriptors, tasks = process.num_fds(), len(asyncio.all_tasks())
    await connect_and_abort_together(times)
    await wait_until(lambda: len(asyncio.all_tasks()) <= tasks + 2, "the streams' tasks to end")
    await wait_until(lambda: process.num_fds() <= descriptors + MAX_MORE_DESCRIPTORS, "the streams' sockets to close")


async def test_a_comment_is_stored_though_its_author_leaves_during_the_request(
    site: Site, alice: httpx.AsyncClient
) -> None:
    parley = site.state.parley
    async with parley.database.transaction() as other, other.begin():
        await other.connection()  # Alice's write waits for this transaction
        with pytest.raises(httpx.ReadTimeout):
            await alice.post("/api/comments/", json={**ARTICLE, "body": "On its way"}, timeout=0.3)

    async def is_there() -> bool:
        return [comment["body"] for comment in (await snapshot(alice))["comments"]] == ["On its way"]

    await wait_until(is_there, "the comment to be stored")


async def test_streams_that_nobody_reads_need_a_bounded_amount_of_memory(site: Site, alice: httpx.AsyncClient) -> None:
    """An unread stream holds one batch, and what uvicorn buffers before it waits. A queue would hold every change."""
    await write(alice, "Warm")
    with ExitStack() as stack:
        sockets = [stack.enter_context(connect(site)) for _ in range(UNREAD_STREAMS)]
        known = set(site.server.server_state.connections)
        for each in sockets:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            each.sendall(b"GET /streams?topic=Article/1 HTTP/1.1\r\nHost: x\r\n\r\n")
        await wait_until(lambda: site.state.admission.streams == UNREAD_STREAMS, "the streams to open")
        unread = [one for one in set(site.server.server_state.connections) - known if one.transport]
        for one in unread:  # the kernel would buffer megabytes for each
            one.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        async with open_stream(alice, "Article/1") as stream:
            await stream.next()

            async def write_changes() -> None:
                for number in range(CHANGES):
                    await write(alice, f"{number} {'x' * 9_990}")
                    await stream.until("create.success")

            await write_changes()  # after this all buffers are full, and caches have their full size
            tracemalloc.start()
            try:
                await write_changes()
                gc.collect()
                each = tracemalloc.get_traced_memory()[0] / UNREAD_STREAMS
            finally:
                tracemalloc.stop()
        buffered = max(one.transport.get_write_buffer_size() for one in unread)
    assert 0 < buffered <= MAX_BUFFERED_BYTES, f"{buffered:,} bytes are buffered for one stream"
    assert each < MAX_MORE_BYTES, f"{each:,.0f} bytes more for each stream, after {CHANGES} more changes"
