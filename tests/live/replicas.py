"""Replicas of a topic, as browsers keep them, and processes whose hints arrive when the test says so."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import select
from sqlalchemy.ext.asyncio import create_async_engine

from app.database import Database
from app.live.counters import read_heads
from app.live.cursors import write_cursor
from app.live.feeds import Feeds
from app.live.reader import Reader
from app.live.sessions import Session
from app.live.topics import Topic
from app.live.viewers import GUEST, Viewer
from app.live.writing import Writes
from app.models import LIVE_MODELS
from app.models import thread as threads
from app.models.comment import COMMENT
from app.settings import Settings
from tests.live.note import NOTE, Note, NoteBase
from tests.live.people import enrol
from tests.support.sse import Block, Parser
from tests.support.waiting import end

MODELS = (*LIVE_MODELS, NOTE)
WINDOW = 4  # comments that a replica loads at first


async def add_notes(url: str) -> None:
    """Give the database the table of the second live model."""
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(NoteBase.metadata.create_all)
    await engine.dispose()


async def enrol_three(url: str) -> list[Viewer]:
    """A guest, alice, bob, and carol, who moderates."""
    process: Any = Process(url)
    alice, bob, carol = [await enrol(process, name) for name in ("alice", "bob", "carol")]
    await process.close()
    return [GUEST, alice, bob, replace(carol, moderator=True)]


class Process:
    """What one server process has, with hints that arrive only when the test says so."""

    def __init__(self, url: str, *, reader: type[Reader] = Reader, database: type[Database] = Database) -> None:
        self.settings = Settings(_env_file=None, database_url=url)  # type: ignore[call-arg]
        self.database = database(url)
        self.reader = reader(self.database, MODELS)
        self.feeds = Feeds(self.reader, ring_frames=4, ring_bytes=4_000)
        self.gids: list[str] = []
        self.writes = Writes(self.database, MODELS, self.gids.append)

    def reading(self) -> Any:
        return self.database.reading()

    def writing(self, *topics: Topic) -> Any:
        return self.writes.writing(*topics)

    async def own(self, work: Any) -> Any:
        return await work

    async def close(self) -> None:
        await self.feeds.close()
        await self.database.close()


async def snapshot(process: Process, topic: Topic, viewer: Viewer, limit: int = 1_000) -> tuple[str, Rows]:
    """(the cursor, the rows as this viewer sees them), as a page load gets them: the counter before the rows."""
    async with process.reading() as reading:
        epoch, heads = await read_heads(reading, [topic])
        page = await threads.page(reading, viewer, topic, limit=limit)
        found = await reading.scalars(select(Note).where(Note.topic == str(topic), Note.deleted_at.is_(None)))
        notes = found.all()
    rows = [(COMMENT, comment) for comment in page.comments] + [(NOTE, note) for note in notes]
    kinds = [(live, row, viewer.kind(row.author_id)) for live, row in rows]
    shown = {
        (live.name, str(row.id)): _plain(live.render(row, kind)) for live, row, kind in kinds if live.visible(row, kind)
    }
    return write_cursor(epoch, heads), shown


Rows = dict[tuple[str, str], dict[str, Any]]


class Replica:
    """What one browser has: rows by model and id, and how far it has read."""

    def __init__(self, topic: Topic, viewer: Viewer, session: type[Session] = Session) -> None:
        self.topic = topic
        self.viewer = viewer
        self.rows: Rows = {}
        self.position: str | None = None
        self.resets = 0
        self.seen: list[Block] = []
        self.complaints: list[str] = []
        self.may_read = asyncio.Event()
        self.may_read.set()
        self._oldest = 0
        self._session = session
        self._task: asyncio.Task[None] | None = None

    async def load(self, process: Process) -> None:
        """Open the page: its newest comments, and the cursor that came with them."""
        self.position, self.rows = await snapshot(process, self.topic, self.viewer, WINDOW)
        loaded = [row["created_seq"] for (name, _), row in self.rows.items() if name == "comment"]
        self._oldest = min(loaded, default=0) if len(loaded) == WINDOW else 0

    def connect(self, process: Process, erased: Mapping[UUID, int]) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._follow(process, erased))

    async def disconnect(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            await end(task)

    async def _follow(self, process: Process, erased: Mapping[UUID, int]) -> None:
        async def authorise() -> Viewer:
            return self.viewer

        cursors = [self.position] if self.position else []
        session = self._session(process.feeds, [self.topic], self.viewer, cursors, authorise=authorise, heartbeat=60)
        stream = session.stream()
        parser = Parser()
        try:
            while True:
                await self.may_read.wait()
                # What the feed knows to be erased now, nobody may be sent from here on.
                gone = _gone(process, self.topic, erased)
                chunk = await anext(stream)
                for block in parser.feed(chunk):
                    await self._take(block, process, gone)
        except StopAsyncIteration:
            pass
        finally:
            await stream.aclose()

    async def _take(self, block: Block, process: Process, gone: Mapping[str, int]) -> None:
        self.seen.append(block)
        if block.event == "reset":
            self.resets += 1
            await self.load(process)
        if block.event.startswith("global."):
            self._merge(block, gone)
        self.position = block.id or self.position

    def _merge(self, block: Block, gone: Mapping[str, int]) -> None:
        _, name, verb, _ = block.event.split(".")
        row = block.model
        key = name, row["id"]
        if verb == "destroy":
            self.rows.pop(key, None)
            return
        if row["seq"] < gone.get(row["id"], 0):
            self.complaints.append(f"{row} was sent after it had been erased")
        known = self.rows.get(key)
        if known is None and name == "comment" and row["created_seq"] < self._oldest:
            return  # older than what is loaded
        if known is None or row["seq"] > known["seq"]:
            self.rows[key] = row

    def lacks(self, fresh: Rows) -> str:
        """How this replica differs from a fresh snapshot, over its window; empty when it does not."""
        wanted = {key: row for key, row in fresh.items() if key[0] != "comment" or row["created_seq"] >= self._oldest}
        wrong = {key: (self.rows.get(key), wanted.get(key)) for key in {*self.rows, *wanted}}
        differing = {key: pair for key, pair in wrong.items() if pair[0] != pair[1]}
        return f"{self.viewer.username}: (has, should have) {differing}" if differing else ""


def _gone(process: Process, topic: Topic, erased: Mapping[UUID, int]) -> dict[str, int]:
    try:
        head = process.feeds[topic].head or 0
    except KeyError:
        return {}
    return {str(id_): seq for id_, seq in erased.items() if seq <= head}


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """As it comes out of JSON."""
    plain: dict[str, Any] = json.loads(to_json(row))
    return plain


def level(replicas: Iterable[Replica], cursor: str) -> bool:
    return all(replica.position == cursor for replica in replicas)
