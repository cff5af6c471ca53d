"""Logins over HTTP: their list, their expiry, and their end."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update

from app import maintenance
from app.accounts import logins
from app.accounts.logins import ABSOLUTE_TIMEOUT, ACTIVITY_INTERVAL, IDLE_TIMEOUT, Login
from app.accounts.user import User
from tests.support.database import read_seq
from tests.support.people import (
    ARTICLE,
    COOKIE,
    email_of,
    me,
    read_json,
    sign_in,
    sign_up,
    snapshot,
    write,
)
from tests.support.problems import read_problem
from tests.support.serving import serving
from tests.support.sse import open_stream
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import httpx

    from app.live.service import Parley
    from app.settings import Settings
    from tests.support.serving import Site

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36"
)
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5"
    " Mobile/15E148 Safari/604.1"
)


async def list_logins(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read_json(await client.get("/api/logins"), 200)["logins"]
    return found


async def read_sign_ins(client: httpx.AsyncClient) -> dict[str, Any]:
    found: dict[str, Any] = read_json(await client.get("/api/logins"), 200)["sign_ins"]
    return found


async def current_id(client: httpx.AsyncClient) -> str:
    """The id of this browser's login."""
    first = (await list_logins(client))[0]
    assert first["current"]
    return str(first["id"])


async def read_row(site_parley: Parley, id: str) -> Login:
    async with site_parley.reading() as reading:
        row = await reading.get(Login, UUID(id))
    assert row
    return row


async def pass_time(site_parley: Parley, by: timedelta) -> None:
    """Move the times of every login back, as if this time had passed without requests."""
    async with site_parley.database.transaction() as writing, writing.begin():
        for login in (await writing.scalars(select(Login))).all():
            login.created_at -= by
            login.seen_at = login.seen_at and login.seen_at - by
            login.expires_at = login.expires_at and login.expires_at - by


# -- the list -----------------------------------------------------------------------------------------------


async def test_alice_sees_where_she_is_signed_in(site: Site) -> None:
    async with AsyncExitStack() as open_:
        places = (
            (FIREFOX, "203.0.113.7", False),
            (CHROME, "2001:db8::7", True),
            (PHONE, "198.51.100.3", False),
        )
        browsers = []
        for number, (agent, address, remember) in enumerate(places):
            headers = {"User-Agent": agent, "X-Forwarded-For": address}
            browsers.append(await open_.enter_async_context(site.client(headers=headers)))
            await (sign_in(browsers[-1], "Alice", remember_me=remember) if number else sign_up(browsers[-1], "Alice"))
        seen = await list_logins(browsers[0])
        assert [login.keys() for login in seen] == [
            {"id", "device", "address", "created_at", "seen_at", "remembered", "current"}
        ] * 3
        assert [(login["device"], login["address"], login["remembered"]) for login in seen] == [
            ("Firefox on Linux", "203.0.113.7", False),
            ("Mobile Safari on iOS", "198.51.100.3", False),
            ("Chrome on Windows", "2001:db8::7", True),
        ], "this one first, then the newest"
        assert [login["current"] for login in seen] == [True, False, False]
        for login in seen:
            began = datetime.fromisoformat(login["created_at"])
            assert timedelta() <= datetime.now(UTC) - began < timedelta(minutes=1)
            assert login["seen_at"] >= login["created_at"]


async def test_the_logins_of_others_are_not_in_alices_list(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    assert len(await list_logins(alice)) == len(await list_logins(bob)) == 1
    assert await current_id(alice) != await current_id(bob)
    read_problem(await guest.get("/api/logins"), 401)
    read_problem(await guest.delete("/api/logins"), 401)
    read_problem(await guest.delete(f"/api/logins/{await current_id(alice)}"), 401)


@pytest.mark.parametrize("agent", ["", "curl/8.5.0", "x" * 10_000, "(" * 400, "<b>Firefox</b>", "\xff\xfe"])
async def test_a_device_is_described_in_a_few_words(sqlite_site: Site, agent: str) -> None:
    async with sqlite_site.client(headers={"User-Agent": agent.encode("latin-1")}) as alice:
        await sign_up(alice, "Alice")
        (login,) = await list_logins(alice)
        assert len(login["device"]) <= 100
        assert "<" not in login["device"]


async def test_only_a_trusted_proxy_decides_the_address_of_a_login(settings: Settings) -> None:
    from app.main import create_app

    headers = {"X-Forwarded-For": "203.0.113.7", "X-Real-IP": "203.0.113.7"}
    async with (
        serving(create_app(settings), forwarded_allow_ips="192.0.2.1") as site,
        site.client(headers=headers) as alice,
    ):
        await sign_up(alice, "Alice")
        assert [login["address"] for login in await list_logins(alice)] == ["127.0.0.1"]


async def test_an_account_shows_its_current_and_its_previous_sign_in(site: Site, site_parley: Parley) -> None:
    headers = {"X-Forwarded-For": "203.0.113.1"}
    async with site.client(headers=headers) as alice, site.client() as elsewhere:
        user = await sign_up(alice, "Alice")
        assert await read_sign_ins(alice) == {"count": 1, "last_at": None, "last_address": None}
        began = (await list_logins(alice))[0]["created_at"]
        await sign_in(elsewhere, "Alice")
        read_problem(await elsewhere.post("/api/session", json={"email": email_of("Alice"), "password": "wrong"}), 401)
        told = await read_sign_ins(alice)
        assert (told["count"], told["last_address"]) == (2, "203.0.113.1")
        apart = datetime.fromisoformat(told["last_at"]) - datetime.fromisoformat(began)
        assert abs(apart) < timedelta(seconds=5)
    async with site_parley.reading() as reading:
        row = await reading.get(User, UUID(user["id"]))
    assert row
    assert (row.sign_in_count, row.signed_in_address, row.last_signed_in_address) == (2, "127.0.0.1", "203.0.113.1")
    assert row.signed_in_at
    assert row.last_signed_in_at
    assert row.signed_in_at > row.last_signed_in_at


# -- ending them --------------------------------------------------------------------------------------------


async def test_alice_ends_the_login_on_the_library_computer(
    alice: httpx.AsyncClient, site: Site, site_parley: Parley
) -> None:
    async with site.client() as library, site.client() as at_work:
        for client in (library, at_work):
            await sign_in(client, "Alice", remember_me=True)
        id_, stolen = await current_id(library), dict(library.cookies)
        async with open_stream(library, "Article/1") as there, open_stream(at_work, "Article/1") as elsewhere:
            for stream in (there, elsewhere):
                await stream.next()
            response = await alice.delete(f"/api/logins/{id_}")
            assert (response.status_code, response.content) == (204, b"")
            assert (await there.until("auth")).json() == {"reason": "ended"}
            await there.ended()
            await write(alice, "Still here")
            await elsewhere.until("create.success")
            assert "auth" not in {block.event for block in elsewhere.blocks}
        async with site.client(cookies=stolen) as thief:
            for client in (library, thief):
                assert await me(client) is None
                read_problem(await client.post("/api/comments/", json={**ARTICLE, "body": "Me"}), 401)
                async with open_stream(client, "Article/1") as stream:
                    assert (await stream.until("auth")).json() == {"reason": "ended"}
        seq = await read_seq(site_parley, f"User/{(await me(alice) or {})['id']}")
        assert (await alice.delete(f"/api/logins/{id_}")).status_code == 204, "a second time is no error"
        assert await read_seq(site_parley, f"User/{(await me(alice) or {})['id']}") == seq
        assert len(await list_logins(alice)) == 2


async def test_alice_ends_all_her_other_logins(alice: httpx.AsyncClient, bob: httpx.AsyncClient, site: Site) -> None:
    async with AsyncExitStack() as open_:
        others = [await open_.enter_async_context(site.client()) for _ in range(3)]
        for client in others:
            await sign_in(client, "Alice")
        streams = [await open_.enter_async_context(open_stream(client)) for client in others]
        mine = await open_.enter_async_context(open_stream(alice, "Article/1"))
        for stream in (*streams, mine):
            await stream.next()
        for _ in range(2):
            assert (await alice.delete("/api/logins")).status_code == 204
        for stream in streams:
            assert (await stream.until("auth")).json() == {"reason": "ended"}
            await stream.ended()
        await write(alice, "Still here")
        assert (await mine.next_event()).model["body"] == "Still here"
        assert [login["current"] for login in await list_logins(alice)] == [True]
        assert await me(bob) is not None


async def test_nobody_ends_anothers_login(alice: httpx.AsyncClient, bob: httpx.AsyncClient) -> None:
    hers = await current_id(alice)
    for id_ in (hers, hers.upper(), str(uuid4()), (await me(alice) or {})["id"], "nonsense", "x" * 300):
        problem = read_problem(await bob.delete(f"/api/logins/{id_}"), 404)
        assert problem["detail"] == "This sign-in has already ended."
    read_problem(await bob.delete("/api/logins/%00"), 404)
    assert await me(alice) is not None


async def test_ending_the_current_login_signs_out(alice: httpx.AsyncClient) -> None:
    async with open_stream(alice, "Article/1") as stream:
        await stream.next()
        assert (await alice.delete(f"/api/logins/{await current_id(alice)}/")).status_code == 204
        assert (await stream.until("auth")).json() == {"reason": "signed_out"}
    assert COOKIE not in alice.cookies
    assert await me(alice) is None


async def test_an_ended_login_keeps_no_device_and_no_address(
    alice: httpx.AsyncClient, site: Site, site_parley: Parley
) -> None:
    async with site.client(headers={"User-Agent": FIREFOX, "X-Forwarded-For": "203.0.113.7"}) as library:
        await sign_in(library, "Alice")
        id_ = await current_id(library)
    await alice.delete("/api/logins")
    row = await read_row(site_parley, id_)
    assert (row.address, row.device, row.ended) == ("", "", "ended")
    async with site_parley.database.transaction() as writing, writing.begin():
        await writing.execute(
            update(Login).where(Login.id == row.id).values(deleted_at=row.created_at - logins.ENDED_LOGIN_RETENTION)
        )
    await maintenance.run_once(site_parley)
    async with site_parley.reading() as reading:
        assert await reading.get(Login, UUID(id_)) is None, "a month later the row is deleted"


# -- one browser, one login ---------------------------------------------------------------------------------


async def test_a_second_sign_in_replaces_the_login_of_the_browser(alice: httpx.AsyncClient, site: Site) -> None:
    old = dict(alice.cookies)
    async with open_stream(alice, "Article/1") as stream:
        await stream.next()
        await sign_in(alice, "Alice", remember_me=True)
        assert (await stream.until("auth")).json() == {"reason": "replaced"}
        await stream.ended()
    assert [login["current"] for login in await list_logins(alice)] == [True]
    async with site.client(cookies=old) as thief:
        assert await me(thief) is None


async def test_somebody_else_signing_in_ends_alices_login_in_this_browser(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, site: Site
) -> None:
    old = dict(alice.cookies)
    async with open_stream(alice, "Article/1") as stream:
        await stream.next()
        await sign_in(alice, "Bob")
        assert (await stream.until("auth")).json() == {"reason": "replaced"}
    assert (await me(alice) or {})["username"] == "Bob"
    async with site.client(cookies=old) as thief:
        assert await me(thief) is None
    await sign_up(alice, "Carol")
    assert len(await list_logins(bob)) == 1, "a sign-up replaces it, too"


async def test_a_failed_sign_in_changes_nothing(alice: httpx.AsyncClient) -> None:
    read_problem(await alice.post("/api/session", json={"email": email_of("Bob"), "password": "wrong"}), 401)
    assert (await me(alice) or {})["username"] == "Alice"


async def test_the_number_of_logins_of_an_account_is_bounded(
    alice: httpx.AsyncClient, site: Site, site_parley: Parley, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The least recently used login ends."""
    monkeypatch.setattr(logins, "MAX_LOGINS", 3)
    async with AsyncExitStack() as open_:
        others = [await open_.enter_async_context(site.client()) for _ in range(4)]
        await sign_in(others[0], "Alice")
        await sign_in(others[1], "Alice")
        await pass_time(site_parley, 2 * ACTIVITY_INTERVAL)
        await me(alice)  # uses the oldest login
        await wait_until(lambda: _is_noted(alice, site_parley), "the activity to be stored")
        async with open_stream(others[0], "Article/1") as stream:
            await stream.next()
            await sign_in(others[2], "Alice")
            assert (await stream.until("auth")).json() == {"reason": "expired"}
        assert [await me(client) is not None for client in (alice, *others[:3])] == [True, False, True, True]
        await sign_in(others[3], "Alice")
        assert len(await list_logins(others[3])) == 3


async def _is_noted(client: httpx.AsyncClient, site_parley: Parley) -> bool:
    seen = (await read_row(site_parley, await current_id(client))).seen_at
    return seen is not None and datetime.now(UTC) - seen < timedelta(minutes=1)


# -- time ---------------------------------------------------------------------------------------------------


def test_the_timeouts_are_those_of_the_documentation() -> None:
    days = {
        kind: [limits[remember] / timedelta(days=1) for remember in (False, True)]
        for kind, limits in (("idle", IDLE_TIMEOUT), ("absolute", ABSOLUTE_TIMEOUT))
    }
    assert days == {"idle": [1, 14], "absolute": [7, 30]}


@pytest.mark.parametrize("remember", [False, True])
async def test_a_login_that_nobody_uses_expires(guest: httpx.AsyncClient, site_parley: Parley, remember: bool) -> None:
    await sign_up(guest, "Carol")
    await sign_in(guest, "Carol", remember_me=remember)
    id_ = await current_id(guest)
    await pass_time(site_parley, IDLE_TIMEOUT[remember] - timedelta(minutes=1))
    async with site_parley.reading() as reading:
        viewer, _ = await logins.viewer_of(reading, UUID(id_))
    assert viewer.signed_in
    await pass_time(site_parley, timedelta(minutes=2))
    assert await me(guest) is None
    read_problem(await guest.get("/api/logins"), 401)
    async with open_stream(guest, "Article/1") as stream:
        assert (await stream.until("auth")).json() == {"reason": "expired"}


@pytest.mark.parametrize("remember", [False, True])
async def test_a_login_in_daily_use_ends_at_the_absolute_limit(
    guest: httpx.AsyncClient, site_parley: Parley, remember: bool
) -> None:
    await sign_up(guest, "Carol")
    await sign_in(guest, "Carol", remember_me=remember)
    step = IDLE_TIMEOUT[remember] - timedelta(hours=1)
    passed = timedelta()
    while passed + step < ABSOLUTE_TIMEOUT[remember]:
        await pass_time(site_parley, step)
        passed += step
        assert await me(guest) is not None, f"signed out after {passed}"
        await wait_until(lambda: _is_noted(guest, site_parley), "the activity to be stored")
    row = await read_row(site_parley, await current_id(guest))
    assert row.expires_at
    assert abs(row.expires_at - (row.created_at + ABSOLUTE_TIMEOUT[remember])) < timedelta(seconds=1)
    await pass_time(site_parley, ABSOLUTE_TIMEOUT[remember] - passed)
    assert await me(guest) is None


async def test_a_request_is_activity_and_an_open_stream_is_not(
    alice: httpx.AsyncClient, site_parley: Parley, settings: Settings
) -> None:
    """The person may have left an open page."""
    from app.main import create_app

    id_ = await current_id(alice)
    await pass_time(site_parley, 2 * ACTIVITY_INTERVAL)
    before = await read_row(site_parley, id_)
    quick = settings.model_copy(update={"heartbeat_seconds": 0.05})
    async with serving(create_app(quick)) as site, site.client(cookies=alice.cookies) as same_alice:
        async with open_stream(same_alice, "Article/1") as stream:
            for _ in range(5):
                assert (await stream.next()).event == "heartbeat"
            await wake_stream(site_parley)
        await same_alice.get("/streams", params={"topic": "Article/1", "once": 1})
        await same_alice.head("/streams/", params={"topic": "Article/1"})
    row = await read_row(site_parley, id_)
    assert (row.seen_at, row.expires_at) == (before.seen_at, before.expires_at)
    await snapshot(alice)
    await wait_until(lambda: _is_noted(alice, site_parley), "the activity to be stored")
    row = await read_row(site_parley, id_)
    assert before.expires_at
    assert row.expires_at
    assert row.expires_at > before.expires_at


async def wake_stream(site_parley: Parley) -> None:
    """Wake the stream, which then checks its login again."""
    site_parley.feeds.resync()


async def test_activity_is_stored_every_five_minutes_at_most(alice: httpx.AsyncClient, site_parley: Parley) -> None:
    """Most requests that read cause no write."""
    id_ = await current_id(alice)
    for _ in range(5):
        await me(alice)
    await site_parley._work.drain(1)
    assert (await read_row(site_parley, id_)).seen_at is None
    await pass_time(site_parley, ACTIVITY_INTERVAL + timedelta(seconds=1))
    await me(alice)
    noted = await wait_until(lambda: _seen_at(site_parley, id_), "the activity to be stored")
    for _ in range(5):
        await me(alice)
    await site_parley._work.drain(1)
    assert (await read_row(site_parley, id_)).seen_at == noted


async def _seen_at(site_parley: Parley, id: str) -> datetime | None:
    return (await read_row(site_parley, id)).seen_at


async def test_storing_activity_takes_no_seq_and_wakes_nobody(alice: httpx.AsyncClient, site_parley: Parley) -> None:
    topic = f"User/{(await me(alice) or {})['id']}"
    before = await read_seq(site_parley, topic)
    id_ = await current_id(alice)
    await pass_time(site_parley, 2 * ACTIVITY_INTERVAL)
    async with open_stream(alice, "Article/1") as stream:
        await stream.next()
        await me(alice)
        await wait_until(lambda: _seen_at(site_parley, id_), "the activity to be stored")
        await write(alice, "Still here")
        assert (await stream.next_event()).model["body"] == "Still here"
    assert await read_seq(site_parley, topic) == before


async def test_the_streams_of_expired_logins_end(alice: httpx.AsyncClient, site: Site, site_parley: Parley) -> None:
    async with site.client() as fresh, open_stream(alice, "Article/1") as stream:
        await stream.next()
        await pass_time(site_parley, IDLE_TIMEOUT[False])
        await sign_in(fresh, "Alice")
        async with open_stream(fresh, "Article/1") as going_on:
            await going_on.next()
            await maintenance.run_once(site_parley)
            assert (await stream.until("auth")).json() == {"reason": "expired"}
            await stream.ended()
            await write(fresh, "Still here")
            await going_on.until("create.success")
            assert "auth" not in {block.event for block in going_on.blocks}
        assert len(await list_logins(fresh)) == 1, "expired logins are not listed"


async def test_a_login_of_an_earlier_release_stays_valid(alice: httpx.AsyncClient, site_parley: Parley) -> None:
    """An earlier release created rows without an expiry. The first request sets it."""
    id_ = await current_id(alice)
    async with site_parley.database.transaction() as writing, writing.begin():
        await writing.execute(
            update(Login).values(expires_at=None, seen_at=None, created_at=datetime.now(UTC) - ACTIVITY_INTERVAL * 2)
        )
    assert await me(alice) is not None
    assert len(await list_logins(alice)) == 1
    await wait_until(lambda: _seen_at(site_parley, id_), "the activity to be stored")
    assert (await read_row(site_parley, id_)).expires_at


async def test_ids_of_logins_have_128_random_bits(alice: httpx.AsyncClient, site_parley: Parley) -> None:
    """OWASP ASVS 7.2.3 demands 128 bits, and UUIDs of version 4 have 122."""
    versions = set()
    for _ in range(20):
        await sign_in(alice, "Alice")
        versions.add((UUID(await current_id(alice)).version, UUID(await current_id(alice)).variant))
    assert len(versions) > 1
