"""Replicas of a topic, as browsers have them, and processes whose hints arrive when the test delivers them."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from math import inf
from typing import Any
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import select
from sqlalchemy.ext.asyncio import create_async_engine

from app.comments import threads
from app.comments.comments import COMMENT, Comment
from app.database import Database, Reading
from app.live.cursors import write_cursor
from app.live.hints import Hint
from app.live.lanes import Item, Outcome
from app.live.read.feeds import Feeds
from app.live.read.reader import Reader
from app.live.service import R, Read
from app.live.stream.poll import poll
from app.live.stream.session import Session
from app.live.tasks import Tasks
from app.live.topics import Topic
from app.live.viewers import GUEST, Viewer
from app.live.write.recording import Recording
from app.live.write.sequences import read_heads
from app.live.write.transaction import Store, Write, Writes
from app.models import LIVE_MODELS
from app.settings import Settings
from tests.live.note import NOTE, Note, NoteBase
from tests.support.people_without_http import create_viewer
from tests.support.session_reader import parts_of
from tests.support.sse import Block, Parser
from tests.support.waiting import cancel_tasks

MODELS = (*LIVE_MODELS, NOTE)
WINDOW_COMMENTS = 4  # that a replica loads first


async def add_notes(url: str) -> None:
    """Create the table of the second live model."""
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(NoteBase.metadata.create_all)
    await engine.dispose()


async def create_three_viewers(url: str) -> list[Viewer]:
    """A guest, Alice, Bob, and Carol, a moderator."""
    process: Any = Process(url)
    alice, bob, carol = [await create_viewer(process, name) for name in ("alice", "bob", "carol")]
    await process.close()
    return [GUEST, alice, bob, replace(carol, moderator=True)]


class Process:
    """The engine of one server process. Its hints go to `hints`, and arrive only when the test delivers them."""

    def __init__(self, url: str, *, reader: type[Reader] = Reader, database: type[Database] = Database) -> None:
        self.settings = Settings(_env_file=None, database_url=url)
        self.database = database(url)
        self.reader = reader(self.database, MODELS)
        self.feeds = Feeds(self.reader, ring_frames=4, ring_bytes=4_000)
        self.hints: list[Hint] = []  # of the writes of this process
        self.work = Tasks()
        self.writes = Writes(Recording(self.settings), self.database, MODELS, self.hints.append, self.work)

    def reading(self) -> AbstractAsyncContextManager[Reading]:
        return self.database.reading()

    def writing(self, *topics: Topic) -> AbstractAsyncContextManager[Write]:
        return self.writes.writing(*topics)

    async def read_together(self, read: Read[Item, Outcome], item: Item) -> Outcome:
        return (await self.database.read(lambda connection: read(connection, [item])))[0]

    async def write_together(self, store: Store[Item, Outcome], item: Item) -> Outcome:
        return await self.writes.write_together(store, item)

    async def own(self, work: Awaitable[R]) -> R:
        return await work

    async def close(self) -> None:
        await self.work.cancel()
        await self.feeds.close()
        await self.database.close()


Row = dict[str, Any]
Rows = dict[tuple[str, str], Row]


@dataclass(frozen=True)
class Snapshot:
    """A page for one viewer: the cursor, the rows, the ancestors of replies, and the ends of the window."""

    cursor: str
    rows: Rows
    ancestors: dict[str, Row]
    before: int | None
    after: int | None


async def load_snapshot(
    process: Process, topic: Topic, viewer: Viewer, limit: int, around: UUID | None = None
) -> Snapshot:
    """Load a page as the server does: read the counter before the rows."""
    async with process.reading() as reading:
        epoch, heads = await read_heads(reading, [topic])
        page = await threads.page(reading, viewer, topic, limit=limit, around=around)
        found = await reading.scalars(select(Note).where(Note.topic == str(topic), Note.deleted_at.is_(None)))
        notes = found.all()
    rows = [(COMMENT, comment) for comment in page.comments] + [(NOTE, note) for note in notes]
    kinds = [(live, row, viewer.kind(row.author_id)) for live, row in rows]
    shown = {
        (live.name, str(row.id)): plain_row(live.render_for(row, kind))
        for live, row, kind in kinds
        if live.visible(row, kind)
    }
    above = {str(row.id): plain_row(threads.render_ancestor(row, viewer)) for row in page.ancestors}
    return Snapshot(write_cursor(epoch, heads), shown, above, page.before, page.after)


async def snapshot(process: Process, topic: Topic, viewer: Viewer) -> tuple[str, Rows]:
    """(the cursor, all rows as this viewer gets them)."""
    seen = await load_snapshot(process, topic, viewer, 1_000)
    return seen.cursor, seen.rows


async def load_ancestors(process: Process, viewer: Viewer, ids: Iterable[str]) -> dict[str, Row]:
    """These comments as this viewer gets them, or their tombstones."""
    async with process.reading() as reading:
        found = (await reading.scalars(select(Comment).where(Comment.id.in_(map(UUID, ids))))).all()
    return {str(row.id): plain_row(threads.render_ancestor(row, viewer)) for row in found}


class Pipe:
    """The outlet of a session, and its blocks in the order in which they leave, by the generator or by the outlet.

    A response sends them to a client in the same way, and the client may read slowly. `next` also returns the result
    of `observe` at the moment at which the block left.
    """

    MAX_BLOCKS = 2

    def __init__(self, session: Session, observe: Callable[[], Any]) -> None:
        self.free = True
        self._observe = observe
        self._held: deque[tuple[bytes, Any]] = deque()
        self._changed = asyncio.Event()
        self._filling = asyncio.create_task(self._fill(session.stream(self)))

    def put(self, block: bytes) -> bool:
        self._held.append((block, self._observe()))
        self.free = len(self._held) < self.MAX_BLOCKS
        self._changed.set()
        return self.free

    async def next(self) -> tuple[bytes, Any]:
        await self._wait_for(lambda: self._held or self._filling.done())
        if not self._held:
            self._filling.result()
            raise StopAsyncIteration
        taken = self._held.popleft()
        self.free = True
        self._changed.set()
        return taken

    async def close(self) -> None:
        await cancel_tasks(self._filling)

    async def _fill(self, stream: AsyncGenerator[bytes]) -> None:
        try:
            async for block in stream:
                await self._wait_for(lambda: self.free)
                if block:
                    self.put(block)
        finally:
            self._changed.set()
            await stream.aclose()

    async def _wait_for(self, true: Callable[[], Any]) -> None:
        while not true():
            self._changed.clear()
            await self._changed.wait()


class Replica:
    """The state of one browser: rows by model and id, the ancestors of replies, and the position in the stream."""

    def __init__(self, topic: Topic, viewer: Viewer, session: type[Session] = Session) -> None:
        self.topic = topic
        self.viewer = viewer
        self.rows: Rows = {}
        self.ancestors: dict[str, Row] = {}
        self.position: str | None = None
        self.resets = 0
        self.seen: list[Block] = []
        self.errors: list[str] = []
        self.may_read = asyncio.Event()
        self.may_read.set()
        self._oldest: float = 0
        self._newest: float = inf
        self._session = session
        self._task: asyncio.Task[None] | None = None

    async def load(self, process: Process, around: UUID | None = None) -> None:
        """Open the page: load its newest comments or those around one, with their cursor."""
        seen = await load_snapshot(process, self.topic, self.viewer, WINDOW_COMMENTS, around)
        self.position, self.rows, self.ancestors = seen.cursor, seen.rows, seen.ancestors
        self._oldest, self._newest = seen.before or 0, seen.after or inf

    def connect(self, process: Process, erased: Mapping[UUID, int]) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._follow(process, erased))

    async def disconnect(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            await cancel_tasks(task)

    def _open_session(self, process: Process, *, once: bool) -> Session:
        async def authorise() -> Viewer:
            return self.viewer

        cursors = [self.position] if self.position else []
        options = {"authorise": authorise, "heartbeat": 60, "once": once, **parts_of(process.feeds)}
        return self._session(process.feeds, [self.topic], self.viewer, cursors, **options)

    async def _follow(self, process: Process, erased: Mapping[UUID, int]) -> None:
        session = self._open_session(process, once=False)
        # If the feed knows at the time when a block leaves that a row was erased, no later block may contain the row.
        pipe = Pipe(session, observe=lambda: _gone(process, self.topic, erased))
        parser = Parser()
        try:
            while True:
                await self.may_read.wait()
                chunk, gone = await pipe.next()
                for block in parser.feed(chunk):
                    await self._handle(block, process, gone)
        except StopAsyncIteration:
            pass
        finally:
            await pipe.close()

    async def _handle(self, block: Block, process: Process, gone: Mapping[str, int]) -> None:
        self.seen.append(block)
        if block.event == "reset":
            self.resets += 1
            await self.load(process)
        if block.event.startswith("global."):
            self._merge(block, gone)
            await self._complete(process)
        self.position = block.id or self.position

    def _merge(self, block: Block, gone: Mapping[str, int]) -> None:
        _, name, verb, _ = block.event.split(".")
        row = block.model
        key = name, row["id"]
        if verb == "destroy":
            self._delete(key, row)
            return
        if row["seq"] < gone.get(row["id"], 0):
            self.errors.append(f"{row} was sent after it was erased")
        if "likes_count" in row and "body" not in row:  # a partial update of a comment that may not be in the replica
            known = self.rows.get(key) or self.ancestors.get(row["id"])
            if known is None or row["seq"] <= known["seq"]:
                return
            row = known | row
        if name != "comment" or self._oldest <= row["created_seq"] <= self._newest:
            self._update(key, row)
        elif row["id"] in self.ancestors and row["seq"] > self.ancestors[row["id"]]["seq"]:
            self.ancestors[row["id"]] = row

    def _update(self, key: tuple[str, str], row: Row) -> None:
        known = self.rows.get(key) or self.ancestors.get(key[1])
        if known is None or row["seq"] > known["seq"]:
            self.rows[key] = row
            self.ancestors.pop(key[1], None)

    def _delete(self, key: tuple[str, str], row: Row) -> None:
        """Remove a row, but keep a tombstone of a comment that has replies in the window."""
        known = self.rows.get(key) or self.ancestors.get(key[1])
        if known is None or known["seq"] >= row["seq"]:
            return
        self.rows.pop(key, None)
        if key[0] == "comment" and key[1] in self.wanted():
            self.ancestors[key[1]] = {**row, **{name: known[name] for name in ("parent_id", "path")}, "deleted": True}

    async def _complete(self, process: Process) -> None:
        """Load missing ancestors of replies. They may be newer than the position of the stream."""
        missing = self.wanted() - self.ancestors.keys()
        for id_, row in (await load_ancestors(process, self.viewer, missing)).items() if missing else ():
            if "deleted" not in row and self._oldest <= row["created_seq"] <= self._newest:
                self.rows["comment", id_] = row
            else:
                self.ancestors[id_] = row

    def wanted(self) -> set[str]:
        """The ids of comments outside the window that have replies in the window."""
        comments = {id_: row for (name, id_), row in self.rows.items() if name == "comment"}
        return {above for row in comments.values() for above in row.get("path", ())} - comments.keys()

    def describe_ancestors_difference(self, fresh: Mapping[str, Row]) -> str:
        """The difference between the replica's ancestors and those of a fresh page; empty if there is none."""
        here = {id_: row for id_, row in self.ancestors.items() if id_ in self.wanted()}
        return f"{self.viewer.username}: has {here}, should have {fresh}" if here != fresh else ""

    def describe_difference(self, fresh: Rows) -> str:
        """The difference between this replica and a fresh snapshot, in its window; empty if there is none."""
        wanted = {
            key: row
            for key, row in fresh.items()
            if key[0] != "comment" or self._oldest <= row["created_seq"] <= self._newest
        }
        wrong = {key: (self.rows.get(key), wanted.get(key)) for key in {*self.rows, *wanted}}
        differing = {key: pair for key, pair in wrong.items() if pair[0] != pair[1]}
        return f"{self.viewer.username}: (has, should have) {differing}" if differing else ""


class PollingReplica(Replica):
    """A guest's browser that reads changes by one request after the other, as from `GET /changes`."""

    async def _follow(self, process: Process, erased: Mapping[UUID, int]) -> None:
        while True:
            await self.may_read.wait()
            gone = _gone(process, self.topic, erased)
            batch = await poll(self._open_session(process, once=True), wait=True)
            assert batch
            for name, data in batch.events:
                await self._handle(Block(event=name, data=json.dumps(data)), process, gone)
            self.position = batch.cursor


def _gone(process: Process, topic: Topic, erased: Mapping[UUID, int]) -> dict[str, int]:
    try:
        head = process.feeds[topic].head or 0
    except KeyError:
        return {}
    return {str(id_): seq for id_, seq in erased.items() if seq <= head}


def plain_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row after a round trip through JSON."""
    plain: dict[str, Any] = json.loads(to_json(row))
    return plain


def are_caught_up(replicas: Iterable[Replica], cursor: str) -> bool:
    return all(replica.position == cursor for replica in replicas)
