"""The witness: the commits of the database. Triggers record every committed change of a live model.

The tables keep no history, so a state that existed for a moment, twice, or in the wrong order would leave no trace.
The witness opens a new connection for each query, which bypasses every proxy.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.live.topics import Topic
from app.models import LIVE_MODELS
from tests.support.waiting import wait_until

QUERY_TIMEOUT_SECONDS = 20.0  # a PostgreSQL that has crashed recovers first

HISTORY = """
    CREATE TABLE chaos_history (
        number {serial}, model text, topic text, seq bigint, id text, body text, deleted boolean
    )"""

# The test servers acknowledge commits before they are written, so a crash would lose acknowledged changes.
POSTGRES_DURABLE = """
    DO $$ BEGIN
        EXECUTE format('ALTER DATABASE %I SET synchronous_commit = on', current_database());
    END $$"""

POSTGRES_FUNCTION = """
    CREATE FUNCTION chaos_{table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF TG_OP = 'INSERT' OR NEW.seq <> OLD.seq THEN
            INSERT INTO chaos_history (model, topic, seq, id, body, deleted)
            VALUES ('{table}', NEW.topic, NEW.seq, NEW.id, {body}, NEW.deleted_at IS NOT NULL);
        END IF;
        RETURN NULL;
    END $$"""

POSTGRES_TRIGGER = """
    CREATE TRIGGER chaos AFTER INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION chaos_{table}()"""

SQLITE_TRIGGER = """
    CREATE TRIGGER chaos_{table}_{when} AFTER {when} ON {table} {which} BEGIN
        INSERT INTO chaos_history (model, topic, seq, id, body, deleted)
        VALUES ('{table}', NEW.topic, NEW.seq, NEW.id, {body}, NEW.deleted_at IS NOT NULL);
    END"""


@dataclass(frozen=True)
class Seen:
    """A committed change."""

    topic: str
    seq: int
    id: UUID
    body: str
    deleted: bool


class Witness:
    """`url` is the database's own, without a proxy."""

    def __init__(self, url: str) -> None:
        self._engine = create_async_engine(url, poolclass=NullPool)
        self._is_sqlite = url.startswith("sqlite")

    async def begin(self) -> None:
        tables = [live.model.__tablename__ for live in LIVE_MODELS]
        statements = self._on_sqlite(tables) if self._is_sqlite else self._on_postgres(tables)
        async with self._engine.begin() as connection:
            for statement in statements:
                await connection.execute(text(statement))

    async def heads(self) -> dict[Topic, int]:
        """The current counter of each topic."""
        rows = await self._ask("SELECT name, seq FROM topics")
        return {Topic.parse(name): seq for name, seq in rows}

    async def history(self) -> Mapping[UUID, Sequence[Seen]]:
        """The committed changes of each comment, in order of seq."""
        seen = await self._ask("SELECT topic, seq, id, body, deleted FROM chaos_history WHERE model = 'comments'")
        by_id: dict[UUID, list[Seen]] = defaultdict(list)
        for topic, seq, id_, body, deleted in sorted(seen, key=lambda row: row[1]):
            by_id[UUID(id_)].append(Seen(topic, seq, UUID(id_), body, bool(deleted)))
        return by_id

    async def seqs(self) -> dict[Topic, list[int]]:
        """Every seq that any model ever took in a topic, in order."""
        by_topic: dict[Topic, list[int]] = defaultdict(list)
        for topic, seq in await self._ask("SELECT topic, seq FROM chaos_history ORDER BY topic, seq"):
            by_topic[Topic.parse(topic)].append(seq)
        return by_topic

    async def connections(self) -> list[str]:
        """The state of each connection of the workers; on SQLite there are none."""
        if self._is_sqlite:
            return []
        asked = "SELECT state FROM pg_stat_activity WHERE application_name = 'parley' AND datname = current_database()"
        return [state for (state,) in await self._ask(asked)]

    async def looks_at_heads(self) -> int:
        """The number of times that the workers have read heads, which each does while it has streams.

        PostgreSQL may count the last reads seconds later. SQLite counts nothing.
        """
        if self._is_sqlite:
            return 0
        asked = "SELECT seq_scan + coalesce(idx_scan, 0) FROM pg_stat_user_tables WHERE relname = 'epochs'"
        return int((await self._ask(asked))[0][0])

    async def terminate_connections(self) -> int:
        """End every connection of the workers, as an operator can."""
        asked = """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE application_name = 'parley' AND datname = current_database()"""
        return int((await self._ask(asked))[0][0])

    async def _ask(self, query: str) -> Sequence[Any]:
        return list(
            await wait_until(lambda: self._answer(query), "the database to answer the witness", QUERY_TIMEOUT_SECONDS)
        )[1:]

    async def _answer(self, query: str) -> list[Any] | None:
        """The rows after an empty first entry, so that a result without rows is true, too."""
        try:
            async with self._engine.connect() as connection:
                return [None, *(await connection.execute(text(query))).all()]
        except (DBAPIError, OSError):
            return None

    def _on_postgres(self, tables: Sequence[str]) -> list[str]:
        functions = [POSTGRES_FUNCTION.format(table=table, body=_body(table)) for table in tables]
        triggers = [POSTGRES_TRIGGER.format(table=table) for table in tables]
        return [POSTGRES_DURABLE, HISTORY.format(serial="bigserial"), *functions, *triggers]

    def _on_sqlite(self, tables: Sequence[str]) -> list[str]:
        whens = (("INSERT", ""), ("UPDATE", "WHEN NEW.seq <> OLD.seq"))
        triggers = [
            SQLITE_TRIGGER.format(table=table, when=when, which=which, body=_body(table))
            for table in tables
            for when, which in whens
        ]
        return [HISTORY.format(serial="integer PRIMARY KEY"), *triggers]


def _body(table: str) -> str:
    return "NEW.body" if table == "comments" else "''"
