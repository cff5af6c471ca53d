"""Writing: the one way to change live models, in a request, a job or a script.

    async with parley.writing(Topic("Article", "1")) as write:
        comment = await write.get(Comment, id)      # under the lock: no other writer can change it
        comment.body = "…"
        write.update(comment)                       # takes the topic's next seq

1. Topics are locked when the block opens, sorted, and before any row. In any other order two writers can deadlock.
2. Seqs have no gaps: a block that changes nothing, or that raises, leaves the counters unchanged.
3. A cancelled request may already have committed. So every function that writes runs in a separate task (`@owned`). The
   task continues to the commit and the hints if the request is cancelled, and shutdown waits for it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app import logs
from app.database import Base, Database, is_lock_timeout
from app.live.hints import Hint
from app.live.lanes import Item, Lanes, Outcome
from app.live.model import Live, LiveModel
from app.live.tasks import Tasks
from app.live.topics import Topic
from app.live.write.group_commit import GroupWrite
from app.live.write.recording import Recording
from app.live.write.sequences import set_counters, take_next

Row = TypeVar("Row", bound=Live)
P = ParamSpec("P")
R = TypeVar("R")

Store = Callable[[GroupWrite, Sequence[Item]], Sequence[Outcome]]  # stores items; returns the outcome of each


class Write:
    """An open transaction that holds the counters of its topics."""

    def __init__(self, session: AsyncSession, seqs: dict[Topic, int]) -> None:
        self.session = session
        self.changed: list[Live] = []
        self.events: list[tuple[str, dict[str, object]]] = []
        self._taken = seqs
        self._seqs = {topic: seq - 1 for topic, seq in seqs.items()}

    async def get(self, model: type[Row], id: UUID) -> Row | None:
        """The row under the lock; it may be a tombstone."""
        return await self.session.get(model, id)

    def create(self, row: Live) -> None:
        row.seq = row.created_seq = self._next(row)
        self.session.add(row)

    def update(self, row: Live) -> None:
        row.seq = self._next(row)

    def destroy(self, row: Live) -> None:
        """Replace the row by a tombstone. The commit erases its content from the database."""
        row.deleted_at = datetime.now(UTC)
        row.erase()
        self.update(row)

    def log_after_commit(self, event: str, **about: object) -> None:
        """Log a security event when this transaction has committed; see `app.logs.security`."""
        self.events.append((event, about))

    def _next(self, row: Live) -> int:
        topic = Topic.parse(row.topic)
        row.before_change()
        self._seqs[topic] += 1  # KeyError: `writing` was called without this topic, so it is not locked
        self.changed.append(row)
        return self._seqs[topic]

    async def finish(self) -> None:
        """Commit. If no live row has changed, roll back everything (2)."""
        if not self.changed:
            return
        await self.session.flush()
        moved = {topic: seq for topic, seq in self._seqs.items() if seq != self._taken[topic]}
        await (await self.session.connection()).run_sync(set_counters, moved)
        await self.session.commit()


class Writes:
    """Opens write transactions, and passes a hint of each change to `on_commit` after the commit."""

    def __init__(
        self,
        recording: Recording,
        database: Database,
        models: Sequence[LiveModel],
        on_commit: Callable[[Hint], None],
        tasks: Tasks,
    ) -> None:
        self._recording = recording
        self._database = database
        self._models = {live.model: live for live in models}
        self._on_commit = on_commit
        self._groups = Lanes(tasks, self._write_group)

    @asynccontextmanager
    async def writing(self, *topics: Topic) -> AsyncIterator[Write]:
        """A transaction on these topics. It commits at the end of the block, and then the hints are published.

        Check existence, rights and versions inside the block, on rows from `write.get`. An exception rolls back.
        """
        async with self._database.transaction() as session:
            try:
                write = Write(session, await take_next(session, sorted(set(topics))))  # (1)
                yield write
                session.add_all(self._records(write.changed))
                await write.finish()
            finally:
                session.expunge_all()  # keep loaded rows readable: a rollback would expire them
        for row in write.changed:
            gid = self._models[type(row)].gid(row)
            logs.note(gid=gid)
            self._on_commit(Hint(gid, Topic.parse(row.topic), row.seq))
        for event, about in write.events if write.changed else ():
            logs.security(event, warn=False, **about)

    async def write_together(self, store: Store[Item, Outcome], item: Item) -> Outcome:
        """Store the item in one transaction with others that wait for the same function.

        See `app.live.write.group_commit`.
        """
        outcomes: Sequence[Outcome] = await self._groups.add(store, item) or await self._write(
            store, [item], is_alone=True
        )
        return outcomes[0]

    async def _write_group(self, store: Store[Item, Outcome], items: list[Item]) -> Sequence[list[Outcome]]:
        """The outcome of each item in a list, which is empty if the item has to be written alone."""
        try:
            return [[outcome] for outcome in await self._write(store, items, is_alone=False)]
        except DBAPIError as error:
            if isinstance(error, IntegrityError | DataError) or is_lock_timeout(error):
                return [[] for _ in items]
            raise

    async def _write(self, store: Store[Item, Outcome], items: list[Item], is_alone: bool) -> Sequence[Outcome]:
        def run(connection: Connection) -> tuple[Sequence[Outcome], list[Hint]]:
            write = GroupWrite(connection, is_alone)
            outcomes = store(write, items)
            write.add(self._records(write.created))
            write.finish()
            return outcomes, write.hints

        outcomes, hints = await self._database.run_transaction(run)
        for hint in hints:
            self._on_commit(hint)
        return outcomes

    def _records(self, changed: Sequence[Live]) -> list[Base]:
        """What the models store with these changes (`LiveModel.record`)."""
        return [
            stored
            for row in dict.fromkeys(changed)
            for record in self._models[type(row)].record
            for stored in record(self._recording, row)
        ]


class Owner(Protocol):
    """Parley, which waits at shutdown for the tasks that it owns."""

    async def own(self, work: Coroutine[Any, Any, R]) -> R: ...


AnyOwner = TypeVar("AnyOwner", bound=Owner)


def owned(
    work: Callable[Concatenate[AnyOwner, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[AnyOwner, P], Awaitable[R]]:
    """Run a function that writes, and whose first argument is Parley, in a separate task (3)."""

    @wraps(work)
    async def run(parley: AnyOwner, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return await parley.own(work(parley, *args, **kwargs))

    return run
