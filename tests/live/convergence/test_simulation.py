"""Hundreds of simulated histories lose no change, and they do reveal planted bugs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from app.live.read.feeds import Feed, Feeds
from app.live.read.reader import News, Reader
from app.live.stream.session import Session
from app.live.topics import Topic
from tests.live.convergence.simulation import (
    ACTIONS,
    PAUSES,
    World,
    in_memory,
    read_changes,
    read_heads,
    run_history,
)

HISTORIES = 400  # of forty steps each
MAX_HISTORIES_TO_REVEAL = 2_000  # for a planted bug


@pytest.fixture(autouse=True)
def no_logging(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Each simulated fault would be logged, and nobody reads the log of a thousand histories."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("first", range(0, HISTORIES, 100))
def test_every_browser_catches_up_in_every_history(first: int, seed: int) -> None:
    for history in range(first, first + 100):
        run_history(seed + history)


def test_the_same_seed_gives_the_same_history() -> None:
    assert list_blocks(7) == list_blocks(7) != list_blocks(8)


def list_blocks(seed: int) -> list[Any]:
    with in_memory():
        world = World(seed)
        for _ in range(60):
            getattr(world, world.chance.choice(ACTIONS))()
            world.wait(world.chance.choice(PAUSES))
        seen = [[(block.id, block.event, block.data) for block in browser.seen] for browser in world.browsers]
        world.end()
    return seen


class Life(RuleBasedStateMachine):
    """All events, for hypothesis to search for an order that breaks a promise, and to shorten it."""

    @initialize(seed=st.integers(0, 2**16))
    def begin(self, seed: int) -> None:
        self.memory = in_memory()
        self.memory.__enter__()
        self.world = World(seed)

    @rule(action=st.sampled_from(sorted(set(ACTIONS) - {"redis_is_back", "database_is_back"})))
    def act(self, action: str) -> None:
        getattr(self.world, action)()

    @precondition(lambda self: self.world.store.away)
    @rule()
    def the_database_is_back(self) -> None:
        self.world.database_is_back()

    @precondition(lambda self: not all(process.hints_flow for process in self.world.processes))
    @rule()
    def redis_is_back(self) -> None:
        self.world.redis_is_back()

    @rule(seconds=st.sampled_from(sorted(set(PAUSES))))
    def time_passes(self, seconds: float) -> None:
        self.world.wait(seconds)

    def teardown(self) -> None:
        try:
            self.world.settle()
        finally:
            self.world.end()
            self.memory.__exit__(None, None, None)


def test_hypothesis_finds_no_order_of_events_that_breaks_a_promise() -> None:
    run_state_machine_as_test(Life, settings=settings(max_examples=60, stateful_step_count=40, deadline=None))


# -- planted bugs ---------------------------------------------------------------------------------------------


def find_failure(**parts: Any) -> str:
    """The error of the first history that reveals the bug; fail if none of `MAX_HISTORIES_TO_REVEAL` does."""
    for seed in range(MAX_HISTORIES_TO_REVEAL):
        try:
            run_history(seed, **parts)
        except AssertionError as broken:
            return str(broken)
    pytest.fail("no history revealed the bug")


class FeedThatReadsOnce(Feed):
    def request_read(self) -> None:
        if not self._reading:
            super().request_read()


class FeedsThatReadOnce(Feeds):
    """A hint that arrives during a read causes no second read."""

    def open(self, topic: Topic) -> Feed:
        return FeedThatReadsOnce(topic, self._reader, self._chunks, self._tasks, self._bounds)

    async def sweep(self) -> None:
        """Run every fourth sweep only, so that sweeps do not hide the missed hints in time."""
        self.swept = getattr(self, "swept", 0) + 1
        if self.swept % 4 == 0:
            await super().sweep()


class ReaderThatSkips(Reader):
    """Reports a head that is one change further than the changes that it read."""

    async def news(self, *args: Any, **options: Any) -> News | None:
        news = await super().news(*args, **options)
        return News(news.epoch, news.head, news.changes[:-1]) if news and news.changes else news


class ReaderOfRowsBeforeTheCounter(Reader):
    """Reads the rows first, and then the counter, which may have moved meanwhile."""

    async def news(self, topic: Topic, epoch: str | None, head: int | None, most: int, *_: Any, **__: Any) -> News:
        models = [live for live in self._models if live.lives_on(topic)]

        async def read(connection: Any) -> Any:
            changes, _ = await read_changes(connection, models, topic, head or 0, 2**62, most + 1)
            return changes, *await read_heads(connection, [topic])

        changes, now, heads = await self._database.read(read)
        return News(now, heads[topic], changes if (now, len(changes) <= most) == (epoch, True) else None)


class SessionThatWaitsWithoutChecking(Session):
    """Waits some time after its last check for news, and misses the news that arrive between."""

    async def _wait(self) -> None:
        await asyncio.sleep(0.05)  # without it, one history of two thousand shows the bug
        await super()._wait()


class SessionThatTrustsItsCursor(Session):
    """Accepts a cursor of another history."""

    def _reset(self, *_: Any) -> bytes:
        return b""


class SessionThatSkipsBelowTheBacklog(Session):
    """Continues from the backlog though it should read the database."""

    def _collect_from_memory(self) -> tuple[bytes, bool]:
        for cursor in self._topic_cursors:
            cursor.seq = max(cursor.seq, cursor.feed.backlog.floor)
        return super()._collect_from_memory()


@pytest.mark.parametrize(
    "parts",
    [
        {"feeds": FeedsThatReadOnce},
        {"reader": ReaderThatSkips},
        {"reader": ReaderOfRowsBeforeTheCounter},
        {"session": SessionThatWaitsWithoutChecking},
        {"session": SessionThatTrustsItsCursor},
        {"session": SessionThatSkipsBelowTheBacklog},
    ],
    ids=lambda parts: next(iter(parts.values())).__name__,
)
def test_a_planted_bug_is_revealed(parts: dict[str, Any]) -> None:
    assert find_failure(**parts)
