"""A trial: one world, its people and its nemesis, from the first sign-up to the verdict."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import UUID

import httpx

from app.live.read.pages import MAX_PAGE_SIZE
from app.live.topics import Topic
from tests.chaos import readers as habits
from tests.chaos import verdict
from tests.chaos.ledger import Ledger
from tests.chaos.leftovers import left_over
from tests.chaos.readers import Habit, Reader, all_level
from tests.chaos.replica import Rows
from tests.chaos.report import Report
from tests.chaos.schedule import Episode, Spell
from tests.chaos.witness import Witness
from tests.chaos.world import world
from tests.chaos.writers import TOPICS, Writer
from tests.support.serving import browser
from tests.support.waiting import cancel_tasks

WRITERS = ("alice", "bob", "carol", "dave", "erin")
ALL = tuple(dict.fromkeys(TOPICS))

# The readers: (name, habit, topics). A reader with the name of a writer is signed in as that person, others are guests.
READERS: Sequence[tuple[str, Habit, Sequence[str]]] = (
    ("alice", habits.STEADY, ALL),
    ("bob", habits.STEADY, ALL[:1]),
    ("frank", habits.STEADY, ALL),
    ("grace", habits.STEADY, ALL[:1]),
    ("heidi", habits.WINDOW, ALL),
    ("ivan", habits.SLOW, ALL[:1]),
    ("carol", habits.SLOW, ALL),
    ("judy", habits.NAPPING, ALL[:1]),
    ("dave", habits.NAPPING, ALL),
    ("mallory", habits.HASTY, ALL),
    ("erin", habits.HASTY, ALL[:1]),
    ("niaj", habits.RETURNING, ALL),
    ("olivia", habits.FORGING, ALL),
)

EVERYBODYS = Topic.parse(ALL[0])

HEAL_LIMIT = 30.0  # seconds after the removal of a fault in which every steady reader must catch up with new changes
OUTBOXES = 30.0  # seconds for the responses to the writers' last asks
CONVERGENCE = 30.0  # seconds for every replica to catch up
POLL_SECONDS = 0.05  # between two checks of the replicas


@dataclass
class Trial:
    seed: int
    database: str
    episodes: Sequence[Episode]
    report: Report
    workers: int = 2

    async def run(self) -> Report:
        async with world(self.database, self.workers) as self.world:
            self.ledger = Ledger()
            said: dict[UUID, Any] = {}  # by all of them
            self.writers = [Writer(name, self.world.urls, self.seed, self.ledger, said) for name in WRITERS]
            for writer in self.writers:
                await writer.sign_up()
            self.readers = [self._reader(*who) for who in READERS]
            self.report.begin(self.episodes, [*self.writers, *self.readers])
            async with asyncio.TaskGroup() as people:
                await self._live(people)
            await self._judge()
        return self.report

    def _reader(self, name: str, habit: Habit, topics: Sequence[str]) -> Reader:
        cookies = {writer.name: writer.client.cookies for writer in self.writers}.get(name)
        return Reader(name, habit, topics, self.world.urls, self.seed, cookies)

    async def _live(self, people: asyncio.TaskGroup) -> None:
        """Run from the first comment until all replicas are compared and everybody has disconnected."""
        over = asyncio.Event()
        reading = [people.create_task(reader.follow()) for reader in self.readers]
        writing = [people.create_task(writer.work(over)) for writer in self.writers]
        self._began = time.monotonic()
        for episode in self.episodes:
            await self._suffer(episode)
        over.set()
        await asyncio.wait(writing, timeout=OUTBOXES)
        await self._converge()
        await cancel_tasks(*reading, *writing)
        for writer in self.writers:
            await writer.client.aclose()

    # -- faults -----------------------------------------------------------------------------------------------

    async def _suffer(self, episode: Episode) -> None:
        await asyncio.sleep(max(0.0, episode.at - self._elapsed))
        async with asyncio.TaskGroup() as spells:
            for spell in episode.spells:
                spells.create_task(self._cast(spell))
        healed_at = time.monotonic()
        heads = await self.world.witness.heads()
        heads[EVERYBODYS] = heads.get(EVERYBODYS, 0) + 1  # and a comment that is written after the removal
        steady = [reader for reader in self.readers if reader.habit.steady]
        if behind := await _until_level(steady, heads, HEAL_LIMIT):
            names = " and ".join(spell.fault.name for spell in episode.spells)
            self.report.violation(f"{HEAL_LIMIT:g} s after {names}, {', '.join(behind)} are not level")
            self.report.healed(episode, None)
        else:
            self.report.healed(episode, time.monotonic() - healed_at)

    async def _cast(self, spell: Spell) -> None:
        await asyncio.sleep(spell.offset)
        began = self._elapsed
        async with spell.fault.cause(self.world, Random(spell.dice)):
            await asyncio.sleep(spell.seconds)
        self.report.fault(spell, began, self._elapsed - began)

    @property
    def _elapsed(self) -> float:
        return time.monotonic() - self._began

    # -- the end ----------------------------------------------------------------------------------------------

    async def _converge(self) -> None:
        """Let everybody catch up, and compare each page with a fresh one of every worker."""
        for reader in self.readers:
            reader.calm_down()
        heads, lacks = await self.world.witness.heads(), ["not compared"]
        while lacks:
            if behind := await _until_level(self.readers, heads, CONVERGENCE):
                self.report.violation(f"{', '.join(behind)} were not level {CONVERGENCE:g} s after the last write")
            urls = [f"http://127.0.0.1:{worker.port}" for worker in self.world.workers]
            lacks = [lack for url in urls for lack in await self._compare(url)]
            before, heads = heads, await self.world.witness.heads()
            if heads == before:  # otherwise a lost write has taken effect meanwhile
                break
        self.report.violation(*lacks)

    async def _compare(self, url: str) -> list[str]:
        fresh: dict[tuple[Any, str], Rows] = {}
        lacks = []
        for reader in self.readers:
            for topic in reader.replica.topics:
                key = id(reader.cookies), topic
                if key not in fresh:
                    fresh[key] = await fresh_snapshot(url, reader.cookies, topic)
                lacks += [f"{reader.name}: {lack}" for lack in reader.replica.lacks(topic, fresh[key])]
        return lacks

    async def _judge(self) -> None:
        self.report.violation(*self.ledger.complaints)
        for reader in self.readers:
            self.report.violation(*reader.complaints, *reader.replica.complaints)
        self.report.violation(*await left_over(self.world, self.database))
        await asyncio.gather(*(worker.terminate() for worker in self.world.workers))
        witness: Witness = self.world.witness
        history = await witness.history()
        self.report.violation(*verdict.of_seqs(await witness.seqs(), await witness.heads()))
        self.report.violation(*verdict.of_writes(self.ledger, history))
        self.report.violation(*verdict.of_lives(self.world.lives))
        self.report.end(self.ledger, self.readers, self.world.lives, verdict.came_late(self.ledger, history))


async def _until_level(readers: Sequence[Reader], heads: Any, seconds: float) -> list[str]:
    """The readers that have not caught up with these heads after this time."""
    deadline = time.monotonic() + seconds
    while not all_level(readers, heads) and time.monotonic() < deadline:
        await asyncio.sleep(POLL_SECONDS)
    return [reader.name for reader in readers if not reader.level(heads)]


async def fresh_snapshot(url: str, cookies: httpx.Cookies | None, topic: str) -> Rows:
    """All comments of a topic, page by page, as a new reader loads them."""
    type_, id_ = topic.split("/")
    query: dict[str, Any] = {"commentable_type": type_, "commentable_id": id_, "limit": MAX_PAGE_SIZE}
    rows: Rows = {}
    async with browser(url, cookies=cookies, timeout=20) as client:
        while True:
            page = (await client.get("/api/comments/", params=query)).raise_for_status().json()
            rows |= {row["id"]: row for row in page["comments"]}
            if page["before"] is None:
                return rows
            query["before"] = page["before"]
