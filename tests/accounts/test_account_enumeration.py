"""No response reveals whether an address has an account: not by its status, words, headers or duration.

Instead of durations, the tests compare the work: each statement, and each password hash with its parameters. A hash
takes far longer than everything else, so a response without one would be faster.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from limits import parse
from sqlalchemy import event

from app import database, sqlite
from app.accounts import login_throttle, passwords
from app.http import rate_limits
from tests.support.people import PASSWORD, email_of, person, read_json
from tests.support.problems import read_problem
from tests.support.serving import serving
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from app.live.service import Parley
    from app.settings import Settings
    from tests.support.serving import Site

HASH = "argon2"

Asking = Callable[[httpx.AsyncClient, int], Awaitable[httpx.Response]]

# These headers may differ between two responses.
VARYING_HEADERS = {"date", "set-cookie", "retry-after", "x-request-id"}


pytestmark = pytest.mark.sqlite_only  # recipients do not depend on the database


@pytest.fixture(autouse=True)
def high_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests repeat requests. The server counts them as usual, and their limits are higher."""
    monkeypatch.setattr(login_throttle, "MAX_FAILURES", 1_000)
    monkeypatch.setattr(rate_limits, "MAIL", replace(rate_limits.MAIL, by_account=parse("1000 per hour")))


@pytest.fixture
async def strict_site(settings: Settings) -> AsyncIterator[Site]:
    """A site that demands a confirmed address."""
    from app.main import create_app

    async with serving(create_app(settings.model_copy(update={"require_confirmation": True}))) as site:
        yield site


@pytest.fixture(autouse=True)
def no_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mail is sent in the background, and the statements for it would be counted with those of a request."""
    from app import main

    async def nothing(parley: Parley) -> None:
        pass

    monkeypatch.setattr(main, "send_due_mail", nothing)
    monkeypatch.setattr(main, "keep_queueing", nothing)


@pytest.fixture(autouse=True)
def work(monkeypatch: pytest.MonkeyPatch, cheap_passwords: None) -> list[str]:
    """The statements to every database and the password hashes, in the order of their execution."""
    done: list[str] = []
    hasher = passwords._hasher()

    def watched(make: Callable[..., Any], *args: Any, **options: Any) -> Any:
        engine = make(*args, **options)
        blocking = getattr(engine, "sync_engine", engine)
        event.listen(blocking, "before_cursor_execute", lambda *call: done.append(call[2]))
        return engine

    class Watched:
        def hash(self, text: str) -> str:
            done.append(f"{HASH}: hash")
            return hasher.hash(text)

        def verify(self, text: str, hash: str) -> bool:
            done.append(f"{HASH}: verify {hash.split('$')[1:4]}")  # its parameters
            return hasher.verify(text, hash)

    monkeypatch.setattr(database, "create_async_engine", partial(watched, database.create_async_engine))
    monkeypatch.setattr(sqlite, "create_engine", partial(watched, sqlite.create_engine))
    monkeypatch.setattr(passwords, "_hasher", Watched)
    return done


async def compare(
    site: Site, work: list[str], known: Asking, unknown: Asking, *, alike: bool = True
) -> tuple[httpx.Response, ...]:
    """Make both requests, each with a new browser; fail if the responses or the work differ.

    With `alike` all statements must be equal, otherwise only the hashes.
    """
    # Until Redis is there, a process counts requests in memory. The first count in Redis costs a statement.
    await wait_until(lambda: site.state.parley.hints.flowing, "Redis")
    answers: dict[Asking, httpx.Response] = {}
    done: dict[Asking, list[str]] = {}
    for number in range(2):  # the first time also loads caches
        for ask in (known, unknown):
            async with site.client(timeout=60) as stranger:
                await stranger.get("/healthz")  # opens the connection
                work.clear()
                answers[ask] = await ask(stranger, number)
                done[ask] = [step for step in work if alike or step.startswith(HASH)]
    one, other = answers[known], answers[unknown]
    assert one.status_code == other.status_code
    assert _headers(one) == _headers(other)
    assert done[known] == done[unknown]
    return one, other


def _headers(response: httpx.Response) -> dict[str, str]:
    headers = {name: value for name, value in response.headers.items() if name not in VARYING_HEADERS}
    headers.pop("content-length")  # depends on the length of the address
    return headers


def signing_in(name: str, password: str) -> Asking:
    async def ask(stranger: httpx.AsyncClient, number: int) -> httpx.Response:
        return await stranger.post("/api/session", json={"email": email_of(name), "password": password})

    return ask


async def test_a_sign_in_does_not_reveal_an_account(site: Site, work: list[str]) -> None:
    async with person(site, "Alice"):
        wrong, nobody = await compare(site, work, signing_in("Alice", "wrong"), signing_in("Nobody", "wrong"))
    assert read_problem(wrong, 401) == read_problem(nobody, 401)


async def test_a_sign_in_does_not_reveal_an_unconfirmed_account(strict_site: Site, work: list[str]) -> None:
    async with strict_site.client() as guest:
        form = {"email": email_of("Alice"), "username": "Alice", "password": PASSWORD}
        read_json(await guest.post("/api/users", json=form), 202)
    right, nobody = await compare(strict_site, work, signing_in("Alice", PASSWORD), signing_in("Nobody", PASSWORD))
    assert read_problem(right, 401) == read_problem(nobody, 401)


async def test_a_sign_in_does_not_reveal_a_locked_account(
    site: Site, site_parley: Parley, work: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login_throttle, "MAX_FAILURES", 1)
    async with person(site, "Alice"), site_parley.database.transaction() as writing, writing.begin():
        for name in ("Alice", "Nobody"):
            await login_throttle.count_failure(writing, login_throttle.key_of("address", email_of(name)))
    right, nobody = await compare(site, work, signing_in("Alice", PASSWORD), signing_in("Nobody", PASSWORD))
    assert {**read_problem(right, 429), "detail": ""} == {**read_problem(nobody, 429), "detail": ""}
    assert abs(int(right.headers["retry-after"]) - int(nobody.headers["retry-after"])) <= 10


@pytest.mark.parametrize("path", ["/api/resets", "/api/confirmations", "/api/unlocks"])
async def test_a_request_for_a_link_does_not_reveal_an_account(site: Site, work: list[str], path: str) -> None:
    def asking(name: str) -> Asking:
        async def ask(stranger: httpx.AsyncClient, number: int) -> httpx.Response:
            return await stranger.post(path, json={"email": email_of(name)})

        return ask

    async with person(site, "Alice"):
        known, unknown = await compare(site, work, asking("Alice"), asking("Someb"))
    assert read_json(known, 202) == {"email": email_of("Alice")}
    assert read_json(unknown, 202) == {"email": email_of("Someb")}


async def test_a_sign_up_does_not_reveal_an_account(strict_site: Site, work: list[str]) -> None:
    """One request writes a new row and the other one a mail. The hash takes far longer, and both need it."""

    def signing_up(email: str, name: str) -> Asking:
        async def ask(stranger: httpx.AsyncClient, number: int) -> httpx.Response:
            form = {"email": email.format(number), "username": f"{name} {number}", "password": PASSWORD}
            return await stranger.post("/api/users", json=form)

        return ask

    async with strict_site.client() as guest:
        form = {"email": email_of("Alice"), "username": "Alice", "password": PASSWORD}
        read_json(await guest.post("/api/users", json=form), 202)
    taken, free = await compare(
        strict_site,
        work,
        signing_up(email_of("Alice"), "Other"),
        signing_up("new{}@example.com", "Newcomer"),
        alike=False,
    )
    assert read_json(taken, 202).keys() == read_json(free, 202).keys() == {"email"}


async def test_a_sign_up_does_not_reveal_the_address_of_a_name(site: Site, strict_site: Site, work: list[str]) -> None:
    """Everybody sees the names above comments. Signing up with many addresses does not reveal the owner's address."""

    def signing_up_as_alice(email: str) -> Asking:
        async def ask(stranger: httpx.AsyncClient, number: int) -> httpx.Response:
            form = {"email": email.format(number), "username": "Alice", "password": PASSWORD}
            return await stranger.post("/api/users", json=form)

        return ask

    async with person(site, "Alice"):
        owners, others = await compare(
            strict_site, work, signing_up_as_alice(email_of("Alice")), signing_up_as_alice("new{}@example.com")
        )
    assert read_problem(owners, 422, "username") == read_problem(others, 422, "username")


async def test_a_change_of_address_does_not_reveal_an_account(site: Site, work: list[str]) -> None:
    async with person(site, "Alice") as alice, person(site, "Bob"), person(site, "Carol"):

        def changing(*names: str) -> Asking:  # in turn, because the same address again changes nothing
            async def ask(stranger: httpx.AsyncClient, number: int) -> httpx.Response:
                form = {"email": email_of(names[number % 2]), "current_password": PASSWORD}
                return await alice.put("/api/account/email", json=form)

            return ask

        taken, free = await compare(site, work, changing("Bob", "Carol"), changing("Yan", "Zoe"))
        assert {**read_json(taken, 202), "unconfirmed_email": ""} == {**read_json(free, 202), "unconfirmed_email": ""}
