from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest
from sqlalchemy import event, text

from app.live.gids import Gid
from app.live.hints import Hint
from app.live.read.feeds import Feed
from app.live.read.runs import Chunk
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import Viewer
from tests.live.convergence.replicas import Process
from tests.support.people_without_http import ARTICLE, create_viewer, edit_comment, post_comment
from tests.support.session_reader import open_session
from tests.support.waiting import wait_until


@pytest.fixture
async def alice(parley: Parley) -> Viewer:
    return await create_viewer(parley, "alice")


@pytest.fixture
async def other(parley: Parley) -> AsyncIterator[Process]:
    """Another process on the same database. It receives no hints by itself."""
    process = Process(parley.settings.database_url)
    process.reader._models = parley.models
    yield process
    await process.close()


@pytest.mark.parametrize("sessions", [1, 200])
async def test_a_change_is_read_once_for_any_number_of_sessions(parley: Parley, alice: Viewer, sessions: int) -> None:
    await wait_until(lambda: parley.hints.flowing, "Redis, which also delivers the process's own hints")
    async with AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(open_session(parley.feeds)) for _ in range(sessions)]
        for reader in readers:
            await reader.until("heartbeat")
        before, statements = parley.reader.reads, _count_statements(parley)
        for number in range(5):
            await post_comment(parley, alice, f"number {number}")
            for reader in readers:
                assert (await reader.until("create.success")).model["body"] == f"number {number}"
        assert parley.reader.reads - before == 5
        looks = [sql for sql in statements if "comments.seq >" in sql]
        assert len(looks) == 5


def _count_statements(parley: Parley) -> list[str]:
    statements: list[str] = []

    def count(_connection: object, _cursor: object, sql: str, *_: object) -> None:
        statements.append(sql)

    threads = parley.database._reader
    event.listen(threads.engine if threads else parley.database._engine.sync_engine, "before_cursor_execute", count)
    return statements


async def test_a_feed_exists_while_a_session_uses_it(parley: Parley) -> None:
    async with open_session(parley.feeds) as one, open_session(parley.feeds) as two:
        await one.until("heartbeat")
        await two.until("heartbeat")
        assert len(parley.feeds) == 1
        await one.close()
        assert len(parley.feeds) == 1
    assert len(parley.feeds) == 0


async def test_a_sweep_finds_a_change_whose_hint_was_lost(other: Process, parley: Parley, alice: Viewer) -> None:
    async with open_session(other.feeds) as reader:
        await reader.until("heartbeat")
        await post_comment(parley, alice, "hello")
        await other.feeds.sweep()
        assert (await reader.until("create.success")).model["body"] == "hello"


async def test_a_sweep_finds_a_change_that_the_read_of_the_first_head_missed(
    other: Process, parley: Parley, alice: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comment is posted, and the sweep runs, while the result of that read is on its way."""
    heads, arrived = other.reader.heads, asyncio.Event()

    async def late(topics: Sequence[Topic]) -> Any:
        found = await heads(topics)
        monkeypatch.setattr(other.reader, "heads", heads)
        await post_comment(parley, alice, "hello")
        await other.feeds.sweep()
        arrived.set()
        return found

    monkeypatch.setattr(other.reader, "heads", late)
    async with open_session(other.feeds) as reader:
        await reader.until("heartbeat")
        assert arrived.is_set()
        assert (await reader.until("create.success")).model["body"] == "hello"


async def test_a_sweep_that_finds_nothing_reads_no_rows(other: Process, parley: Parley, alice: Viewer) -> None:
    await post_comment(parley, alice, "hello")
    async with open_session(other.feeds) as reader:
        await reader.until("heartbeat")
        reads = other.reader.reads
        await other.feeds.sweep()
        assert other.reader.reads == reads


async def test_a_sweep_compares_every_topic(
    other: Process, parley: Parley, alice: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep compares topics in groups, and every topic is in a group."""
    monkeypatch.setattr("app.live.read.feeds.TOPICS_PER_STATEMENT", 2)
    topics = [Topic("Article", str(number)) for number in range(5)]
    async with open_session(other.feeds, *topics) as reader:
        await reader.until("heartbeat")
        for topic in topics:
            await post_comment(parley, alice, topic.id, topic)
        await other.feeds.sweep()
        assert {(await reader.until("create.success")).model["body"] for _ in topics} == {topic.id for topic in topics}


async def test_a_sweep_finds_a_new_epoch_though_no_head_has_moved(
    other: Process, parley: Parley, alice: Viewer
) -> None:
    async with open_session(other.feeds) as reader:
        await reader.until("heartbeat")
        await parley.renew_epoch()
        await other.feeds.sweep()
        assert (await reader.until("reset")).json()["reason"] == "epoch"


async def test_a_hint_of_a_change_that_does_not_exist_hides_no_later_change(
    other: Process, parley: Parley, alice: Viewer
) -> None:
    async with open_session(other.feeds) as reader:
        await reader.until("heartbeat")
        for seq, body in ((10**9, "one"), (10**9, "two")):
            other.feeds.hint(Hint(Gid("Comment", "1"), ARTICLE, seq))
            await wait_until(lambda: other.feeds[ARTICLE]._reading is None, "the end of the read that the hint caused")
            comment = await post_comment(parley, alice, body)
            other.feeds.hint(Hint(Gid("Comment", str(comment.id)), ARTICLE, comment.seq))
            assert (await reader.until("create.success")).model["body"] == body


async def test_a_hint_of_a_change_that_was_read_before_costs_no_read(parley: Parley, alice: Viewer) -> None:
    comment = await post_comment(parley, alice, "hello")
    await wait_until(lambda: parley.hints.flowing, "Redis, whose subscription makes the feeds read")
    async with open_session(parley.feeds) as reader:
        await reader.until("heartbeat")
        reads = parley.reader.reads
        parley.feeds.hint(Hint(Gid("Comment", str(comment.id)), ARTICLE, 1))
        assert not parley.feeds[ARTICLE].dirty
        assert parley.reader.reads == reads


async def test_a_sweep_retries_a_read_that_failed(
    other: Process, parley: Parley, alice: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_session(other.feeds) as reader:
        await reader.until("heartbeat")
        await post_comment(parley, alice, "hello")
        with monkeypatch.context() as broken:
            broken.setattr(other.reader, "news", _fails)
            await other.feeds[ARTICLE].refresh()
        assert other.feeds[ARTICLE].dirty
        await other.feeds.sweep()
        assert (await reader.until("create.success")).model["body"] == "hello"


async def _fails(*_: object, **__: object) -> None:
    raise ConnectionError("the database is away")


@pytest.mark.both_databases
async def test_a_head_that_decreases_is_a_new_epoch_for_everybody(
    other: Process, parley: Parley, alice: Viewer
) -> None:
    for number in range(3):
        await post_comment(parley, alice, f"number {number}")
    async with (
        open_session(parley.feeds) as here,
        open_session(other.feeds) as there,
        open_session(other.feeds) as again,
    ):
        for reader in (here, there, again):
            old = (await reader.until("heartbeat")).id
        await _rewind(parley, ARTICLE, 1)
        await asyncio.gather(parley.feeds.sweep(), other.feeds.sweep())
        for reader in (here, there, again):
            reset = await reader.until("reset")
            assert reset.json() == {"topics": ["Article/1"], "reason": "epoch"}
            assert reset.id != old
        ids = {reader.position for reader in (here, there, again)}
        assert len(ids) == 1, "all sessions get the same new epoch"


async def _rewind(parley: Parley, topic: Topic, seq: int) -> None:
    async with parley.database.transaction() as session, session.begin():
        name = {"topic": str(topic), "seq": seq}
        await session.execute(text("DELETE FROM comments WHERE topic = :topic AND seq > :seq"), name)
        await session.execute(text("UPDATE topics SET seq = :seq WHERE name = :topic"), name)


async def test_sessions_below_the_backlog_share_one_read(
    parley: Parley, alice: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunks: list[int] = []
    read = parley.reader.chunk

    async def counted(topic: Topic, start: int, *rest: Any, **options: Any) -> Chunk | None:
        chunks.append(start)
        return await read(topic, start, *rest, **options)

    monkeypatch.setattr(parley.reader, "chunk", counted)
    async with open_session(parley.feeds) as reader:
        beginning = (await reader.until("heartbeat")).id or ""
    for number in range(6):
        await post_comment(parley, alice, f"number {number}")
    async with AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(open_session(parley.feeds, cursors=[beginning])) for _ in range(20)]
        for late in readers:
            bodies = [(await late.until("create.success")).model["body"] for _ in range(6)]
            assert bodies == [f"number {number}" for number in range(6)]
        assert chunks == [0]


async def test_a_chunk_that_no_session_used_since_the_last_sweep_is_forgotten(parley: Parley, alice: Viewer) -> None:
    async with open_session(parley.feeds) as reader:
        beginning = (await reader.until("heartbeat")).id or ""
    await post_comment(parley, alice, "hello")
    async with open_session(parley.feeds, cursors=[beginning]) as late, open_session(parley.feeds) as level:
        await level.until("heartbeat")
        await late.until("create.success")
        chunks = parley.feeds._chunks
        chunks.forget_unwanted()
        assert chunks, "a session has just used it"
        chunks.forget_unwanted()
        assert not chunks


async def cursor_before_comments(parley: Parley, author: Viewer, topics: Sequence[Topic]) -> str:
    """The cursor of these topics from before a comment was posted to each of them, in turn."""
    async with open_session(parley.feeds, *topics) as reader:
        beginning = (await reader.until("heartbeat")).id or ""
    for topic in topics:
        await post_comment(parley, author, topic.id, topic)
    return beginning


async def test_all_chunks_of_a_process_are_bounded_in_bytes(
    parley: Parley, alice: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.live.read.chunks.MAX_CACHED_BYTES", 1)
    topics = [Topic("Article", str(number)) for number in range(4)]
    beginning = await cursor_before_comments(parley, alice, topics)
    async with open_session(parley.feeds, *topics, cursors=[beginning]) as late:
        assert {(await late.until("create.success")).model["body"] for _ in topics} == {topic.id for topic in topics}
        assert len(parley.feeds._chunks) == 1, "each read drops the chunks before it"


async def test_few_sessions_use_a_chunk_at_once(parley: Parley, alice: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.live.pacing.MAX_CHUNK_USERS", 2)
    topics = [Topic("Article", str(number)) for number in range(6)]
    beginning = await cursor_before_comments(parley, alice, topics)
    get, counts, users = Feed.chunk, list[int](), 0

    async def counted(*args: Any) -> Chunk:
        nonlocal users
        users += 1
        counts.append(users)
        await asyncio.sleep(0.01)
        try:
            return await get(*args)
        finally:
            users -= 1

    monkeypatch.setattr(Feed, "chunk", counted)
    async with AsyncExitStack() as stack:
        late = [await stack.enter_async_context(open_session(parley.feeds, one, cursors=[beginning])) for one in topics]
        found = await asyncio.gather(*(reader.until("create.success") for reader in late))
    assert [block.model["body"] for block in found] == [topic.id for topic in topics]
    assert max(counts) == 2


async def test_a_sweep_drops_the_oldest_chunks_when_runs_have_made_them_too_large(
    parley: Parley, alice: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.live.stream.session.FIRST_BATCH_BYTES", 0)  # runs begin after the first change
    topics = [Topic("Article", str(number)) for number in range(3)]
    beginning = await cursor_before_comments(parley, alice, topics * 2)
    async with open_session(parley.feeds, *topics, cursors=[beginning]) as late:
        for _ in topics * 2:
            await late.until("create.success")
        chunks = parley.feeds._chunks
        assert len(chunks) == len(topics)
        kept = [cached.chunk for here in chunks._cached.values() for cached in here.values()]
        monkeypatch.setattr("app.live.read.chunks.MAX_CACHED_BYTES", sum(chunk.size for chunk in kept if chunk) - 1)
        await parley.feeds.sweep()
        assert len(chunks) == len(topics) - 1


async def test_chunks_of_a_topic_without_sessions_are_forgotten(parley: Parley, alice: Viewer) -> None:
    async with open_session(parley.feeds) as reader:
        beginning = (await reader.until("heartbeat")).id or ""
    await post_comment(parley, alice, "hello")
    async with open_session(parley.feeds, cursors=[beginning]) as late:
        await late.until("create.success")
        assert parley.feeds._chunks
    assert not parley.feeds._chunks


async def test_a_chunk_is_forgotten_when_its_topic_changes(parley: Parley, alice: Viewer) -> None:
    async with open_session(parley.feeds) as reader:
        beginning = (await reader.until("heartbeat")).id or ""
    comment = await post_comment(parley, alice, "a secret")
    async with open_session(parley.feeds, cursors=[beginning]) as first, open_session(parley.feeds) as second:
        await first.until("create.success")
        await second.until("heartbeat")
        await edit_comment(parley, alice, comment, "nothing")
        await second.until("update.success")
        async with open_session(parley.feeds, cursors=[beginning]) as third:
            assert (await third.until("create.success")).model["body"] == "nothing"
