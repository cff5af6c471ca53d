"""PostgreSQL fails in many ways: nobody gets a 500, and every acknowledged comment is stored once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from sqlalchemy import make_url

from tests.faults.persistence import PersistentWriter
from tests.support import leftovers
from tests.support.people import write
from tests.support.sse import open_stream
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import httpx

    from tests.support.postgres import PostgresServer
    from tests.support.serving import Site

pytestmark = pytest.mark.postgresql_only

CREATED = "create.success"

# Ends all of the app's connections, whatever they are doing.
END_CONNECTIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE pid <> pg_backend_pid() AND datname = current_database()"
)

STATES = {
    "disk full": "53100",
    "out of memory": "53200",
    "too many connections": "53300",
    "serialization failure": "40001",
    "deadlock": "40P01",
    "a statement that takes too long": "57014",
    "a lock that is not available": "55P03",
    "shutting down": "57P01",
    "read-only, as after a failover": "25006",
}


@asynccontextmanager
async def psql(database_url: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    """An operator's connection to the database."""
    url = make_url(database_url)
    connection = await asyncpg.connect(host=str(url.query["host"]), user="postgres", database=url.database)
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture(autouse=True)
def short_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """The app gives up a server that does not respond sooner than in production."""
    from app import database

    monkeypatch.setattr(database, "POSTGRES_RESPONSE_TIMEOUT_SECONDS", 1)


def failing_trigger(state: str, at_commit: bool) -> str:
    """SQL for a trigger that fails with this SQLSTATE, at the statement or at the commit."""
    kind = "CONSTRAINT TRIGGER fault AFTER" if at_commit else "TRIGGER fault BEFORE"
    when = "DEFERRABLE INITIALLY DEFERRED " if at_commit else ""
    return (
        "CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = '{state}'; END $$;"
        f"CREATE {kind} INSERT ON comments {when}FOR EACH ROW EXECUTE FUNCTION fault()"
    )


@pytest.mark.parametrize("at_commit", [False, True], ids=["statement", "commit"])
async def test_a_comment_that_cannot_be_stored_now_is_stored_once_later(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, database_url: str, at_commit: bool
) -> None:
    async with psql(database_url) as console, open_stream(bob, "Article/1") as stream:
        await stream.next()
        for fault, state in STATES.items():
            await console.execute(failing_trigger(state, at_commit))
            assert set(await refusals_until_repaired(alice, fault, console)) == {503}, fault
            assert (await stream.until(CREATED)).model["body"] == fault
    await PersistentWriter(alice).assert_stored(*STATES)


async def refusals_until_repaired(person: httpx.AsyncClient, body: str, console: asyncpg.Connection[Any]) -> list[int]:
    """The statuses that this comment's author got until the fault was removed and the comment was stored."""
    writer = PersistentWriter(person)
    writing = asyncio.create_task(writer.write(body))
    await wait_until(lambda: writer.refusals, f"the fault to take effect: {body}")
    await console.execute("DROP FUNCTION fault CASCADE")
    await writing
    return writer.refusals


async def test_a_lost_connection_to_the_database_costs_a_retry(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, database_url: str
) -> None:
    writer = PersistentWriter(alice)
    bodies = [f"{number}" for number in range(20)]
    async with psql(database_url) as console:
        async with open_stream(bob, "Article/1") as stream:
            position = (await stream.next()).id
        for body in bodies:
            writing = asyncio.create_task(writer.write(body))
            await console.execute(END_CONNECTIONS)
            await writing
    await writer.assert_stored(*bodies)
    seen: list[str] = []

    async def has_seen_all() -> bool:
        """The fault may end Bob's stream. Then his browser reconnects and resumes at its last position."""
        nonlocal position
        async with open_stream(bob, "Article/1", last_event_id=position, once=1) as stream:
            await stream.ended(10)
        position = next((block.id for block in reversed(stream.blocks) if block.id), position)
        seen.extend(block.model["body"] for block in stream.blocks if block.event.endswith(CREATED))
        return len(seen) >= len(bodies)

    await wait_until(has_seen_all, "every comment to reach Bob")
    assert seen == bodies


@pytest.mark.parametrize("fault", ["restart", "pause"])
async def test_people_go_on_after_the_database_was_away(
    site: Site,
    alice: httpx.AsyncClient,
    bob: httpx.AsyncClient,
    own_postgres: PostgresServer,
    fault: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    writer = PersistentWriter(alice)
    await writer.write("Before")
    if fault == "pause":
        own_postgres.pause()
    else:
        await asyncio.to_thread(own_postgres.kill)
    writing = asyncio.create_task(writer.write("Meanwhile"))
    await wait_until(lambda: writer.refusals, "the fault to take effect")
    if fault == "pause":
        own_postgres.resume()
    else:
        with leftovers.keep_running():
            await asyncio.to_thread(own_postgres.restart)
    await writing
    await writer.assert_stored("Before", "Meanwhile")
    async with open_stream(bob, "Article/1") as stream:
        await stream.next()
        await write(alice, "After")
        assert (await stream.until(CREATED)).model["body"] == "After"


async def test_a_topic_that_somebody_locks_does_not_delay_other_topics(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, database_url: str
) -> None:
    """An operator's transaction holds the counter of one topic. Bob can write to another topic meanwhile."""
    writer = PersistentWriter(alice)
    await writer.write("Before")
    async with psql(database_url) as console:
        async with console.transaction():
            await console.execute("SELECT FROM topics WHERE name = 'Article/1' FOR UPDATE")
            writing = asyncio.create_task(writer.write("Held up"))
            for number in range(3):
                await write(bob, f"Elsewhere {number}", commentable_id="2")
            assert not writing.done()
        await writing
    await writer.assert_stored("Before", "Held up")


async def test_people_are_asked_to_retry_while_all_connections_are_taken(
    settings: Any, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app import database
    from app.main import create_app
    from tests.support.people import person
    from tests.support.serving import serving

    monkeypatch.setattr(database, "POOL_SIZE", 1)
    monkeypatch.setattr(database, "POOL_TIMEOUT_SECONDS", 0.3)
    async with serving(create_app(settings)) as site, person(site, "Alice") as alice, psql(database_url) as console:
        await write(alice, "Before")
        async with console.transaction():
            await console.execute("SELECT FROM topics WHERE name = 'Article/1' FOR UPDATE")
            writers = [PersistentWriter(alice) for _ in range(4)]
            writing = [asyncio.create_task(writer.write(f"{number}")) for number, writer in enumerate(writers)]
            await wait_until(lambda: any(503 in writer.refusals for writer in writers), "a 503 from the empty pool")
            assert (await alice.get("/healthz")).status_code == 200
        await asyncio.gather(*writing)
        found = (await alice.get("/api/comments/?commentable_type=Article&commentable_id=1")).json()["comments"]
        assert sorted(comment["body"] for comment in found) == ["0", "1", "2", "3", "Before"]
