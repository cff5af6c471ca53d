"""A simulated cluster: many processes with the service's own feeds, readers and sweeps, on a virtual clock.

It counts the reads, sweeps and hints of each process. It does not simulate how much CPU they take: the other scenarios
measure that, and `million` multiplies.

1. A process is `Feeds` with its `Reader`, without sessions. The load that a process puts on the database and on Redis
   depends on the topics that it watches, and not on the number of sessions.
2. The database is a dictionary of counters. Statements and hints have a fixed delay.
3. A load balancer sends a session to any process, or by its topic (`affinity`: a hash of the topic selects a group of
   so many processes). A process receives all hints on one channel, or only the shards of its topics. With as many
   shards as groups, each group has its own channel.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from typing import TypeVar
from unittest import mock
from zlib import crc32

from app.live.gids import Gid
from app.live.hints import Hint
from app.live.model import LiveModel
from app.live.read.changes import Change, Changes
from app.live.read.feeds import Feeds
from app.live.read.reader import Reader
from app.live.topics import Topic
from app.live.viewers import GUEST, Viewer
from tests.live.convergence.simulation import Loop, Row

R = TypeVar("R")

STATEMENT = 0.001  # seconds
HINT = 0.0005  # seconds from a commit to another process
LIVE = LiveModel("comment", Row, None)  # type: ignore[arg-type]


@dataclass
class Counts:
    """The counts of the whole cluster."""

    reads: int = 0  # of a topic's new changes; each has three statements
    sweeps: int = 0  # statements that compare heads with counters
    swept: int = 0  # topics in these statements
    received: int = 0  # hints that reached a process
    useful: int = 0  # of these, the hints for a topic that the process watches


@dataclass
class Store:
    """The database: each topic's counter."""

    counters: dict[str, int] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)

    async def read(self, work: Callable[[Store], Awaitable[R]]) -> R:
        return await work(self)


async def read_heads(store: Store, topics: Sequence[Topic]) -> tuple[str, dict[Topic, int]]:
    await asyncio.sleep(STATEMENT)
    if len(topics) > 1:
        store.counts.sweeps += 1
        store.counts.swept += len(topics)
    return "only", {topic: store.counters.get(str(topic), 0) for topic in topics}


async def read_table(store: Store, live: LiveModel, topic: Topic, after: int, most: int) -> tuple[str, int, Changes]:
    epoch, heads = await read_heads(store, [topic])
    h = heads[topic]
    store.counts.reads += 1
    return epoch, h, Changes(Change(live, uuid.UUID(int=seq), seq, seq, None, {}) for seq in range(after + 1, h + 1))


@dataclass(eq=False)
class Watchers:
    """All sessions of a topic in one process."""

    topics: tuple[Topic, ...]
    viewer: Viewer = GUEST
    network: str | None = None

    def wake(self) -> None:
        pass

    def on_heartbeat_due(self) -> None:
        pass


@dataclass(frozen=True)
class Shape:
    """The size of a cluster. `affinity`: the number of processes for a topic's sessions; 0 for all processes."""

    processes: int
    topics: int
    sessions: int
    affinity: int = 0
    shards: int = 1


class Cluster:
    def __init__(self, shape: Shape, seed: int = 7) -> None:
        self.shape = shape
        self.loop = Loop()  # type: ignore[abstract]
        self.store = Store()
        self.chance = random.Random(seed)
        self.names = [Topic("Article", str(number)) for number in range(shape.topics)]
        self.processes = [Feeds(Reader(self.store, (LIVE,))) for _ in range(shape.processes)]  # type: ignore[arg-type]
        self.shards: list[set[int]] = [set() for _ in self.processes]  # that each process receives
        self.loads = [0] * shape.processes  # sessions

    def simulate(self, writes_a_second: float, seconds: float) -> Counts:
        """Count for so many seconds, after all sessions are connected. Writes select topics as sessions do."""
        with _in_memory():
            self._arrive()
            sweeping = [self.loop.create_task(feeds.keep_sweeping(5, lambda: True)) for feeds in self.processes]
            self.loop.run_for(10)
            self.store.counts = Counts()
            self._write(writes_a_second, seconds)
            self.loop.run_for(seconds)
            counts, self.store.counts = self.store.counts, Counts()
            for task in sweeping:
                task.cancel()
            for feeds in self.processes:
                self.loop.run(feeds.close())
            assert not self.loop.errors, self.loop.errors
        return counts

    def _arrive(self) -> None:
        """Connect all sessions. One watcher stands for all sessions of the same topic in the same process."""
        watched: list[set[int]] = [set() for _ in self.processes]
        for topic, sessions in Counter(self._some_topic() for _ in range(self.shape.sessions)).items():
            for number, here in Counter(self._place(topic, sessions) for _ in range(sessions)).items():
                watched[number].add(topic)
                self.loads[number] += here

        async def enter(feeds: Feeds, topics: set[int]) -> None:
            for topic in topics:
                feeds.enter(Watchers((self.names[topic],)))
                feeds[self.names[topic]].epoch, feeds[self.names[topic]].head = "only", 0

        for number, topics in enumerate(watched):
            self.shards[number] = {self._shard(topic) for topic in topics}
            self.loop.run(enter(self.processes[number], topics))

    def _some_topic(self) -> int:
        """The first of n topics is n times as popular as the last (Zipf's law, more or less)."""
        return min(int(self.shape.topics ** self.chance.random()) - 1, self.shape.topics - 1)

    def _place(self, topic: int, sessions: int) -> int:
        """A process for one of so many sessions at this topic."""
        if not self.shape.affinity:
            return self.chance.randrange(self.shape.processes)
        # A popular topic gets more processes, so that it is at most half of the load of each of them.
        even = self.shape.sessions / self.shape.processes
        spread = max(self.shape.affinity, ceil(sessions / (even / 2)))
        first = _hash(topic) % (self.shape.processes // self.shape.affinity) * self.shape.affinity
        return (first + self.chance.randrange(spread)) % self.shape.processes

    def _shard(self, topic: int) -> int:
        return _hash(topic) % self.shape.shards

    def _write(self, a_second: float, seconds: float) -> None:
        for _ in range(round(a_second * seconds)):
            self.loop.call_later(self.chance.uniform(0, seconds), self._commit, self._some_topic())

    def _commit(self, number: int) -> None:
        topic = self.names[number]
        seq = self.store.counters[str(topic)] = self.store.counters.get(str(topic), 0) + 1
        hint = Hint(Gid("Comment", str(uuid.UUID(int=seq))), topic, seq)
        shard = self._shard(number)
        for feeds, shards in zip(self.processes, self.shards, strict=True):
            if shard in shards:
                self.store.counts.received += 1
                self.store.counts.useful += self.names[number] in feeds._feeds
                self.loop.call_later(HINT * self.chance.uniform(0.5, 4), feeds.hint, hint)


def _hash(topic: int) -> int:
    return crc32(str(topic).encode())


@contextmanager
def _in_memory() -> Iterator[None]:
    with (
        mock.patch("app.live.read.reader.read_heads", read_heads),
        mock.patch("app.live.read.changes.read_table", read_table),
    ):
        yield
