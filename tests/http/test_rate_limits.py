"""Rate limits for each address and each account, on requests that are expensive or disturb others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from limits import parse

from app.errors import TooMany
from app.http import rate_limits
from app.http.client_addresses import TIMES_OF_48, TIMES_OF_MACHINE, Network
from app.http.rate_limits import Limit
from tests.support.front_end import static
from tests.support.people import ARTICLE, NEW_PASSWORD, PASSWORD, email_of, person, read_json, sign_in, sign_up, write
from tests.support.problems import read_problem
from tests.support.serving import serving
from tests.support.sse import Parser, open_stream
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import httpx

    from app.live.service import Parley
    from app.settings import Settings
    from tests.support.redis import RedisServer
    from tests.support.serving import Site

MAX_REQUESTS = 3  # of each kind in these tests
OFFICE = "192.0.2.200"  # the address of everybody, by default

NAMES = ["SIGN_IN", "SIGN_UP", "MAIL", "COMMENT", "TYPING", "STREAM"]


pytestmark = pytest.mark.sqlite_only  # counts are not in the database


@pytest.fixture
async def site(settings: Settings) -> AsyncIterator[Site]:
    """A site that is connected to Redis, which has the counts of all processes."""
    from app.main import create_app

    async with serving(create_app(settings)) as site:
        await wait_for_redis(site)
        yield site


@pytest.fixture
async def guest(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with site.client(headers=from_address(OFFICE)) as guest:
        yield guest


@pytest.fixture
async def alice(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with person(site, "Alice") as alice:
        alice.headers.update(from_address(OFFICE))
        yield alice


@pytest.fixture
async def bob(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with person(site, "Bob") as bob:
        bob.headers.update(from_address(OFFICE))
        yield bob


async def wait_for_redis(*sites: Site) -> None:
    parleys: list[Parley] = [site.state.parley for site in sites]
    await wait_until(lambda: all(parley.hints.flowing for parley in parleys), "Redis")


class LowLimits:
    """Limits that a test can reach. People sign up before a test sets them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def by_address(self, name: str, per: str = f"{MAX_REQUESTS} per hour") -> None:
        self._change(name, by_address=parse(per))

    def by_account(self, name: str, per: str = f"{MAX_REQUESTS} per hour") -> None:
        self._change(name, by_account=parse(per))

    def _change(self, name: str, **changed: Any) -> None:
        limit: Limit = getattr(rate_limits, name)
        for field, value in changed.items():  # in place: endpoints have the object
            self._monkeypatch.setattr(limit, field, value)


@pytest.fixture
def low_limits(monkeypatch: pytest.MonkeyPatch) -> LowLimits:
    return LowLimits(monkeypatch)


def too_many(response: httpx.Response, within: int = 3600) -> int:
    """Check that a response is a 429, and return the seconds to wait."""
    problem = read_problem(response, 429)
    assert "Too many attempts. Try again in " in problem["detail"]
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    seconds = int(response.headers["retry-after"])
    # The window slides, so the oldest request may leave it a moment later.
    assert 1 <= seconds <= within + 1
    return seconds


def from_address(address: str) -> dict[str, str]:
    """The header by which a trusted proxy on this machine names the client's address."""
    return {"X-Forwarded-For": address}


def form_of(name: str) -> dict[str, str]:
    return {"email": email_of(name), "username": name, "password": PASSWORD}


# -- kinds of requests --------------------------------------------------------------------------------------


async def test_sign_ins_are_limited(alice: httpx.AsyncClient, guest: httpx.AsyncClient, low_limits: LowLimits) -> None:
    low_limits.by_address("SIGN_IN", f"{MAX_REQUESTS} per 5 minutes")
    for _ in range(MAX_REQUESTS):
        await sign_in(guest, "Alice")
    too_many(await guest.post("/api/session", json=form_of("Alice")), 300)
    too_many(await guest.post("/api/session", json=form_of("Nobody")), 300)
    await write(alice, "Whoever is in may go on")


PROOFS = {
    "a new password": ("PUT", "/api/account/password", {"password": NEW_PASSWORD, "current_password": "x"}),
    "leaving": ("POST", "/api/account/deletion", {"comments": "keep", "current_password": "x"}),
    "a link to a new password": ("PUT", "/api/resets", {"token": "x", "password": NEW_PASSWORD}),
    "a link that confirms": ("PUT", "/api/confirmations", {"token": "x"}),
    "a link that unlocks": ("PUT", "/api/unlocks", {"token": "x"}),
}


@pytest.mark.parametrize("proof", PROOFS.values(), ids=PROOFS.keys())
async def test_all_other_requests_with_a_secret_are_limited(
    alice: httpx.AsyncClient, low_limits: LowLimits, proof: tuple[str, str, dict[str, str]]
) -> None:
    method, path, form = proof
    low_limits.by_address("SIGN_IN")
    for _ in range(MAX_REQUESTS):
        assert (await alice.request(method, path, json=form)).status_code == 422
    too_many(await alice.request(method, path, json=form))


async def test_sign_ups_are_limited(guest: httpx.AsyncClient, low_limits: LowLimits) -> None:
    low_limits.by_address("SIGN_UP")
    for number in range(MAX_REQUESTS):
        await sign_up(guest, f"Carol {number}", email=f"carol{number}@example.com")
    too_many(await guest.post("/api/users", json=form_of("Dave")))


@pytest.mark.parametrize("path", ["/api/resets", "/api/confirmations", "/api/unlocks"])
async def test_requests_for_mail_to_one_address_are_limited(
    guest: httpx.AsyncClient, low_limits: LowLimits, path: str
) -> None:
    """The limit holds for all clients together, and for addresses without an account, too."""
    low_limits.by_account("MAIL")
    for number in range(MAX_REQUESTS):
        asked = {"email": email_of("Alice").upper() if number % 2 else email_of("Alice")}
        read_json(await guest.post(path, json=asked, headers=from_address(f"192.0.2.{number}")), 202)
    too_many(await guest.post(path, json={"email": email_of("Alice")}, headers=from_address("192.0.2.99")))
    read_json(await guest.post(path, json={"email": email_of("Bob")}), 202)


async def test_requests_for_mail_from_one_client_are_limited(guest: httpx.AsyncClient, low_limits: LowLimits) -> None:
    low_limits.by_address("MAIL")
    for number, path in enumerate(["/api/resets", "/api/confirmations", "/api/unlocks"]):
        read_json(await guest.post(path, json={"email": f"{number}@example.com"}), 202)
    too_many(await guest.post("/api/resets", json={"email": "somebody.else@example.com"}))


async def test_changes_of_an_address_are_limited(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, low_limits: LowLimits
) -> None:
    """Each sends a mail to a person who may not have asked for it."""
    low_limits.by_account("MAIL")
    for number in range(MAX_REQUESTS):
        form = {"email": f"{number}@example.com", "current_password": PASSWORD}
        read_json(await alice.put("/api/account/email", json=form, headers=from_address(f"192.0.2.{number}")), 202)
    too_many(await alice.put("/api/account/email", json=form))
    read_json(await bob.put("/api/account/email", json=form), 202)


async def test_writes_edits_and_deletions_are_limited(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, low_limits: LowLimits
) -> None:
    low_limits.by_account("COMMENT")
    comment = await write(alice, "One")
    path = f"/api/comments/{comment['id']}"
    await write(alice, "Two")
    assert (await alice.put(path, json={"body": "One, changed"})).status_code == 200
    for method in ("PUT", "PATCH", "DELETE"):
        too_many(await alice.request(method, path, json={"body": "Again"}))
    too_many(await alice.post("/api/comments/", json={**ARTICLE, "body": "Three"}))
    assert (await alice.get(path)).json()["body"] == "One, changed"
    await write(bob, "Another person may")


async def test_reports_are_limited(alice: httpx.AsyncClient, bob: httpx.AsyncClient, low_limits: LowLimits) -> None:
    low_limits.by_account("REPORT")
    path = f"/api/comments/{(await write(alice, 'Almonds'))['id']}/report"
    for number in range(MAX_REQUESTS):
        read_json(await bob.put(path, json={"reason": "spam", "note": str(number)}), 200)
    too_many(await bob.put(path, json={"reason": "spam"}))


async def test_writes_from_one_address_are_limited(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, low_limits: LowLimits
) -> None:
    low_limits.by_address("COMMENT")
    for person_ in (alice, bob, alice):
        await write(person_, "Hello")
    for person_ in (alice, bob):
        too_many(await person_.post("/api/comments/", json={**ARTICLE, "body": "Hello"}))
    assert (await alice.get("/api/comments/", params=ARTICLE)).status_code == 200, "reading does not count as writing"


async def test_a_repeated_post_does_not_count(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, low_limits: LowLimits
) -> None:
    """The response was lost, and the tab repeats the request with the same id."""
    comment = await write(alice, "Once", id=str(uuid4()))
    bobs = await write(bob, "Bob's", id=str(uuid4()))
    low_limits.by_account("COMMENT")
    for number in range(MAX_REQUESTS):
        await write(alice, str(number))
    again = {**ARTICLE, "body": "Once", "id": comment["id"]}
    for _ in range(2):
        assert read_json(await alice.post("/api/comments/", json=again), 200) == comment
    too_many(await alice.post("/api/comments/", json={**again, "id": str(uuid4())}))
    # The exception neither reveals ids of others nor bypasses the rules.
    read_problem(await alice.post("/api/comments/", json={**again, "id": bobs["id"]}), 409)
    read_problem(await alice.post("/api/comments/", json={**again, "commentable_id": "2"}), 409)


async def test_openings_of_streams_are_limited(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, low_limits: LowLimits
) -> None:
    """Any status but 200 would end an EventSource for ever, so the response is a 200 with a retry time."""
    low_limits.by_address("STREAM", f"{MAX_REQUESTS} per 5 minutes")
    async with open_stream(guest, "Article/1") as open_before:
        await open_before.next()
        for _ in range(MAX_REQUESTS - 1):
            async with open_stream(guest, "Article/1") as stream:
                await stream.next()
        response = await guest.get("/streams", params={"topic": "Article/1"})
        assert response.status_code == 200
        assert response.headers["content-type"].partition(";")[0] == "text/event-stream"
        assert "no-store" in response.headers["cache-control"]
        (block,) = Parser().feed(response.content)
        assert (block.event, block.data, block.id) == ("message", None, None)
        assert 1_000 <= (block.retry or 0) <= 2 * 301 * 1_000
        await write(alice, "Hello")
        await open_before.until("create.success")


async def test_reads_have_a_count_of_their_own(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, low_limits: LowLimits
) -> None:
    for name in NAMES:
        low_limits.by_address(name)
    for _ in range(3 * MAX_REQUESTS):
        for path in ("/", "/Article/1", "/account", "/reset", "/api/session", "/healthz", "/readyz"):
            assert (await guest.get(path)).status_code == 200
        assert (await alice.get("/api/logins")).status_code == 200


# -- addresses ----------------------------------------------------------------------------------------------


async def test_each_address_has_its_own_count(guest: httpx.AsyncClient, low_limits: LowLimits) -> None:
    low_limits.by_address("SIGN_IN")
    for address in ("192.0.2.1", "192.0.2.2", "2001:db8:1:1::1"):
        for _ in range(MAX_REQUESTS):
            read_problem(await guest.post("/api/session", json=form_of("Nobody"), headers=from_address(address)), 401)
        too_many(await guest.post("/api/session", json=form_of("Nobody"), headers=from_address(address)))


async def test_a_network_of_64_bits_has_one_count(guest: httpx.AsyncClient, low_limits: LowLimits) -> None:
    low_limits.by_address("SIGN_IN")
    for number in range(MAX_REQUESTS):
        address = from_address(f"2001:db8:1:2:{number}:{number}::{number}")
        read_problem(await guest.post("/api/session", json=form_of("Nobody"), headers=address), 401)
    there, next_door = from_address("2001:0DB8:1:2:ffff:ffff:ffff:ffff"), from_address("2001:db8:1:3::1")
    too_many(await guest.post("/api/session", json=form_of("Nobody"), headers=there))
    read_problem(await guest.post("/api/session", json=form_of("Nobody"), headers=next_door), 401)


async def test_a_client_does_not_choose_its_address(guest: httpx.AsyncClient, low_limits: LowLimits) -> None:
    """The address that the proxy appended counts, and not the ones that the client sent."""
    low_limits.by_address("SIGN_IN")
    for number in range(MAX_REQUESTS + 1):
        header = from_address(f"198.51.100.{number}, 192.0.2.7")
        response = await guest.post("/api/session", json=form_of("Nobody"), headers=header)
        assert response.status_code == (401 if number < MAX_REQUESTS else 429)


async def test_an_ipv4_address_mapped_to_ipv6_has_the_count_of_the_ipv4_address(
    guest: httpx.AsyncClient, low_limits: LowLimits
) -> None:
    """A server that listens on both protocols gets such addresses."""
    low_limits.by_address("SIGN_IN")
    for address in ("::ffff:192.0.2.1", "::ffff:192.0.2.2"):
        for _ in range(MAX_REQUESTS):
            read_problem(await guest.post("/api/session", json=form_of("Nobody"), headers=from_address(address)), 401)
        too_many(await guest.post("/api/session", json=form_of("Nobody"), headers=from_address(address)))


WRONG_LINK = {"token": "x"}  # counted like a sign-in, and answered with 422
NO_ADDRESSES = ["nonsense", "unknown", "192.0.2.77:", "192.0.2.78:x", "x" * 3_000, "[::1", "%s", "256.1.1.1", "::1::"]


async def test_invalid_addresses_share_one_count(guest: httpx.AsyncClient, low_limits: LowLimits) -> None:
    """A client that can choose the forwarded address does not escape the limit with invalid ones."""
    low_limits.by_address("SIGN_IN")
    answers = [
        await guest.put("/api/confirmations", json=WRONG_LINK, headers=from_address(address))
        for address in NO_ADDRESSES
    ]
    assert [answer.status_code for answer in answers] == [422] * MAX_REQUESTS + [429] * (
        len(NO_ADDRESSES) - MAX_REQUESTS
    )


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["::1"], ["127.0.0.1:9"], ["127.0.0.1", "127.0.0.1"], ["::1%1"]])
async def test_a_client_cannot_claim_to_be_this_machine(
    guest: httpx.AsyncClient, low_limits: LowLimits, addresses: list[str]
) -> None:
    low_limits.by_address("SIGN_IN")
    said = from_address(", ".join(addresses))
    for _ in range(MAX_REQUESTS):
        read_problem(await guest.put("/api/confirmations", json=WRONG_LINK, headers=said), 422, "token")
    too_many(await guest.put("/api/confirmations", json=WRONG_LINK, headers=said))


async def test_an_ipv4_address_has_one_count_in_all_ipv6_forms(guest: httpx.AsyncClient, low_limits: LowLimits) -> None:
    """A person with one IPv4 address has all of these: 6to4, NAT64, Teredo and mapped."""
    low_limits.by_address("SIGN_IN")
    teredo = "2001:0:4136:e378:8000:63bf:3fff:fdfe"  # of 192.0.2.1, each bit turned over
    for address in ("192.0.2.1", "2002:c000:201::1", "64:ff9b::c000:201"):
        read_problem(
            await guest.put("/api/confirmations", json=WRONG_LINK, headers=from_address(address)), 422, "token"
        )
    for address in (teredo, "::ffff:192.0.2.1", "2002:c000:201:7::9"):
        too_many(await guest.put("/api/confirmations", json=WRONG_LINK, headers=from_address(address)))


async def test_a_network_of_48_bits_has_a_multiple_of_the_limit(
    guest: httpx.AsyncClient, low_limits: LowLimits
) -> None:
    low_limits.by_address("SIGN_IN")
    answers = [
        await guest.put("/api/confirmations", json=WRONG_LINK, headers=from_address(f"2001:db8:77:{number:x}::1"))
        for number in range(TIMES_OF_48 * MAX_REQUESTS + 3)
    ]
    assert [answer.status_code for answer in answers] == [422] * TIMES_OF_48 * MAX_REQUESTS + [429] * 3
    elsewhere = from_address("2001:db8:78::1")
    read_problem(await guest.put("/api/confirmations", json=WRONG_LINK, headers=elsewhere), 422, "token")


async def test_a_network_of_64_bits_does_not_use_up_its_neighbours_count(
    guest: httpx.AsyncClient, low_limits: LowLimits
) -> None:
    low_limits.by_address("SIGN_IN")
    for _ in range(3 * TIMES_OF_48 * MAX_REQUESTS):
        await guest.put("/api/confirmations", json=WRONG_LINK, headers=from_address("2001:db8:79:1::1"))
    neighbour = from_address("2001:db8:79:2::1")
    read_problem(await guest.put("/api/confirmations", json=WRONG_LINK, headers=neighbour), 422, "token")


async def test_this_machine_is_not_counted_in_development(site: Site, low_limits: LowLimits) -> None:
    low_limits.by_address("SIGN_IN")
    low_limits.by_address("READ")
    async with site.client() as developer:
        for _ in range(2 * MAX_REQUESTS):
            read_problem(await developer.put("/api/confirmations", json=WRONG_LINK), 422, "token")
            assert (await developer.get("/")).status_code == 200


async def test_requests_of_a_proxy_without_forwarded_addresses_share_one_count(
    settings: Settings, low_limits: LowLimits
) -> None:
    from app.main import create_app

    low_limits.by_address("SIGN_IN")
    production = settings.model_copy(update={"environment": "production"})
    async with serving(create_app(production)) as site, site.client() as careless:
        await wait_for_redis(site)
        for _ in range(TIMES_OF_MACHINE * MAX_REQUESTS):
            read_problem(await careless.put("/api/confirmations", json=WRONG_LINK), 422, "token")
        too_many(await careless.put("/api/confirmations", json=WRONG_LINK))
        read_problem(
            await careless.put("/api/confirmations", json=WRONG_LINK, headers=from_address("192.0.2.9")), 422, "token"
        )


@pytest.mark.parametrize("last", ["192.0.2.40", "192.0.2.40:5{number}", "[2001:db8::40]:5{number}"])
async def test_the_nearest_proxy_decides_the_address_if_all_are_trusted(
    settings: Settings, low_limits: LowLimits, last: str
) -> None:
    """uvicorn would take the first address, which the client can choose if the proxy appends to the header."""
    from app.main import create_app

    low_limits.by_address("SIGN_IN")
    trusting = settings.model_copy(update={"forwarded_allow_ips": "*"})
    async with serving(create_app(trusting), forwarded_allow_ips="*") as site, site.client() as guest:
        await wait_for_redis(site)
        for number in range(MAX_REQUESTS):
            said = from_address(f"198.51.100.{number}, {last.format(number=number)}")
            read_problem(await guest.put("/api/confirmations", json=WRONG_LINK, headers=said), 422, "token")
        too_many(await guest.put("/api/confirmations", json=WRONG_LINK, headers=from_address(last.format(number=9))))


# -- reading ------------------------------------------------------------------------------------------------

PAGE = {"Accept": "text/html"}


async def test_reads_are_limited(guest: httpx.AsyncClient, alice: httpx.AsyncClient, low_limits: LowLimits) -> None:
    low_limits.by_address("READ")
    for path in ("/Article/1", "/api/comments/", "/docs"):
        assert (await guest.get(path, params=ARTICLE if "api" in path else None)).status_code == 200
    for path in ("/api/comments/", "/openapi.json", "/nowhere"):
        problem = read_problem(answer := await guest.get(path, params=ARTICLE), 429)
        assert "Too many requests. Try again in " in problem["detail"]
        assert 1 <= int(answer.headers["retry-after"]) <= 3600
    read_problem(await alice.get("/api/session"), 429)
    page = await guest.get("/Article/1", headers=PAGE)
    assert (page.status_code, page.headers["content-type"]) == (429, "text/html; charset=utf-8")
    assert "Too many requests." in page.text
    assert int(page.headers["retry-after"]) >= 1
    assert (await guest.get("/Article/1", headers=from_address("192.0.2.8"))).status_code == 200
    for path in ("/healthz", "/readyz", static("js/app.js"), "/embed.js", "/worker.js"):
        assert (await guest.get(path)).status_code == 200, path
    assert (await alice.post("/api/comments/", json={**ARTICLE, "body": "Hello"})).status_code == 201


def test_reads_are_counted_for_a_period_and_a_bounded_number_of_networks() -> None:
    now = 0.0
    counts = rate_limits.ReadCounts(lambda: now)
    per = parse("2 per 5 minutes")
    for number in range(rate_limits.MAX_READERS):
        counts.take((Network(str(number)),), per)
    for _ in range(2):  # all networks past the bound share a count
        counts.take((Network("one more"),), per)
    for name in ("one more", "another"):
        with pytest.raises(TooMany) as refusal:
            counts.take((Network(name),), per)
    assert refusal.value.seconds == 300
    counts.take((Network("7"),), per)
    now = 300.0
    for _ in range(2):
        counts.take((Network("one more"),), per)


# -- counts on Redis ----------------------------------------------------------------------------------------


async def test_two_servers_share_the_counts(settings: Settings, low_limits: LowLimits) -> None:
    from app.main import create_app

    async with (
        serving(create_app(settings)) as one,
        serving(create_app(settings)) as other,
        one.client(headers=from_address(OFFICE)) as here,
        other.client(headers=from_address(OFFICE)) as there,
    ):
        await wait_for_redis(one, other)
        low_limits.by_address("SIGN_IN", "4 per hour")
        for client in (here, there, here, there):
            read_problem(await client.post("/api/session", json=form_of("Nobody")), 401)
        for client in (here, there):
            too_many(await client.post("/api/session", json=form_of("Nobody")))


async def test_another_service_on_the_same_redis_has_its_own_counts(
    site: Site, settings: Settings, low_limits: LowLimits
) -> None:
    from app.main import create_app

    low_limits.by_address("SIGN_IN")
    neighbours = settings.model_copy(update={"redis_channel_name": f"comments-{uuid4().hex}"})
    async with (
        serving(create_app(neighbours)) as other,
        site.client(headers=from_address(OFFICE)) as here,
        other.client(headers=from_address(OFFICE)) as there,
    ):
        await wait_for_redis(other)
        for client in (here, there):
            for _ in range(MAX_REQUESTS):
                read_problem(await client.post("/api/session", json=form_of("Nobody")), 401)
            too_many(await client.post("/api/session", json=form_of("Nobody")))


@pytest.mark.parametrize("trouble", ["kill", "pause"])
async def test_each_server_counts_for_itself_without_redis(
    settings: Settings, redis_server: RedisServer, low_limits: LowLimits, trouble: str, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    from app.main import create_app

    monkeypatch.setattr(rate_limits, "REDIS_PAUSE_SECONDS", 3600.0)
    low_limits.by_address("SIGN_IN", "6 per hour")
    own = settings.model_copy(update={"redis_url": redis_server.url})
    async with serving(create_app(own)) as site, site.client(headers=from_address(OFFICE)) as guest:
        await wait_for_redis(site)
        read_problem(await guest.post("/api/session", json=form_of("Nobody")), 401)
        getattr(redis_server, trouble)()
        answers = [await guest.post("/api/session", json=form_of("Nobody")) for _ in range(7)]
        assert [answer.status_code for answer in answers] == [401] * 6 + [429]
        too_many(answers[-1])
        waits = [record for record in caplog.records if record.message.startswith("rate limits: Redis unavailable")]
        assert len(waits) <= 1, "one request waits for Redis, for half a second, and the next ones do not"
        assert rate_limits.REDIS_TIMEOUT_SECONDS <= 0.5
        redis_server.resume() if trouble == "pause" else redis_server.restart()


async def test_many_requests_at_once_wait_only_once_for_redis(
    settings: Settings, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty waits in parallel take the time of one. In sequence they would exceed the client's timeout."""
    from app.main import create_app

    monkeypatch.setattr(rate_limits, "REDIS_TIMEOUT_SECONDS", 3.0)
    own = settings.model_copy(update={"redis_url": redis_server.url})
    async with serving(create_app(own)) as site, site.client(headers=from_address(OFFICE)) as guest:
        await wait_for_redis(site)
        read_problem(await guest.put("/api/confirmations", json={"token": "x"}), 422, "token")
        redis_server.pause()
        answers = await asyncio.gather(*(guest.put("/api/confirmations", json={"token": "x"}) for _ in range(20)))
        redis_server.resume()
        assert {answer.status_code for answer in answers} == {422}


async def test_redis_gets_no_address(settings: Settings, redis_server: RedisServer) -> None:
    """Redis has hints and counts. Its readers must not learn the addresses of people who asked for mail."""
    from redis.asyncio import Redis

    from app.main import create_app

    own = settings.model_copy(update={"redis_url": redis_server.url})
    async with serving(create_app(own)) as site, person(site, "Alice") as alice:
        await wait_for_redis(site)
        for path in ("/api/resets", "/api/confirmations", "/api/unlocks"):
            read_json(await alice.post(path, json={"email": email_of("Alice")}), 202)
        async with Redis.from_url(redis_server.url) as redis:
            keys = [key.decode() async for key in redis.scan_iter()]
    assert keys, "the requests were counted on Redis"
    assert not [key for key in keys if "alice" in key.lower()]


# -- without limits -----------------------------------------------------------------------------------------


async def test_limits_can_be_switched_off(settings: Settings, low_limits: LowLimits) -> None:
    from app.main import create_app

    for name in NAMES:
        low_limits.by_address(name, "1 per hour")
    low_limits.by_address("READ", "1 per hour")
    off = settings.model_copy(update={"rate_limits": False})
    async with (
        serving(create_app(off)) as site,
        person(site, "Alice") as alice,
        site.client(headers=from_address(OFFICE)) as guest,
    ):
        for _ in range(3):
            await sign_in(guest, "Alice")
            await write(alice, "Hello")
            read_json(await guest.post("/api/resets", json={"email": email_of("Alice")}), 202)
            async with open_stream(guest, "Article/1") as stream:
                assert (await stream.next()).event == "heartbeat"


async def test_people_in_an_office_do_not_reach_the_limits(alice: httpx.AsyncClient) -> None:
    """The real limits: an office behind one address, in which everybody signs in at nine and writes."""
    per_second = {
        name: getattr(rate_limits, name).by_address.amount / getattr(rate_limits, name).by_address.get_expiry()
        for name in ("SIGN_IN", "COMMENT", "STREAM")
    }
    assert per_second["SIGN_IN"] >= 100 / 300
    assert per_second["COMMENT"] >= 1
    assert per_second["STREAM"] >= 5
    assert rate_limits.SIGN_UP.by_address.amount >= 100
    for number in range(30):
        await write(alice, str(number))


async def test_an_endless_address_is_refused_before_it_is_normalized(guest: httpx.AsyncClient) -> None:
    """To normalize so many accents would block the event loop for most of a second."""
    endless = "e" + "\u0301\u0327" * 15_000
    for path, form in (
        ("/api/resets", {"email": endless}),
        ("/api/users", {"email": "zoe@example.com", "username": endless, "password": PASSWORD}),
        ("/api/session", {"email": endless, "password": PASSWORD}),
    ):
        began = time.process_time()
        assert (await guest.post(path, json=form)).status_code in (401, 422)
        assert time.process_time() - began < 0.3, path
