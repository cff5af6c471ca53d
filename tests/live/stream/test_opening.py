"""Opening a stream: its reads of the database, the order in which streams are served, and reads that are skipped.

These tests count reads. `bench/openings.py` measures how long an ordinary opening takes during an attack.
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
    await wait_until(lambda: parley.hints.flowing, "Redis, whose subscription makes the feeds read")
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

    def allow(self, reads: int = 1) -> None:
        for _ in range(reads):
            self._open.release()


def list_invented_topics(stream: int, topics: int = 100) -> list[Topic]:
    return [Topic("Article", f"invented {stream} {number}") for number in range(topics)]


async def test_a_hundred_unwritten_topics_cost_one_read(parley: Parley, alice: Viewer) -> None:
    reads, heads = parley.reader.reads, parley.reader.stats.heads
    async with open_session(parley.feeds, *list_invented_topics(1)) as reader:
        await reader.until("heartbeat")
        assert (parley.reader.reads - reads, parley.reader.stats.heads - heads) == (0, 1)


async def test_cursors_that_claim_too_much_cause_no_more_reads(
    parley: Parley, alice: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parley.hints, "publish", lambda gid: None)  # Redis may deliver the hint while a stream opens
    await post_comment(parley, alice, "hello")
    topics = [ARTICLE, *list_invented_topics(1, 99)]
    epoch, _ = await parley.reader.heads([])
    reads, heads = parley.reader.reads, parley.reader.stats.heads
    for cursor in (write_cursor(epoch, dict.fromkeys(topics, 10**9)), write_cursor("elsewhere", {ARTICLE: 1})):
        async with open_session(parley.feeds, *topics, cursors=[cursor]) as reader:
            await reader.until("reset")
    assert (parley.reader.reads - reads, parley.reader.stats.heads - heads) == (0, 2)


async def test_a_change_that_is_written_while_a_stream_opens_reaches_it(
    parley: Parley, alice: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hint arrives before the feed has a head, and the change is committed after the head was read."""
    monkeypatch.setattr(parley.hints, "publish", lambda gid: None)  # Redis would deliver the hint when there is a head
    heads = Heads(parley, monkeypatch)
    read = heads._read

    async def old(topics: Sequence[Topic]) -> tuple[str, dict[Topic, int]]:
        found = await read(topics)
        await post_comment(parley, alice, "meanwhile")
        return found

    heads._read = old  # type: ignore[method-assign]
    async with open_session(parley.feeds) as reader:
        heads.allow()
        await reader.until("heartbeat")
        assert (await reader.until("create.success")).model["body"] == "meanwhile"


async def test_a_reader_waits_for_one_opening_of_an_attacker_and_not_for_all(
    parley: Parley, alice: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = Heads(parley, monkeypatch)
    async with AsyncExitStack() as stack:

        async def opening(*topics: Topic, network: str) -> asyncio.Task[Block]:
            reader = await stack.enter_async_context(open_session(parley.feeds, *topics, network=network))
            return asyncio.create_task(_first(reader))

        attack = [await opening(*list_invented_topics(number), network=ATTACKER) for number in range(20)]
        await wait_until(lambda: len(heads.asked) == MAX_CONCURRENT_HEAD_READS, "the attacker to take all slots")
        await wait_until(
            lambda: parley.feeds._openings.waiting == 20 - MAX_CONCURRENT_HEAD_READS, "its other openings to queue"
        )
        honest = await opening(Topic("Page", "about"), network=OFFICE)
        heads.allow(MAX_CONCURRENT_HEAD_READS + 2)
        await honest
        assert len([task for task in attack if task.done()]) <= MAX_CONCURRENT_HEAD_READS + 1
        await cancel_tasks(*attack)
        heads.allow(100)


async def _first(reader: Reader) -> Block:
    return await reader.next(timeout=30)


async def test_nothing_is_read_for_clients_that_have_disconnected(
    parley: Parley, alice: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = Heads(parley, monkeypatch)
    async with AsyncExitStack() as stack:
        readers = [
            await stack.enter_async_context(open_session(parley.feeds, *list_invented_topics(n))) for n in range(20)
        ]
        gone = [asyncio.create_task(_first(reader)) for reader in readers]
        await wait_until(lambda: len(heads.asked) == MAX_CONCURRENT_HEAD_READS, "the first reads")
        await cancel_tasks(*gone)
    heads.allow(100)
    async with open_session(parley.feeds) as reader:
        await reader.until("heartbeat")
    assert len(heads.asked) == MAX_CONCURRENT_HEAD_READS + 1, "the reads that had begun, and the read of this session"
    assert parley.feeds._openings.waiting == 0
    assert len(parley.feeds) == 0


async def test_missed_changes_are_not_read_for_clients_that_have_disconnected(
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
            await wait_until(lambda: parley.reader._late.waiting == 3, "three reads to queue")
            chunks = parley.reader.stats.chunks
            await cancel_tasks(*waiting[:2])
        assert (await waiting[2]).model["body"] == "hello"
        await wait_until(lambda: parley.reader.stats.dropped == 2, "two reads to be dropped")
    assert parley.reader.stats.chunks - chunks == 1, "the read for the stream that is still open"


async def test_an_open_stream_of_a_hundred_idle_topics_needs_little_memory(parley: Parley, alice: Viewer) -> None:
    async def open_one(number: int, stack: AsyncExitStack) -> None:
        reader = await stack.enter_async_context(open_session(parley.feeds, *list_invented_topics(number)))
        await reader.until("heartbeat")

    async with AsyncExitStack() as stack:
        await open_one(0, stack)  # allocates the memory that all streams share
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            for number in range(1, 6):
                await open_one(number, stack)
            each = (tracemalloc.get_traced_memory()[0] - before) / 5
        finally:
            tracemalloc.stop()
    assert each < 200_000, f"{each:,.0f} bytes for each stream"
