"""The law: an old snapshot and the changes after it equal a fresh snapshot, for every model and kind of viewer.

Several people write at random and at once. Two live models share a topic, with a pause between their reads. Hints are
lost or late, backlogs are small, and replicas stall, disconnect and reconnect to another process. Planted bugs prove
that the law reveals them.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Literal, cast
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.accounts import accounts
from app.accounts.user import DELETED
from app.comments import posting
from app.comments.comments import MAX_DEPTH, Comment
from app.database import Database, Reading
from app.errors import SignInFirst
from app.likes import likes
from app.live.read.backlog import Backlog
from app.live.read.changes import Change, read_changes
from app.live.read.reader import News, Reader
from app.live.stream.session import Session
from app.live.topics import Topic
from app.live.viewers import GUEST, Viewer
from app.live.write import batches
from app.live.write.sequences import read_heads
from tests.live.convergence.replicas import (
    PollingReplica,
    Process,
    Replica,
    add_notes,
    are_caught_up,
    create_three_viewers,
    load_ancestors,
    snapshot,
)
from tests.live.note import Note
from tests.support.people import PASSWORD
from tests.support.people_without_http import create_viewer
from tests.support.waiting import WAIT_TIMEOUT_SECONDS, wait_until

pytestmark = pytest.mark.both_databases

HISTORIES = min(50, settings().max_examples // 4)  # on each database: 12 in the gate, 50 with --everything
DELETIONS = 3  # histories with a deleted account, on each database

ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 4)),  # the number of writers at once
        st.tuples(st.just("sweep"), st.integers(0, 1)),
        st.tuples(st.just("connect"), st.integers(0, 4)),
        st.tuples(st.just("disconnect"), st.integers(0, 4)),
        st.tuples(st.just("stall"), st.integers(0, 4)),
        st.tuples(st.just("go on"), st.integers(0, 4)),
        st.tuples(st.just("look back"), st.integers(0, 4)),
    ),
    min_size=4,
    max_size=24,
)


class PausingDatabase(Database):
    """Pauses between the reads of two tables, as a distant database does, so that others can write meanwhile."""

    async def read(self, work: Any) -> Any:
        async with self.reading() as reading:
            return await work(PausingConnection(reading))


class PausingConnection:
    def __init__(self, connection: Reading) -> None:
        self._connection = connection

    async def execute(self, *arguments: Any) -> Any:
        found = await self._connection.execute(*arguments)
        await asyncio.sleep(0.002)
        return found


class World:
    """Two processes on one database, four people who watch one topic, a guest who polls it, and a history's events."""

    catch_up_timeout_seconds = WAIT_TIMEOUT_SECONDS

    def __init__(self, processes: list[Process], people: list[Viewer], seed: int, **replica: Any) -> None:
        self.processes = processes
        self.people = people
        self.chance = random.Random(seed)
        self.topic = Topic("Article", str(uuid4()))
        self.replicas = [Replica(self.topic, viewer, **replica) for viewer in people]
        self.replicas.append(PollingReplica(self.topic, GUEST, **replica))
        self.erased: dict[UUID, int] = {}
        self.ids: list[tuple[type[Comment] | type[Note], UUID]] = []

    async def run(self, actions: Iterable[tuple[str, int]]) -> None:
        """Run the actions, let every replica catch up, and compare each with a fresh snapshot."""
        try:
            for replica in self.replicas:
                await replica.load(self.processes[0])
            for action, argument in actions:
                await self._act(action, argument)
                await asyncio.sleep(0)
            await self._settle()
        finally:
            for replica in self.replicas:
                await replica.disconnect()
        assert all(len(process.feeds) == 0 for process in self.processes), "a feed without sessions is open"

    async def _act(self, action: str, argument: int) -> None:
        if action == "write":
            await asyncio.gather(*(self._write(self.chance.choice(self.people[1:3])) for _ in range(argument)))
        elif action == "sweep":
            await self.processes[argument].feeds.sweep()
        elif action == "connect":
            self.replicas[argument].connect(self.chance.choice(self.processes), self.erased)
        elif action == "disconnect":
            await self.replicas[argument].disconnect()
        elif action == "look back":
            await self._look_back(self.replicas[argument])
        elif action == "stall":
            self.replicas[argument].may_read.clear()
        else:
            self.replicas[argument].may_read.set()

    async def _look_back(self, replica: Replica) -> None:
        """Follow a link to a comment, which may be deleted."""
        comments = [id_ for model, id_ in self.ids if model is Comment]
        if comments:
            await replica.disconnect()
            await replica.load(self.chance.choice(self.processes), self.chance.choice(comments))
            replica.connect(self.chance.choice(self.processes), self.erased)

    async def _write(self, writer: Viewer) -> None:
        process = self.chance.choice(self.processes)
        async with process.writing(self.topic) as write:
            if not self.ids or self.chance.random() < 0.4:
                row: Any = await self._new(write, writer)
                write.create(row)
                if isinstance(row, Comment):
                    row.content_seq = row.seq
                self.ids.append((type(row), row.id))
            else:
                row = await write.get(*self.chance.choice([*self.ids, *self.ids[-2:], *self.ids[-1:] * 2]))
                if row is not None and row.deleted_at is None:
                    self._change(write, row)
        if row is not None and row.deleted_at is not None:
            self.erased[row.id] = row.seq
        self._hint(process)

    async def _new(self, write: Any, writer: Viewer) -> Comment | Note:
        if self.chance.random() < 0.5:
            return Note(id=uuid4(), topic=str(self.topic), user_id=writer.user_id, text="a note", hidden=False)
        now = datetime.now(UTC)
        parent = await self._parent(write)
        path = [*parent.path, str(parent.id)][:MAX_DEPTH] if parent else []
        return Comment(
            id=uuid4(), topic=str(self.topic), user_id=writer.user_id, username=writer.username, body="a comment",
            likes_count=0, parent_id=parent and parent.id, path=path, created_at=now, updated_at=now,
        )  # fmt: skip

    async def _parent(self, write: Any) -> Comment | None:
        """Usually another comment, often an old one, and sometimes one that a moderator has hidden."""
        comments = [id_ for model, id_ in self.ids if model is Comment]
        if not comments or self.chance.random() < 0.3:
            return None
        parent: Comment = await write.get(Comment, self.chance.choice(comments))
        return None if parent.deleted_at else parent

    def _change(self, write: Any, row: Any) -> None:
        if self.chance.random() < 0.35:
            write.destroy(row)
            return
        if isinstance(row, Note):
            row.hidden, row.text = self.chance.random() < 0.3, f"text {self.chance.random()}"
        elif self.chance.random() < 0.5:
            row.hidden_at = None if row.hidden_at else datetime.now(UTC)
        elif self.chance.random() < 0.5:
            row.body = f"again {self.chance.random()}"
        else:
            row.likes_pending += 1
            likes.publish(write, row, datetime.now(UTC))
            return
        write.update(row)

    def _hint(self, writer: Process) -> None:
        """Deliver the hints. Some are lost, some are late, some are doubled."""
        loop = asyncio.get_running_loop()
        for hint in writer.hints:
            for process in self.processes:
                for _ in range(self.chance.choice((0, 1, 1, 2))):
                    loop.call_later(self.chance.choice((0, 0, 0.003)), process.feeds.hint, hint)
        writer.hints.clear()

    async def _settle(self) -> None:
        for replica in self.replicas:
            replica.may_read.set()
            replica.connect(self.chance.choice(self.processes), self.erased)
        for process in self.processes:
            await process.feeds.sweep()
        cursor, _ = await snapshot(self.processes[0], self.topic, GUEST)
        await wait_until(
            lambda: are_caught_up(self.replicas, cursor), "every replica to catch up", self.catch_up_timeout_seconds
        )
        for replica in self.replicas:
            _, fresh = await snapshot(self.processes[0], self.topic, replica.viewer)
            assert not replica.errors, replica.errors
            assert not replica.describe_difference(fresh), replica.describe_difference(fresh)
            beside = await load_ancestors(self.processes[0], replica.viewer, replica.wanted())
            assert not replica.describe_ancestors_difference(beside), replica.describe_ancestors_difference(beside)


@asynccontextmanager
async def processes(url: str, **parts: Any) -> AsyncIterator[list[Process]]:
    await add_notes(url)
    both = [Process(url, database=PausingDatabase, **parts) for _ in range(2)]
    try:
        yield both
    finally:
        for process in both:
            await process.close()


@pytest.fixture
async def people(database_url: str) -> list[Viewer]:
    return await create_three_viewers(database_url)


@pytest.fixture
async def both(database_url: str) -> AsyncIterator[list[Process]]:
    """Two processes for all histories of a test. Each history has a topic of its own."""
    async with processes(database_url) as both:
        yield both


@given(actions=ACTIONS, seed=st.integers(0, 2**32))
@settings(max_examples=HISTORIES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_every_replica_converges(
    both: list[Process], people: list[Viewer], actions: list[tuple[str, int]], seed: int
) -> None:
    await World(both, people, seed).run(actions)


# -- a deleted account ----------------------------------------------------------------------------------------


LEAVING = ("write", "stall", "write", "disconnect", "write", "leave", "write", "go on", "write", "connect", "write")


class WorldWithDeletion(World):
    """Alice deletes her account while everybody, also she, continues to write and read."""

    def __init__(self, both: list[Process], people: list[Viewer], seed: int, how: Literal["keep", "erase"]) -> None:
        super().__init__(both, people, seed)
        self.how = how

    async def _act(self, action: str, argument: int) -> None:
        if action == "leave":
            alice = self.people[1]
            process = self.chance.choice(self.processes)
            await asyncio.gather(
                accounts.delete(cast(Any, process), alice, PASSWORD, self.how),
                *(self._write(self.people[1]) for _ in range(argument)),
            )
            self._hint(process)
        else:
            await super()._act(action, argument)

    async def _write(self, writer: Viewer) -> None:
        """Write, unless the account is deleted: then the person would have to sign in."""
        process = self.chance.choice(self.processes)
        with suppress(SignInFirst):
            await posting.post(cast(Any, process), writer, self.topic, "a comment", uuid4())
        self._hint(process)

    async def _settle(self) -> None:
        await super()._settle()
        hers = str(self.people[1].user_id)
        for replica in self.replicas:
            left = [row for (name, _), row in replica.rows.items() if name == "comment" and row["user_id"] == hers]
            assert not [row for row in left if row["username"] != DELETED], "a replica still has her name"
            assert self.how == "keep" or not left, "a replica still has a comment that she erased"


@pytest.mark.parametrize("how", ["keep", "erase"])
async def test_every_replica_converges_when_somebody_deletes_their_account(
    database_url: str, how: Literal["keep", "erase"], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BATCH_SIZE", 3)
    guest, _, bob, carol = await create_three_viewers(database_url)
    async with processes(database_url) as both:
        for seed in range(DELETIONS):
            alice = await create_viewer(cast(Any, both[0]), f"alice{seed}")
            chance = random.Random(seed)
            actions = [("connect", number) for number in range(4)]
            actions += [(kind, chance.randint(2, 3)) for kind in LEAVING]
            await WorldWithDeletion(both, [guest, alice, bob, carol], seed, how).run(actions)


# -- planted bugs ---------------------------------------------------------------------------------------------


class WorldWithShortTimeout(World):
    """Waits less, because a planted bug keeps replicas from catching up."""

    catch_up_timeout_seconds = 5.0


async def find_failure(
    url: str, people: list[Viewer], how: str = "", *, rounds: int = 200, replica: Any = None, **parts: Any
) -> str:
    """Run random histories until one breaks the law (in this way), and return its error; fail if none does."""
    async with processes(url, **parts) as both:
        for seed in range(rounds):
            chance = random.Random(seed)
            kinds = ("write", "write", "connect", "write", "stall", "go on", "sweep", "disconnect", "look back")
            actions = [("connect", number) for number in range(4)]
            for _ in range(30):
                kind = chance.choice(kinds)
                actions.append((kind, chance.randint(1, 4) if kind == "write" else chance.randint(0, 1)))
            try:
                await WorldWithShortTimeout(both, people, seed, **(replica or {})).run(actions)
            except AssertionError as broken:
                if how in str(broken):
                    return str(broken)
    pytest.fail("no history revealed the bug")


class ReaderOfGreatestSeq(Reader):
    """Uses the greatest seq that it read as its head."""

    async def news(self, topic: Topic, epoch: str | None, head: int | None, most: int, *_: Any, **__: Any) -> News:
        async def read(connection: Any) -> News:
            now, heads = await read_heads(connection, [topic])
            if now != epoch or head is None:
                return News(now, heads[topic], None)
            changes, _ = await read_changes(connection, self._models, topic, head, 2**62, 1_000)
            return News(now, max((change.seq for change in changes), default=head), changes)

        return await self._database.read(read)


class SessionThatWaitsWithoutChecking(Session):
    """Waits some time after its last check: a change that arrives between is not sent."""

    async def _wait(self) -> None:
        await asyncio.sleep(0.002)
        await super()._wait()


class BacklogOfAllFrames(Backlog):
    """Keeps every frame of an object, and not only the newest."""

    def extend(self, changes: Iterable[Change]) -> None:
        for change in changes:
            self._newest[change.live.name, (change.id, change.seq)] = change


@pytest.mark.extended
async def test_the_law_reveals_a_reader_that_advances_to_the_greatest_seq(postgres_url: str) -> None:
    people = await create_three_viewers(postgres_url)
    # Its head may also stay behind the changes that it read. Then no replica catches up, which is another failure.
    assert "should have" in await find_failure(postgres_url, people, "should have", reader=ReaderOfGreatestSeq)


@pytest.mark.extended
async def test_the_law_reveals_a_session_that_waits_without_checking(database_url: str, people: list[Viewer]) -> None:
    assert "to catch up" in await find_failure(
        database_url, people, replica={"session": SessionThatWaitsWithoutChecking}
    )


@pytest.mark.extended
async def test_the_law_reveals_a_backlog_that_keeps_an_erased_frame(
    database_url: str, people: list[Viewer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.live.read.feeds.Backlog", BacklogOfAllFrames)
    assert "after it was erased" in await find_failure(database_url, people)


@pytest.mark.extended
async def test_the_law_holds_on_the_histories_that_reveal_planted_bugs(database_url: str, people: list[Viewer]) -> None:
    with pytest.raises(pytest.fail.Exception, match="no history revealed the bug"):
        await find_failure(database_url, people, rounds=8)
