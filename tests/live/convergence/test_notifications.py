"""The law for notifications, on the topic of their recipient: old snapshot and changes equal a fresh snapshot."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from app.accounts import accounts
from app.comments import comments, posting
from app.comments.comments import Comment
from app.errors import Missing, SignInFirst
from app.live.topics import Topic
from app.live.viewers import Viewer
from app.live.write import batches
from app.notifications import inbox
from app.notifications.notifications import render
from tests.live.convergence.replicas import Process, Replica, Rows, add_notes, are_caught_up
from tests.live.convergence.replicas import plain_row as plain
from tests.support.people import PASSWORD
from tests.support.people_without_http import ARTICLE, create_viewer
from tests.support.waiting import wait_until

WINDOW_NOTIFICATIONS = 4  # that a replica loads first


class Reader(Replica):
    """One of Alice's tabs."""

    async def load(self, process: Process, around: UUID | None = None) -> None:
        self.position, self.rows, before = await snapshot(process, self.viewer, WINDOW_NOTIFICATIONS)
        self._oldest = before or 0

    def _merge(self, block: Any, gone: Any) -> None:
        known = (block.event.split(".")[1], block.model["id"]) in self.rows
        if block.event.startswith("global.notification") and (known or block.model["created_seq"] >= self._oldest):
            super()._merge(block, gone)

    def describe_difference(self, fresh: Rows) -> str:
        wanted = {key: row for key, row in fresh.items() if row["created_seq"] >= self._oldest}
        return "" if self.rows == wanted else f"(has, should have) {self.rows} {wanted}"


async def snapshot(process: Process, viewer: Viewer, limit: int = 100) -> tuple[str, Rows, int | None]:
    async with process.reading() as reading:
        page = (await inbox.read_inbox(reading, viewer, limit=limit)).page
    rows = {("notification", str(row.id)): plain(render(row)) for row in page.rows}
    return page.cursor, rows, page.before


class Day:
    """Others mention Alice, reply to her, edit, delete and leave, and she reads, in two processes and at random."""

    def __init__(self, processes: list[Process], alice: Viewer, others: list[Viewer], seed: int) -> None:
        self.processes = processes
        self.alice = alice
        self.others = others
        self.chance = random.Random(seed)
        self.comments: list[tuple[Viewer, Comment]] = []
        self.tabs = [Reader(Topic.account(alice.user_id), alice) for _ in range(3)]

    async def run(self) -> None:
        process = cast(Any, self.processes[0])
        self.hers, _ = await posting.post(process, self.alice, ARTICLE, "Well?", uuid4())
        try:
            for number in range(30):
                if number in (0, 8, 16):
                    await self.tabs[number // 8].load(self.processes[0])
                await self._act()
            await accounts.delete(process, self.others[0], PASSWORD, self.chance.choice(("keep", "erase")))
            await self._settle()
        finally:
            for tab in self.tabs:
                await tab.disconnect()

    async def _act(self) -> None:
        acts = self.chance.choices([self._write, self._change, self._read, self._move], (4, 2, 2, 3), k=2)
        with suppress(Missing, SignInFirst):
            await asyncio.gather(*(act(cast(Any, self.chance.choice(self.processes))) for act in acts))
        for process in self.processes:
            for hint in process.hints:
                if self.chance.random() < 0.7:  # the other hints are lost
                    process.feeds.hint(hint)
            process.hints.clear()

    async def _write(self, process: Any) -> None:
        author = self.chance.choice(self.others)
        parent = self.hers.id if self.chance.random() < 0.5 else None
        body = self.chance.choice(("Indeed", "@alice, indeed"))
        comment, _ = await posting.post(process, author, ARTICLE, body, uuid4(), parent)
        self.comments.append((author, comment))

    async def _change(self, process: Any) -> None:
        if self.comments:
            author, comment = self.chance.choice(self.comments)
            if self.chance.random() < 0.3:
                await comments.delete(process, author, comment.id)
            else:
                await comments.edit(process, author, comment.id, f"@alice {self.chance.random()}")

    async def _read(self, process: Any) -> None:
        _, rows, _ = await snapshot(process, self.alice)
        if rows:
            row = self.chance.choice([*rows.values()])
            if self.chance.random() < 0.3:
                await inbox.mark_all(process, self.alice, row["created_seq"])
            else:
                await inbox.mark(process, self.alice, UUID(row["id"]), not row["read"])

    async def _move(self, process: Any) -> None:
        tab = self.chance.choice(self.tabs)
        if tab.position and self.chance.random() < 0.7:
            tab.connect(process, {})
        else:
            await tab.disconnect()

    async def _settle(self) -> None:
        for tab in self.tabs:
            tab.connect(self.chance.choice(self.processes), {})
        for process in self.processes:
            await process.feeds.sweep()
        cursor, fresh, _ = await snapshot(self.processes[0], self.alice)
        await wait_until(lambda: are_caught_up(self.tabs, cursor), "every tab to catch up with the database")
        for tab in self.tabs:
            assert not tab.describe_difference(fresh), tab.describe_difference(fresh)
        async with self.processes[0].reading() as reading:
            for row in fresh.values():
                comment = await reading.get(Comment, UUID(row["comment_id"]))
                assert row["excerpt"] == (comment and comment.body)
        names = {row["actor_name"] for row in fresh.values()}
        assert self.others[0].username not in names, names


async def test_every_tab_of_the_recipient_converges(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "BATCH_SIZE", 3)
    await add_notes(database_url)
    processes = [Process(database_url) for _ in range(2)]
    try:
        first = cast(Any, processes[0])
        alice = await create_viewer(first, "alice")
        for seed in range(2):
            others = [await create_viewer(first, f"other{seed}{number}") for number in range(3)]
            await Day(processes, alice, others, seed).run()
    finally:
        for process in processes:
            await process.close()
