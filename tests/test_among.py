"""Among: a condition on any number of values."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.among import among
from app.database import Database
from app.live.model import MAX_TOPIC_LENGTH
from app.live.write.sequences import Counter
from app.webhooks.deliveries import Delivery

pytestmark = pytest.mark.both_databases

NAMES = select(Counter.name).where(among(Counter.name, "names")).order_by(Counter.name)
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
LONGEST = "Article/".ljust(MAX_TOPIC_LENGTH, "x")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database with the counters of two topics."""
    database = Database(database_url)
    async with database.transaction() as writing, writing.begin():
        writing.add_all([Counter(name=name, seq=1) for name in ("Article/1", LONGEST)])
    yield database
    await database.close()


async def find(database: Database, names: Collection[str]) -> list[str]:
    async with database.reading() as reading:
        return list((await reading.scalars(NAMES, {"names": names})).all())


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ([], []),
        (["Article/2"], []),
        ({"Article/1"}, ["Article/1"]),
        ([*(f"Page/{number}" for number in range(40_000)), "Article/1", "Article/1"], ["Article/1"]),
        ([LONGEST, 'Article/"', "Article/1"], ["Article/1", LONGEST]),
    ],
    ids=["none", "an unknown one", "a set", "more than PostgreSQL has parameters", "two of three"],
)
async def test_the_rows_with_one_of_the_values_are_found(
    database: Database, names: Collection[str], found: list[str]
) -> None:
    assert await find(database, names) == found


async def test_a_value_that_is_longer_than_the_column_finds_nothing(database: Database) -> None:
    assert await find(database, [f"{LONGEST}x"]) == []


async def test_ids_and_values_without_a_name_are_found(database: Database) -> None:
    ids = [uuid4() for _ in range(3)]
    counted: dict[str, Any] = {"model": "Comment", "topic": "Article/1", "created": True, "changed_at": MOMENT}
    async with database.transaction() as writing, writing.begin():
        writing.add_all([Delivery(id=id_, url="", object_id=id_, seq=1, **counted) for id_ in ids])
    async with database.reading() as reading:
        found = await reading.scalars(select(Delivery.id).where(among(Delivery.id, values=[*ids[1:], uuid4()])))
        assert set(found.all()) == set(ids[1:])


@pytest.mark.postgresql_only
async def test_one_prepared_statement_serves_any_number_of_values(database: Database) -> None:
    async def read(connection: AsyncConnection) -> Any:
        for number in range(5):
            await connection.execute(NAMES, {"names": ["Article/1"] * number})
        prepared = text("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'SELECT topics.name%'")
        return await connection.scalar(prepared)

    assert await database.read(read) == 1
