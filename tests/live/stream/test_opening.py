"""Streams that open: their reads of the database, the order in which they are served, and reads that are skipped.

These tests count reads. `bench/openings.py` measures the time of an honest opening beside an attack.
"""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Sequence
from contextlib import AsyncExitStack

import pytest

from app.live.cursors import write_cursor
from app.live.read.feeds import MAX_CONCURRENT_HEAD_READS
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import Viewer
from tests.support.people_without_http import ARTICLE, create_viewer, post_comment
from tests.support.session_reader import Reader, open_session
from tests.support.sse import Block
from tests.support.waiting import cancel_tasks, wait_until

ATTACKER, OFFICE = "198.51.100.7", "192.0.2.0"


@pytest.fixture
async def alice(parley: Parley) -> Viewer:
    await wait_until(lambda: parley.hints.flowing, "Redis, whose subscription makes the feeds look")
    return await create_viewer(parley, "alice")


class Heads:
    """The database's answers to reads of heads, one for each time that a test lets one through."""

    def __init__(self, parley: Parley, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[Sequence[Topic]] = []
        self._read = parley.reader.heads
        self._open = asyncio.Semaphore(0)
        monkeypatch.setattr(parley.reader, "heads", self.heads)

    async def heads(self, topics: Sequence[Topic]) -> tuple[str, dict[Topic, int]]:
        self.asked.append(topics)
        await self._open.acquire()
        return await self._read(topics)

    def let_through(self, reads: int = 1) -> None:
        for _ in range(reads):
            self._open.release()


def invented(stream: int, topics: int = 100) -> list[Topic]:
    return [Topic("Article", f"invented {stream} {number}") for number in range(topics)]


async def test_a_hundred_topics_that_nobody_has_written_to_are_one_read(parley: Parley, alice: Viewer) -> None:
    reads, heads = parley.reader.reads, parley.reader.stats.heads
    async with open_session(parley.feeds, *invented(1)) as reader:
        await reader.until("heartbeat")
        assert (parley.reader.reads - reads, parley.reader.stats.heads - heads) == (0, 1)


async def test_cursors_that_claim_too_much_cause_no_more_reads(
    parley: Parley, alice: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parley.hints, "publish", lambda gid: None)  # Redis may repeat the hint while a stream opens
    await post_comment(parley, alice, "hello")
    topics = [ARTICLE, *invented(1, 99)]
    epoch, _ = await parley.reader.heads([])
    reads, heads = parley.reader.reads, parley.reader.stats.heads
    for cursor in (write_cursor(epoch, dict.fromkeys(topics, 10**9)), write_cursor("elsewhere", {ARTICLE: 1})):
        async with open_session(parley.feeds, *topics, cursors=[cursor]) as reader:
            await reader.until("reset")
    assert (parley.reader.reads - reads, parley.reader.stats.heads - heads) == (0, 2)


async def test_what_is_written_while_a_stream_opens_reaches_it(
    parley: Parley, alice: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hint comes before the feed has a head, and its change after the head was read."""
    monkeypatch.setattr(parley.hints, "publish", lambda gid: None)  # Redis would repeat the hint, once there is a head
    heads = Heads(parley, monkeypatch)
    read = heads._read

    async def old(topics: Sequence[Topic]) -> tuple[str, dict[Topic, int]]:
        found = await read(topics)
        await post_comment(parley, alice, "meanwhile")
        return found

    heads._read = old  # type: ignore[method-assign]
    async with open_session(parley.feeds) as reader:
        heads.let_through()
        await reader.until("heartbeat")
        assert (await reader.until("create.success")).model["body"] == "meanwhile"


async def test_an_honest_reader_waits_for_one_opening_of_the_attack_and_not_for_all(
    parley: Parley, alice: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = Heads(parley, monkeypatch)
    async with AsyncExitStack() as stack:

        async def opening(*topics: Topic, network: str) -> asyncio.Task[Block]:
            reader = await stack.enter_async_context(open_session(parley.feeds, *topics, network=network))
            return asyncio.create_task(_first(reader))

        attack = [await opening(*invented(number), network=ATTACKER) for number in range(20)]
        await wait_until(lambda: len(heads.asked) == MAX_CONCURRENT_HEAD_READS, "the attack to take all openings")
        await wait_until(
            lambda: parley.feeds._openings.waiting == 20 - MAX_CONCURRENT_HEAD_READS, "the rest of it to queue"
        )
        honest = await opening(Topic("Page", "about"), network=OFFICE)
        heads.let_through(MAX_CONCURRENT_HEAD_READS + 2)
        await honest
        assert len([task for task in attack if task.done()]) <= MAX_CONCURRENT_HEAD_READS + 1
        await cancel_tasks(*attack)
        heads.let_through(100)


async def _first(reader: Reader) -> Block:
    return await reader.next(timeout=30)


async def test_nothing_is_read_for_streams_that_have_gone(
    parley: Parley, alice: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = Heads(parley, monkeypatch)
    async with AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(open_session(parley.feeds, *invented(n))) for n in range(20)]
        gone = [asyncio.create_task(_first(reader)) for reader in readers]
        await wait_until(lambda: len(heads.asked) == MAX_CONCURRENT_HEAD_READS, "the first of them to be read")
        await cancel_tasks(*gone)
    heads.let_through(100)
    async with open_session(parley.feeds) as reader:
        await reader.until("heartbeat")
    assert len(heads.asked) == MAX_CONCURRENT_HEAD_READS + 1, "the reads that had begun, and that of this session"
    assert parley.feeds._openings.waiting == 0
    assert len(parley.feeds) == 0


async def test_missed_changes_are_not_read_for_gone_streams(
    parley: Parley, alice: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    epoch, _ = await parley.reader.heads([])
    for number in range(3):
        await post_comment(parley, alice, "hello", Topic("Article", str(number)))
    async with AsyncExitStack() as stack:
        waiting = []
        async with parley.reader._late.slot(None), parley.reader._late.slot(None):
            for number in range(3):
                topic = Topic("Article", str(number))
                cursor = write_cursor(epoch, {topic: 0})
                reader = await stack.enter_async_context(open_session(parley.feeds, topic, cursors=[cursor]))
                await reader.until("heartbeat")
                waiting.append(asyncio.create_task(_first(reader)))
            await wait_until(lambda: parley.reader._late.waiting == 3, "all of them to queue")
            chunks = parley.reader.stats.chunks
            await cancel_tasks(*waiting[:2])
        assert (await waiting[2]).model["body"] == "hello"
        await wait_until(lambda: parley.reader.stats.dropped == 2, "two of them to be dropped")
    assert parley.reader.stats.chunks - chunks == 1, "the read for the stream that is still open"


async def test_an_open_stream_of_a_hundred_idle_topics_holds_little(parley: Parley, alice: Viewer) -> None:
    async def open_one(number: int, stack: AsyncExitStack) -> None:
        reader = await stack.enter_async_context(open_session(parley.feeds, *invented(number)))
        await reader.until("heartbeat")

    async with AsyncExitStack() as stack:
        await open_one(0, stack)  # what all of them share
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            for number in range(1, 6):
                await open_one(number, stack)
            each = (tracemalloc.get_traced_memory()[0] - before) / 5
        finally:
            tracemalloc.stop()
    assert each < 200_000, f"{each:,.0f} bytes"
