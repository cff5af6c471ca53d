"""A simulation: the real feeds, sessions and readers, with a number as the clock and a dictionary as the database.

An hour of a busy service takes a moment, and the same seed gives the same hour. The seed decides how long each read and
each hint takes, which hints are lost, doubled or reordered, which clients read slowly, connect and disconnect, which
process is killed, when Redis or the database is unavailable, and when the database is restored from a backup.

1. Only I/O takes time, and callbacks run in the order in which they became ready, as asyncio promises. So every
   simulated history could happen in production.
2. `read_heads`, `read_table` and `read_changes` have all statements of feeds. Here they read dictionaries, each
   statement at a time of its own. Everything above them is the service's own code. Articles have two tables, pages one.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
from collections import UserDict, deque
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, TypeVarTuple
from unittest import mock
from uuid import UUID

from app.live.cursors import write_cursor
from app.live.gids import Gid
from app.live.hints import Hint
from app.live.model import LiveModel
from app.live.read.changes import Changes, encode
from app.live.read.feeds import Feeds
from app.live.read.reader import Reader
from app.live.stream.session import Session
from app.live.topics import Topic
from app.live.viewers import GUEST, Kind, Viewer
from tests.live.convergence.replicas import Replica, Rows

R = TypeVar("R")
Ts = TypeVarTuple("Ts")

SWEEP_SECONDS = 5.0
LATENCIES = (0.0, 0.001, 0.004, 0.05)  # seconds of a statement or a hint
TABLES = ("comment", "note")


# -- the clock ------------------------------------------------------------------------------------------------


class Loop(asyncio.AbstractEventLoop):
    """An event loop that never waits: if no callback is ready, its clock jumps to the next timer."""

    def __init__(self) -> None:
        self.errors: list[dict[str, Any]] = []
        self._now = 0.0
        self._ready: deque[asyncio.Handle] = deque()
        self._due: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._number = itertools.count()

    def run_for(self, seconds: float) -> None:
        """Let this much time pass."""
        self._run(self._now + seconds, lambda: False)

    def run(self, work: Coroutine[Any, Any, R], within: float = 60) -> R:
        """Run a coroutine to its end; fail if it takes more than `within` simulated seconds."""
        task = self.create_task(work)
        self._run(self._now + within, task.done)
        assert task.done(), f"still running after {within:g} simulated seconds: {task}"
        return task.result()

    def _run(self, until: float, done: Callable[[], bool]) -> None:
        outer = asyncio._get_running_loop()
        asyncio._set_running_loop(None)
        asyncio._set_running_loop(self)
        try:
            while not done() and self._step(until):
                pass
        finally:
            asyncio._set_running_loop(outer)

    def _step(self, until: float) -> bool:
        """Run one callback. If there is none before `until`, move the clock there and return False."""
        while not self._ready:
            if not self._due or self._due[0][0] > until:
                self._now = until
                return False
            when, _, timer = heapq.heappop(self._due)
            if not timer.cancelled():
                self._now = max(self._now, when)
                self._ready.append(timer)
        handle = self._ready.popleft()
        if not handle.cancelled():
            handle._run()
        return True

    def time(self) -> float:
        return self._now

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._due, (when, next(self._number), handle))
        return handle

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Generator[Any, None, R] | Coroutine[Any, Any, R],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[R]:
        return asyncio.Task(coro, loop=self, name=name, context=context)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.errors.append(context)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        pass

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False


# -- the database ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """The latest state of one object. It is immutable, so a copy of the dictionary is a copy of the table."""

    table: str
    id: UUID
    topic: str
    author_id: UUID
    text: str
    seq: int
    created_seq: int
    hidden: bool = False
    deleted_at: float | None = None

    def tombstone(self) -> dict[str, Any]:
        type_, _, id_ = self.topic.partition("/")
        where = {"commentable_type": type_, "commentable_id": id_}
        return {"id": str(self.id), **where, "seq": self.seq, "created_seq": self.created_seq}


def render(row: Row) -> dict[str, Any]:
    return {**row.tombstone(), "text": row.text, "yours": False}


def visible(row: Row, kind: Kind) -> bool:
    return kind is not Kind.PUBLIC or not row.hidden


def is_article(topic: Topic) -> bool:
    return topic.type == "Article"


MODELS = (
    LiveModel("comment", type("Comment", (Row,), {}), render, visible, for_author={"yours": True}),
    LiveModel("note", type("Note", (Row,), {}), render, visible, is_article, for_author={"yours": True}),
)


@dataclass
class Tables:
    """The content of the database that a backup contains."""

    counters: dict[str, int] = field(default_factory=dict)
    rows: dict[UUID, Row] = field(default_factory=dict)

    def copy(self) -> Tables:
        return Tables(dict(self.counters), dict(self.rows))


class Store:
    """A distant database: each statement takes some time, and reads the state at one moment."""

    def __init__(self, chance: random.Random) -> None:
        self.epoch = "first"
        self.tables = Tables()
        self.away = False
        self.chance = chance

    async def read(self, work: Callable[[Connection], Awaitable[R]]) -> R:
        return await work(Connection(self))

    def transaction(self) -> Connection:
        return Connection(self)


class Connection:
    """The part of a Database that `app.live.read.reader` uses. A restore breaks all connections."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._tables = store.tables

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    def begin(self) -> Connection:
        return self

    async def statement(self) -> None:
        await asyncio.sleep(self.store.chance.choice(LATENCIES))
        if self.store.away or self.store.tables is not self._tables:
            raise ConnectionError("the database is unavailable")


async def read_heads(reading: Connection, topics: Sequence[Topic]) -> tuple[str, dict[Topic, int]]:
    await reading.statement()
    store = reading.store
    return store.epoch, {topic: store.tables.counters.get(str(topic), 0) for topic in topics}


async def renew_epoch(writing: Connection, old: str, new: str) -> str:
    await writing.statement()
    store = writing.store
    store.epoch = new if store.epoch == old else store.epoch
    return store.epoch


async def read_table(
    reading: Connection, live: LiveModel, topic: Topic, after: int, most: int
) -> tuple[str, int, Changes]:
    epoch, heads = await read_heads(reading, [topic])
    h = heads[topic]
    rows = find_rows(reading.store, live, topic, after) if h - after <= most else []
    return epoch, h, Changes(encode(live, row) for row in rows)  # type: ignore[arg-type]


async def read_changes(
    reading: Connection, models: Sequence[LiveModel], topic: Topic, after: int, upto: int, limit: int
) -> tuple[Changes, int]:
    found, reached = [], upto
    for live in models:
        await reading.statement()
        rows = [row for row in find_rows(reading.store, live, topic, after) if row.seq <= upto][:limit]
        found += [(live, row) for row in rows]
        if len(rows) == limit:
            reached = min(reached, rows[-1].seq)
    found.sort(key=lambda pair: pair[1].seq)
    return Changes(encode(live, row) for live, row in found if row.seq <= reached), reached  # type: ignore[arg-type]


def find_rows(store: Store, live: LiveModel, topic: Topic, after: int) -> list[Row]:
    """The rows of a table above a seq, at this moment."""
    mine = (row for row in store.tables.rows.values() if row.table == live.name and row.topic == str(topic))
    return sorted((row for row in mine if row.seq > after), key=lambda row: row.seq)


@contextmanager
def in_memory() -> Iterator[None]:
    """Let the reader's statements read a Store. Sessions send runs early, as they do far behind."""
    statements: dict[str, Any] = {"read_heads": read_heads, "read_changes": read_changes}
    with (
        mock.patch.multiple("app.live.read.reader", renew_epoch=renew_epoch, **statements),
        mock.patch.multiple("app.live.read.changes", read_table=read_table, **statements),
        mock.patch("app.live.stream.session.FIRST_BATCH_BYTES", 0),
    ):
        yield


# -- the people -----------------------------------------------------------------------------------------------


@dataclass
class Process:
    """A server process: its feeds, and whether it receives hints from Redis."""

    feeds: Feeds
    sweeping: asyncio.Task[None]
    hints_flow: bool = True


class Browser(Replica):
    """A replica that loads its snapshot from the store."""

    def __init__(self, store: Store, topic: Topic, viewer: Viewer, session: type[Session]) -> None:
        super().__init__(topic, viewer, session)
        self.process: Process | None = None  # the process of its current or last stream
        self._store = store

    async def load(self, process: Any, around: UUID | None = None) -> None:
        self.position, self.rows = snapshot(self._store, self.topic, self.viewer)
        self._oldest = 0

    @property
    def connected(self) -> bool:
        return self._task is not None and not self._task.done()

    def connect(self, process: Any, erased: Mapping[UUID, int]) -> None:
        if not self.connected:
            self._task, self.process = None, process
            super().connect(process, Erased(erased, self._store, process, self.topic))


class Erased(UserDict[UUID, int]):
    """The erased rows that a feed can know of: none after a restore, until the feed knows the new epoch."""

    def __init__(self, erased: Mapping[UUID, int], store: Store, process: Process, topic: Topic) -> None:
        super().__init__()
        self.data = erased  # type: ignore[assignment]  # shared, and growing
        self._knows: Callable[[], bool] = lambda: process.feeds[topic].epoch == store.epoch

    def items(self) -> Any:
        return self.data.items() if self._knows() else ()


def snapshot(store: Store, topic: Topic, viewer: Viewer) -> tuple[str, Rows]:
    """(the cursor, the rows as this viewer gets them), both of the same moment."""
    live = [row for row in store.tables.rows.values() if row.topic == str(topic) and row.deleted_at is None]
    kinds = [(row, viewer.kind(row.author_id)) for row in live]
    rows = [(row, {**render(row), "yours": kind is Kind.AUTHOR}) for row, kind in kinds if visible(row, kind)]
    shown = {(row.table, str(row.id)): rendered for row, rendered in rows}
    return write_cursor(store.epoch, {topic: store.tables.counters.get(str(topic), 0)}), shown


class World:
    """Processes on one store, people who watch two topics, and all events that can happen to them."""

    def __init__(
        self, seed: int, *, feeds: type[Feeds] = Feeds, session: type[Session] = Session, reader: type[Reader] = Reader
    ) -> None:
        self.loop = Loop()  # type: ignore[abstract]  # only typeshed declares these methods abstract
        self.chance = random.Random(seed)
        random.seed(seed)  # the service itself uses this generator for jitter
        self.store = Store(self.chance)
        self.topics = [Topic("Article", "1"), Topic("Page", "about")]
        self.authors = [UUID(int=number) for number in (1, 2)]
        people = [GUEST, *(Viewer(id_, str(id_.int)) for id_ in self.authors), Viewer(UUID(int=9), "9", moderator=True)]
        self._parts = (feeds, reader)
        self._ids = itertools.count(1)
        self._backup = self.store.tables.copy()
        self._erased: dict[UUID, int] = {}
        self.processes = [self._start() for _ in range(2)]
        self.browsers = [Browser(self.store, topic, viewer, session) for topic in self.topics for viewer in people]
        for browser in self.browsers:
            self.loop.run(browser.load(None))

    # -- events -------------------------------------------------------------------------------------------------

    def write(self) -> None:
        """Somebody creates, changes, hides, shows or deletes an object."""
        topic = str(self.chance.choice(self.topics))
        seq = self.store.tables.counters[topic] = self.store.tables.counters.get(topic, 0) + 1
        mine = [row for row in self.store.tables.rows.values() if row.topic == topic and row.deleted_at is None]
        if not mine or self.chance.random() < 0.4:
            id_, author = UUID(int=next(self._ids)), self.chance.choice(self.authors)
            table = self.chance.choice(TABLES) if topic.startswith("Article") else "comment"
            row = Row(table, id_, topic, author, f"text {seq}", seq, seq)
        else:
            row = replace(self.chance.choice(mine), seq=seq, text=f"text {seq}")
            row = self.chance.choice((
                row,
                replace(row, hidden=not row.hidden),
                replace(row, text="", deleted_at=self.loop.time()),
            ))  # fmt: skip
        self.store.tables.rows[row.id] = row
        if row.deleted_at is not None:
            self._erased[row.id] = seq
        self._publish(Hint(Gid(row.table.title(), str(row.id)), Topic.parse(topic), seq))

    def _publish(self, hint: Hint) -> None:
        """Deliver a hint to each process. Some hints are lost, some are late, doubled or reordered."""
        for process in self.processes:
            for _ in range(self.chance.choice((0, 1, 1, 2)) if process.hints_flow else 0):
                self.loop.call_later(self.chance.choice(LATENCIES), process.feeds.hint, hint)

    def connect(self) -> None:
        self._connect(self.chance.choice(self.browsers))

    def _connect(self, browser: Browser) -> None:
        self._in_loop(lambda: browser.connect(self.chance.choice(self.processes), self._erased))

    def disconnect(self) -> None:
        self.loop.run(self.chance.choice(self.browsers).disconnect())

    def stall(self) -> None:
        """Somebody reads nothing for a while."""
        self._in_loop(self.chance.choice(self.browsers).may_read.clear)

    def go_on(self) -> None:
        self._in_loop(self.chance.choice(self.browsers).may_read.set)

    def redis_breaks(self) -> None:
        self.chance.choice(self.processes).hints_flow = False

    def redis_is_back(self) -> None:
        for process in self.processes:
            if not process.hints_flow:
                process.hints_flow = True
                self._in_loop(process.feeds.resync)

    def database_breaks(self) -> None:
        self.store.away = True

    def database_is_back(self) -> None:
        self.store.away = False

    def kill(self) -> None:
        """A process ends with all its streams, and a new one replaces it."""
        number = self.chance.randrange(len(self.processes))
        killed = self.processes[number]
        for browser in self.browsers:
            if browser.process is killed:
                self.loop.run(browser.disconnect())
        self.loop.run(self._stop(killed))
        self.processes[number] = self._start()

    def back_up(self) -> None:
        self._backup = self.store.tables.copy()

    def restore(self) -> None:
        """Replace the database by the backup and set a new epoch, as docs/operating.md demands."""
        self.store.tables = self._backup.copy()
        self.store.epoch = f"restored{next(self._ids)}"
        self._erased.clear()

    def wait(self, seconds: float) -> None:
        self.loop.run_for(seconds)

    # -- the end ------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Repair every fault, and check the promise: all replicas catch up within a sweep, and nothing is left over."""
        self.database_is_back()
        self.redis_is_back()
        for browser in self.browsers:
            self._in_loop(browser.may_read.set)
        self.wait(2 * 1.2 * SWEEP_SECONDS)  # for a sweep that has just failed, and the next one
        for browser in self.browsers:
            self._connect(browser)
        self.wait(1.2 * SWEEP_SECONDS)
        for browser in self.browsers:
            cursor, fresh = snapshot(self.store, browser.topic, browser.viewer)
            assert not browser.errors, browser.errors
            assert not browser.describe_difference(fresh), browser.describe_difference(fresh)
            assert browser.position == cursor, f"{browser.position} has not caught up with {cursor}"
        self.close()

    def close(self) -> None:
        for browser in self.browsers:
            self.loop.run(browser.disconnect())
        assert [len(process.feeds) for process in self.processes] == [0, 0], "a feed without sessions is open"
        for process in self.processes:
            self.loop.run(self._stop(process))
        assert not self.loop.errors, self.loop.errors

    def end(self) -> None:
        """Cancel all tasks, also after a failure."""
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_for(1)

    def _start(self) -> Process:
        feeds, reader = self._parts
        mine = feeds(reader(self.store, MODELS), ring_frames=4, ring_bytes=4_000)  # type: ignore[arg-type]
        process: Process
        task = self.loop.create_task(mine.keep_sweeping(SWEEP_SECONDS, lambda: process.hints_flow))
        process = Process(mine, task)
        return process

    async def _stop(self, process: Process) -> None:
        process.sweeping.cancel()
        await asyncio.wait([process.sweeping])
        await process.feeds.close()

    def _in_loop(self, act: Callable[[], None]) -> None:
        async def acting() -> None:
            act()

        self.loop.run(acting())


ACTIONS = (
    "write", "write", "write", "write", "connect", "connect", "connect", "disconnect", "stall", "go_on", "kill",
    "redis_breaks", "redis_is_back", "database_breaks", "database_is_back", "back_up", "restore",
)  # fmt: skip
PAUSES = (0.0, 0.0, 0.001, 0.003, 0.02, 0.7, 7.0)  # seconds between two actions


def run_history(seed: int, steps: int = 40, **parts: Any) -> None:
    """Run one random history, and raise AssertionError if it breaks a promise. The seed repeats the history."""
    with in_memory():
        world = World(seed, **parts)
        try:
            for _ in range(steps):
                getattr(world, world.chance.choice(ACTIONS))()
                world.wait(world.chance.choice(PAUSES))
            world.settle()
        except AssertionError as broken:
            broken.add_note(f"in the history of seed {seed}")
            raise
        finally:
            world.end()
