"""PostgreSQL fails in every way that it can be made to: nobody gets a 500, and what was acknowledged is there once."""

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

# All of the app's connections, in the middle of whatever they do.
CUT = (
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
    "a lock that is not to be had": "55P03",
    "shutting down": "57P01",
    "read-only, as after a failover": "25006",
}


@asynccontextmanager
async def psql(database_url: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    """Somebody at the database's own console."""
    url = make_url(database_url)
    connection = await asyncpg.connect(host=str(url.query["host"]), user="postgres", database=url.database)
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that says nothing is given up sooner than in life."""
    from app import database

    monkeypatch.setattr(database, "POSTGRES_RESPONSE_TIMEOUT_SECONDS", 1)


def failing(state: str, at_commit: bool) -> str:
    """A trigger that fails with this SQLSTATE, at the statement or not before the commit."""
    kind = "CONSTRAINT TRIGGER fault AFTER" if at_commit else "TRIGGER fault BEFORE"
    when = "DEFERRABLE INITIALLY DEFERRED " if at_commit else ""
    return (
        "CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = '{state}'; END $$;"
        f"CREATE {kind} INSERT ON comments {when}FOR EACH ROW EXECUTE FUNCTION fault()"
    )


@pytest.mark.parametrize("at_commit", [False, True], ids=["statement", "commit"])
async def test_what_cannot_be_stored_now_is_stored_once_later(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, database_url: str, at_commit: bool
) -> None:
    async with psql(database_url) as console, open_stream(bob, "Article/1") as stream:
        await stream.next()
        for trouble, state in STATES.items():
            await console.execute(failing(state, at_commit))
            assert set(await refusals_until_mended(alice, trouble, console)) == {503}, trouble
            assert (await stream.until(CREATED)).model["body"] == trouble
    await PersistentWriter(alice).has(*STATES)


async def refusals_until_mended(person: httpx.AsyncClient, body: str, console: asyncpg.Connection[Any]) -> list[int]:
    """The statuses by which this comment was refused, until the fault was removed and it was stored."""
    writer = PersistentWriter(person)
    writing = asyncio.create_task(writer.write(body))
    await wait_until(lambda: writer.refusals, f"the fault to show: {body}")
    await console.execute("DROP FUNCTION fault CASCADE")
    await writing
    return writer.refusals


async def test_connections_that_are_cut_cost_a_retry(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, database_url: str
) -> None:
    writer = PersistentWriter(alice)
    bodies = [f"{number}" for number in range(20)]
    async with psql(database_url) as console:
        async with open_stream(bob, "Article/1") as stream:
            position = (await stream.next()).id
        for body in bodies:
            writing = asyncio.create_task(writer.write(body))
            await console.execute(CUT)
            await writing
    await writer.has(*bodies)
    seen: list[str] = []

    async def has_seen_all() -> bool:
        """A stream may be ended by the trouble; who comes back goes on from where they were."""
        nonlocal position
        async with open_stream(bob, "Article/1", last_event_id=position, once=1) as stream:
            await stream.ended(10)
        position = next((block.id for block in reversed(stream.blocks) if block.id), position)
        seen.extend(block.model["body"] for block in stream.blocks if block.event.endswith(CREATED))
        return len(seen) >= len(bodies)

    await wait_until(has_seen_all, "everything to arrive")
    assert seen == bodies


@pytest.mark.parametrize("fault", ["restart", "pause"])
async def test_a_server_that_is_gone_for_a_while(
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
    await wait_until(lambda: writer.refusals, "the fault to show")
    if fault == "pause":
        own_postgres.resume()
    else:
        with leftovers.keep_running():
            await asyncio.to_thread(own_postgres.restart)
    await writing
    await writer.has("Before", "Meanwhile")
    async with open_stream(bob, "Article/1") as stream:
        await stream.next()
        await write(alice, "After")
        assert (await stream.until(CREATED)).model["body"] == "After"


async def test_a_lock_that_somebody_keeps_is_not_waited_for_for_ever(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, database_url: str
) -> None:
    """An operator's own transaction holds the topic's counter. Others' topics go on."""
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
    await writer.has("Before", "Held up")


async def test_when_all_connections_are_taken_people_are_asked_to_come_back(
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
            await wait_until(lambda: any(503 in writer.refusals for writer in writers), "the pool to be empty")
            assert (await alice.get("/healthz")).status_code == 200
        await asyncio.gather(*writing)
        found = (await alice.get("/api/comments/?commentable_type=Article&commentable_id=1")).json()["comments"]
        assert sorted(comment["body"] for comment in found) == ["0", "1", "2", "3", "Before"]
