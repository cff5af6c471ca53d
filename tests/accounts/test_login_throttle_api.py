"""Guessing: after ten wrong passwords there is a wait, for whoever guesses and not for the owner."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from app import maintenance
from app.accounts import login_throttle, logins, reauthentication
from app.accounts.login_throttle import FAILURES_EXPIRE_AFTER, FIRST_LOCK, LONGEST_LOCK, MAX_FAILURES, Failures
from app.accounts.passwords import verify_password
from tests.support.database import count_rows
from tests.support.mailbox import find_token, list_subjects, wait_for_mail
from tests.support.people import (
    DEVICE_COOKIE,
    NEW_PASSWORD,
    PASSWORD,
    email_of,
    me,
    person,
    read_json,
    sign_in,
    sign_up,
)
from tests.support.problems import read_problem
from tests.support.serving import serving

if TYPE_CHECKING:
    import httpx

    from app.live.service import Parley
    from app.settings import Settings
    from tests.support.serving import Site

LOCKED = "Your account is locked for a while"
AT_ONCE = 40  # guesses

pytestmark = pytest.mark.usefixtures("fast_mailer")


async def guess(client: httpx.AsyncClient, password: str = "wrong", name: str = "Alice") -> httpx.Response:
    return await client.post("/api/session", json={"email": email_of(name), "password": password})


async def guess_on(client: httpx.AsyncClient, times: int = MAX_FAILURES, name: str = "Alice") -> list[int]:
    return [(await guess(client, f"wrong {number}", name)).status_code for number in range(times)]


def wait_told(response: httpx.Response) -> int:
    """How many seconds a refused guesser is told to wait; in the header and in words."""
    problem = read_problem(response, 429)
    seconds = int(response.headers["retry-after"])
    assert problem["detail"].startswith("Too many attempts. Try again in ")
    assert problem["detail"].endswith((" seconds.", " minutes."))
    return seconds


async def time_passes(site_parley: Parley, by: timedelta) -> None:
    """Every count is so much older."""
    async with site_parley.database.transaction() as writing, writing.begin():
        for failures in (await writing.scalars(select(Failures))).all():
            failures.began_at -= by
            failures.failed_at -= by
            failures.locked_until = failures.locked_until and failures.locked_until - by


# -- strangers ----------------------------------------------------------------------------------------------


async def test_after_ten_wrong_passwords_even_the_right_one_has_to_wait(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    assert MAX_FAILURES == 10
    assert await guess_on(guest, MAX_FAILURES) == [401] * MAX_FAILURES
    assert 0 < wait_told(await guess(guest, PASSWORD)) <= FIRST_LOCK.total_seconds()
    assert await me(guest) is None
    assert (await me(alice) or {})["username"] == "Alice", "who is signed in is not put out"


async def test_known_and_unknown_addresses_are_told_the_same(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    answers = {}
    for name in ("Alice", "Nobody"):
        answers[name] = [await guess(guest, PASSWORD + "!", name) for _ in range(MAX_FAILURES + 2)]
    for known, unknown in zip(*answers.values(), strict=True):
        assert known.status_code == unknown.status_code
        assert {**known.json(), "detail": ""} == {**unknown.json(), "detail": ""}
        assert known.headers.keys() == unknown.headers.keys()
        waits = [int(answer.headers.get("retry-after", 0)) for answer in (known, unknown)]
        assert abs(waits[0] - waits[1]) <= 3


async def test_an_address_is_one_however_it_is_typed(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    typed = ["alice@example.com", "ALICE@example.com", "Alice@Example.COM", "alice@ｅxample.com", " alice@example.com"]
    for number in range(MAX_FAILURES):
        form = {"email": typed[number % 4], "password": "wrong"}
        read_problem(await guest.post("/api/session", json=form), 401)
    for email in typed[:4]:
        wait_told(await guest.post("/api/session", json={"email": email, "password": PASSWORD}))


async def test_a_right_password_begins_the_count_anew(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    for _ in range(3):
        assert await guess_on(guest, MAX_FAILURES - 1) == [401] * (MAX_FAILURES - 1)
        await sign_in(guest, "Alice")
        guest.cookies.clear()
    assert await guess_on(guest, MAX_FAILURES) == [401] * MAX_FAILURES


async def test_others_are_not_locked_with_her(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    await guess_on(guest)
    wait_told(await guess(guest, PASSWORD))
    await sign_in(guest, "Bob")


@pytest.mark.both_databases
@pytest.mark.parametrize("right", [0, MAX_FAILURES // 2, AT_ONCE - 1])
async def test_guesses_at_once_learn_no_more_than_one_after_the_other(
    alice: httpx.AsyncClient, site: Site, right: int
) -> None:
    """Whatever falls together: no more than ten are told that they are wrong, and after the lock all are told the
    same, the right one too."""
    async with AsyncExitStack() as open_:
        clients = [await open_.enter_async_context(site.client()) for _ in range(AT_ONCE)]
        passwords = [PASSWORD if number == right else f"wrong {number}" for number in range(AT_ONCE)]
        answers = await asyncio.gather(
            *(guess(client, password) for client, password in zip(clients, passwords, strict=True))
        )
    codes = [answer.status_code for answer in answers]
    wrong = codes[:right] + codes[right + 1 :]
    assert set(wrong) <= {401, 429}
    assert wrong.count(401) <= 2 * MAX_FAILURES, "ten, and again ten where the right one came among the first"
    if codes[right] != 200:
        assert codes[right] == 429
        assert wrong.count(401) == MAX_FAILURES
        async with site.client() as stranger:
            wait_told(await guess(stranger, PASSWORD))


@pytest.fixture
def slow_right_password(monkeypatch: pytest.MonkeyPatch) -> SlowRightPassword:
    return SlowRightPassword(monkeypatch)


class SlowRightPassword:
    """Alice's password is still being looked at when all others have been, and until it is `let` through."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.let = asyncio.Event(), asyncio.Event()

        async def verify(password: str, hash: str | None) -> bool:
            if password == PASSWORD:
                self.begun.set()
                await self.let.wait()
            return await verify_password(password, hash)

        for module in (logins, reauthentication):
            monkeypatch.setattr(module, "verify_password", verify)


async def test_a_right_guess_that_comes_after_the_lock_is_told_what_a_wrong_one_is(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site: Site, slow_right_password: SlowRightPassword
) -> None:
    """All looked at the lock before there was one; the right one is the last to be found so."""
    async with site.client() as other:
        right = asyncio.create_task(guess(other, PASSWORD))
        await slow_right_password.begun.wait()
        assert await guess_on(guest) == [401] * MAX_FAILURES
        slow_right_password.let.set()
        wait_told(await right)
        assert await me(other) is None


async def test_so_is_one_with_a_stolen_cookie(
    alice: httpx.AsyncClient, site: Site, slow_right_password: SlowRightPassword
) -> None:
    form = {"comments": "keep", "current_password": PASSWORD}
    async with site.client(cookies=alice.cookies) as thief, site.client(cookies=alice.cookies) as other_tab:
        right = asyncio.create_task(thief.post("/api/account/deletion", json=form))
        await slow_right_password.begun.wait()
        for _ in range(MAX_FAILURES):
            wrong = await other_tab.post("/api/account/deletion", json={**form, "current_password": "wrong"})
            read_problem(wrong, 422, "current_password")
        slow_right_password.let.set()
        wait_told(await right)
    assert await me(alice) is not None


@pytest.mark.both_databases
async def test_of_wrong_guesses_at_once_ten_are_told_so(alice: httpx.AsyncClient, site: Site) -> None:
    async with AsyncExitStack() as open_:
        clients = [await open_.enter_async_context(site.client()) for _ in range(AT_ONCE)]
        answers = await asyncio.gather(*(guess(client, f"wrong {n}") for n, client in enumerate(clients)))
    assert sorted(answer.status_code for answer in answers) == [401] * MAX_FAILURES + [429] * (AT_ONCE - MAX_FAILURES)
    for answer in answers:
        if answer.status_code == 429:
            wait_told(answer)


# -- time ---------------------------------------------------------------------------------------------------


async def test_a_lock_ends_by_itself(alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley) -> None:
    await guess_on(guest)
    wait_told(await guess(guest, PASSWORD))
    await time_passes(site_parley, FIRST_LOCK)
    await sign_in(guest, "Alice")


async def test_each_wrong_one_after_it_doubles_the_wait_up_to_an_hour(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    await guess_on(guest)
    waits = []
    for _ in range(9):
        waits.append(wait_told(await guess(guest, PASSWORD)))
        await time_passes(site_parley, timedelta(seconds=waits[-1]))
        assert await guess_on(guest, 1) == [401], "one guess"
    for waited, minutes in zip(waits, (1, 2, 4, 8, 16, 32, 60, 60, 60), strict=True):
        assert minutes * 60 - 5 <= waited <= minutes * 60
    assert timedelta(hours=1) == LONGEST_LOCK
    await time_passes(site_parley, LONGEST_LOCK)
    await sign_in(guest, "Alice")


async def test_after_a_day_it_is_forgotten(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    await guess_on(guest, MAX_FAILURES - 1)
    await time_passes(site_parley, FAILURES_EXPIRE_AFTER + timedelta(minutes=1))
    assert await guess_on(guest, MAX_FAILURES - 1) == [401] * (MAX_FAILURES - 1)
    await time_passes(site_parley, FAILURES_EXPIRE_AFTER + timedelta(minutes=1))
    await maintenance.run_once(site_parley)
    assert (await count_rows(site_parley))["failures"] == 0


async def test_what_is_counted_names_nobody(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    await guess_on(guest, 1)
    await guess_on(guest, 1, "Nobody")
    async with site_parley.reading() as reading:
        rows = (await reading.scalars(select(Failures))).all()
    assert len(rows) == 2
    assert not [row.key for row in rows if "alice" in row.key or "@" in row.key]


# -- the owner ----------------------------------------------------------------------------------------------


async def test_a_browser_that_alice_has_used_before_still_lets_her_in(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    await alice.delete("/api/session")
    await guess_on(guest)
    wait_told(await guess(guest, PASSWORD))
    await sign_in(alice, "Alice")
    wait_told(await guess(guest, PASSWORD))


async def test_her_own_slips_do_not_count_for_strangers_nor_theirs_for_her(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    await alice.delete("/api/session")
    assert await guess_on(alice, MAX_FAILURES - 1) == [401] * (MAX_FAILURES - 1)
    assert await guess_on(guest, MAX_FAILURES - 1) == [401] * (MAX_FAILURES - 1)
    await sign_in(alice, "Alice")
    assert await guess_on(guest, 1) == [401]
    wait_told(await guess(guest, PASSWORD))


async def test_a_device_that_guesses_too_often_is_a_stranger(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    """So that whoever steals a device cookie has ten guesses with it, and no more than anybody after that."""
    await alice.delete("/api/session")
    assert await guess_on(alice, MAX_FAILURES) == [401] * MAX_FAILURES
    assert (await count_rows(site_parley))["failures"] == 1
    await sign_in(guest, "Alice")  # strangers are not locked by it
    guest.cookies.clear()
    assert await guess_on(alice, MAX_FAILURES) == [401] * MAX_FAILURES, "as a stranger, ten more"
    for client in (alice, guest):
        wait_told(await guess(client, PASSWORD))


async def test_only_her_own_device_cookie_helps(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, guest: httpx.AsyncClient, site: Site
) -> None:
    cookies = dict(bob.cookies)
    await guess_on(guest)
    for cookie in (cookies[DEVICE_COOKIE], "nonsense", dict(alice.cookies)["parley_login"]):
        async with site.client(cookies={DEVICE_COOKIE: cookie}) as other:
            wait_told(await guess(other, PASSWORD))


async def test_a_new_password_makes_old_device_cookies_worthless(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site: Site
) -> None:
    stolen = alice.cookies[DEVICE_COOKIE]
    form = {"password": NEW_PASSWORD, "current_password": PASSWORD}
    read_json(await alice.put("/api/account/password", json=form), 200)
    await guess_on(guest)
    async with site.client(cookies={DEVICE_COOKIE: stolen}) as thief:
        wait_told(await guess(thief, NEW_PASSWORD))
    await alice.delete("/api/session")
    await sign_in(alice, "Alice", password=NEW_PASSWORD)


async def test_she_is_told_once_and_unlocks_it(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site: Site, site_parley: Parley
) -> None:
    await guess_on(guest, MAX_FAILURES + 5)
    token = find_token(await wait_for_mail(site_parley, "Alice", LOCKED), "unlock")
    assert await list_subjects(site_parley, "Alice") == [LOCKED]
    assert (await guest.put("/api/unlocks", json={"token": token})).status_code == 204
    assert (await count_rows(site_parley))["failures"] == 0
    await sign_in(guest, "Alice")
    async with site.client() as stranger:
        assert await guess_on(stranger, 1) == [401]


async def test_between_two_locks_the_link_is_good_too(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    """Without it the next slip would lock again, and for longer."""
    await guess_on(guest)
    token = find_token(await wait_for_mail(site_parley, "Alice", LOCKED), "unlock")
    await end_lock(site_parley)
    assert (await guest.put("/api/unlocks", json={"token": token})).status_code == 204
    guest.cookies.clear()
    assert await guess_on(guest) == [401] * MAX_FAILURES


async def test_once_she_is_in_the_link_is_no_good(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    await guess_on(guest)
    token = find_token(await wait_for_mail(site_parley, "Alice", LOCKED), "unlock")
    await end_lock(site_parley)
    await sign_in(guest, "Alice")
    read_problem(await guest.put("/api/unlocks", json={"token": token}), 422, "token")


# -- a thief in an open browser -----------------------------------------------------------------------------


async def test_a_stolen_cookie_does_not_help_to_guess_the_password(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site: Site, site_parley: Parley
) -> None:
    calls = [
        ("PUT", "/api/account/password", {"password": NEW_PASSWORD}),
        ("POST", "/api/account/deletion", {"comments": "erase"}),
        ("PUT", "/api/account/email", {"email": "mallory@example.com"}),
    ]
    async with site.client(cookies=alice.cookies) as thief:
        for number in range(MAX_FAILURES):
            method, path, form = calls[number % 3]
            form = {**form, "current_password": f"wrong {number}"}
            read_problem(await thief.request(method, path, json=form), 422, "current_password")
        for method, path, form in calls:
            wait_told(await thief.request(method, path, json={**form, "current_password": PASSWORD}))
        await sign_in(guest, "Alice")  # the owner is not locked out
        assert await list_subjects(site_parley, "Alice") == []
        await time_passes(site_parley, FIRST_LOCK)
        form = {"password": NEW_PASSWORD, "current_password": "one more"}
        read_problem(await thief.put("/api/account/password", json=form), 422, "current_password")
        assert wait_told(await thief.put("/api/account/password", json=form)) > FIRST_LOCK.total_seconds()


@pytest.mark.both_databases
async def test_guesses_at_once_with_a_stolen_cookie_learn_no_more(alice: httpx.AsyncClient, site: Site) -> None:
    async with AsyncExitStack() as open_:
        tabs = [await open_.enter_async_context(site.client(cookies=alice.cookies)) for _ in range(AT_ONCE)]
        passwords = [*(f"wrong {number}" for number in range(AT_ONCE - 1)), PASSWORD]
        answers = await asyncio.gather(*(
            tab.put("/api/account/password", json={"password": NEW_PASSWORD, "current_password": password})
            for tab, password in zip(tabs, passwords, strict=True)
        ))  # fmt: skip
    codes = [answer.status_code for answer in answers]
    assert codes.count(422) <= 2 * MAX_FAILURES
    if codes[-1] == 429:
        assert sorted(codes) == [422] * MAX_FAILURES + [429] * (AT_ONCE - MAX_FAILURES)
    else:
        assert codes[-1] == 200


async def test_wrong_guesses_elsewhere_do_not_stop_alice_at_home(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    await guess_on(guest)
    form = {"password": NEW_PASSWORD, "current_password": PASSWORD}
    read_json(await alice.put("/api/account/password", json=form), 200)


# -- two servers, and none of it ----------------------------------------------------------------------------


async def test_two_servers_count_together(settings: Settings) -> None:
    from app.main import create_app

    async with (
        serving(create_app(settings)) as one,
        serving(create_app(settings)) as other,
        person(one, "Alice"),
        one.client() as here,
        other.client() as there,
    ):
        for number in range(MAX_FAILURES):
            read_problem(await guess((here, there)[number % 2]), 401)
        for client in (here, there):
            wait_told(await guess(client, PASSWORD))


async def test_before_the_address_is_confirmed_the_right_password_counts_as_a_wrong_one(settings: Settings) -> None:
    """Else the lock would tell what the answer does not."""
    from app.main import create_app

    strict = settings.model_copy(update={"require_confirmation": True})
    async with serving(create_app(strict)) as site, site.client() as guest:
        form = {"email": email_of("Alice"), "username": "Alice", "password": PASSWORD}
        read_json(await guest.post("/api/users", json=form), 202)
        for _ in range(MAX_FAILURES):
            read_problem(await guess(guest, PASSWORD), 401)
        wait_told(await guess(guest, PASSWORD))


async def test_without_limits_there_are_no_locks(settings: Settings) -> None:
    from app.main import create_app

    async with (
        serving(create_app(settings.model_copy(update={"rate_limits": False}))) as site,
        person(site, "Alice") as alice,
        site.client() as guest,
    ):
        assert await guess_on(guest, 2 * MAX_FAILURES) == [401] * 2 * MAX_FAILURES
        for number in range(2 * MAX_FAILURES):
            form = {"email": "new@example.com", "current_password": f"wrong {number}"}
            read_problem(await alice.put("/api/account/email", json=form), 422, "current_password")
        await sign_in(guest, "Alice")
        assert (await count_rows(site.server.config.app.state.parley))["failures"] == 0


async def test_a_new_account_is_not_locked_by_old_guesses_for_ever(guest: httpx.AsyncClient, site: Site) -> None:
    """Whoever guessed at an address before it had an account locks its strangers, and not who signs up."""
    await guess_on(guest, MAX_FAILURES, "Carol")
    async with site.client() as carol:
        await sign_up(carol, "Carol")
        await carol.delete("/api/session")
        await sign_in(carol, "Carol")


async def test_a_lock_is_a_fact_of_the_database(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    """Ended there by an operator, it is ended."""
    await guess_on(guest)
    await end_lock(site_parley)
    await sign_in(guest, "Alice")


async def end_lock(site_parley: Parley) -> None:
    """The lock on Alice's address is over; the failures before it are not forgotten."""
    key = login_throttle.key_of("address", email_of("Alice"))
    async with site_parley.database.transaction() as writing, writing.begin():
        over = {"locked_until": datetime.now(UTC)}
        await writing.execute(update(Failures).where(Failures.key == key).values(over))
