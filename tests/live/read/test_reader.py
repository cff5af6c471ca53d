"""The reader's queues: a session that is caught up does not wait behind sessions that catch up."""

from __future__ import annotations

import asyncio
import random
from unittest import mock

from app.live.read.reader import MAX_CONCURRENT_CHUNK_READS, Reader
from app.live.topics import Topic
from tests.live.convergence.simulation import MODELS, Store, in_memory


async def never(*_: object) -> None:
    await asyncio.Event().wait()


async def test_new_changes_do_not_wait_for_sessions_that_catch_up() -> None:
    first = Topic("Article", "1")
    with in_memory(), mock.patch("app.live.read.reader.read_changes", never):
        reader = Reader(Store(random.Random(0)), MODELS)  # type: ignore[arg-type]
        topics = [Topic("Article", str(number)) for number in range(50)]
        catching_up = [asyncio.create_task(reader.chunk(topic, 0, 1_000)) for topic in topics]
        try:
            await asyncio.sleep(0)  # after this all sessions have asked for a read
            news = await reader.news(first, "known", 0, most=1)
            assert news
            assert news.head == 0
            assert reader.reads == MAX_CONCURRENT_CHUNK_READS + 1, "the other sessions that catch up wait for a slot"
        finally:
            for task in catching_up:
                task.cancel()
            await asyncio.gather(*catching_up, return_exceptions=True)
