"""Login throttling: after ten wrong passwords, strangers must wait, and the owner need not."""

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
GUESSES_AT_ONCE = 40

pytestmark = pytest.mark.usefixtures("fast_mailer")


async def guess(client: httpx.AsyncClient, password: str = "wrong", name: str = "Alice") -> httpx.Response:
    return await client.post("/api/session", json={"email": email_of(name), "password": password})


async def guess_repeatedly(client: httpx.AsyncClient, times: int = MAX_FAILURES, name: str = "Alice") -> list[int]:
    return [(await guess(client, f"wrong {number}", name)).status_code for number in range(times)]


def read_retry_after(response: httpx.Response) -> int:
    """The seconds to wait, which a refusal has in its header and in words."""
    problem = read_problem(response, 429)
    seconds = int(response.headers["retry-after"])
    assert problem["detail"].startswith("Too many attempts. Try again in ")
    assert problem["detail"].endswith((" seconds.", " minutes."))
    return seconds


async def pass_time(site_parley: Parley, by: timedelta) -> None:
    """Move the times of every count back, as if this time had passed."""
    async with site_parley.database.transaction() as writing, writing.begin():
        for failures in (await writing.scalars(select(Failures))).all():
            failures.began_at -= by
            failures.failed_at -= by
            failures.locked_until = failures.locked_until and failures.locked_until - by


# -- strangers ----------------------------------------------------------------------------------------------


async def test_after_ten_wrong_passwords_the_right_one_must_wait_too(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    assert MAX_FAILURES == 10
    assert await guess_repeatedly(guest, MAX_FAILURES) == [401] * MAX_FAILURES
    assert 0 < read_retry_after(await guess(guest, PASSWORD)) <= FIRST_LOCK.total_seconds()
    assert await me(guest) is None
    assert (await me(alice) or {})["username"] == "Alice", "a lock signs nobody out"


async def test_known_and_unknown_addresses_get_the_same_response(
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


async def test_all_spellings_of_an_address_share_one_count(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    typed = ["alice@example.com", "ALICE@example.com", "Alice@Example.COM", "alice@ｅxample.com", " alice@example.com"]
    for number in range(MAX_FAILURES):
        form = {"email": typed[number % 4], "password": "wrong"}
        read_problem(await guest.post("/api/session", json=form), 401)
    for email in typed[:4]:
        read_retry_after(await guest.post("/api/session", json={"email": email, "password": PASSWORD}))


async def test_a_right_password_resets_the_count(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    for _ in range(3):
        assert await guess_repeatedly(guest, MAX_FAILURES - 1) == [401] * (MAX_FAILURES - 1)
        await sign_in(guest, "Alice")
        guest.cookies.clear()
    assert await guess_repeatedly(guest, MAX_FAILURES) == [401] * MAX_FAILURES


async def test_other_accounts_are_not_locked_with_alices(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    await guess_repeatedly(guest)
    read_retry_after(await guess(guest, PASSWORD))
    await sign_in(guest, "Bob")


@pytest.mark.both_databases
@pytest.mark.parametrize("right", [0, MAX_FAILURES // 2, GUESSES_AT_ONCE - 1])
async def test_guesses_at_once_reveal_no_more_than_guesses_in_a_row(
    alice: httpx.AsyncClient, site: Site, right: int
) -> None:
    """In any order, ten guesses at most learn that they are wrong. After the lock all get the same response, also the
    right one."""
    async with AsyncExitStack() as open_:
        clients = [await open_.enter_async_context(site.client()) for _ in range(GUESSES_AT_ONCE)]
        passwords = [PASSWORD if number == right else f"wrong {number}" for number in range(GUESSES_AT_ONCE)]
        answers = await asyncio.gather(
            *(guess(client, password) for client, password in zip(clients, passwords, strict=True))
        )
    codes = [answer.status_code for answer in answers]
    wrong = codes[:right] + codes[right + 1 :]
    assert set(wrong) <= {401, 429}
    assert wrong.count(401) <= 2 * MAX_FAILURES, "ten, or twenty if the right one was among the first"
    if codes[right] != 200:
        assert codes[right] == 429
        assert wrong.count(401) == MAX_FAILURES
        async with site.client() as stranger:
            read_retry_after(await guess(stranger, PASSWORD))


@pytest.fixture
def slow_right_password(monkeypatch: pytest.MonkeyPatch) -> SlowRightPassword:
    return SlowRightPassword(monkeypatch)


class SlowRightPassword:
    """Alice's password is verified last, after all others, and only when the test allows it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.let = asyncio.Event(), asyncio.Event()

        async def verify(password: str, hash: str | None) -> bool:
            if password == PASSWORD:
                self.begun.set()
                await self.let.wait()
            return await verify_password(password, hash)

        for module in (logins, reauthentication):
            monkeypatch.setattr(module, "verify_password", verify)


async def test_a_right_guess_that_is_verified_after_the_lock_looks_like_a_wrong_one(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site: Site, slow_right_password: SlowRightPassword
) -> None:
    """All guesses passed the check of the lock before the account was locked. The right one is verified last."""
    async with site.client() as other:
        right = asyncio.create_task(guess(other, PASSWORD))
        await slow_right_password.begun.wait()
        assert await guess_repeatedly(guest) == [401] * MAX_FAILURES
        slow_right_password.let.set()
        read_retry_after(await right)
        assert await me(other) is None


async def test_a_right_guess_with_a_stolen_cookie_looks_like_a_wrong_one_after_the_lock(
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
        read_retry_after(await right)
    assert await me(alice) is not None


@pytest.mark.both_databases
async def test_ten_of_many_wrong_guesses_at_once_learn_that_they_are_wrong(
    alice: httpx.AsyncClient, site: Site
) -> None:
    async with AsyncExitStack() as open_:
        clients = [await open_.enter_async_context(site.client()) for _ in range(GUESSES_AT_ONCE)]
        answers = await asyncio.gather(*(guess(client, f"wrong {n}") for n, client in enumerate(clients)))
    assert sorted(answer.status_code for answer in answers) == [401] * MAX_FAILURES + [429] * (
        GUESSES_AT_ONCE - MAX_FAILURES
    )
    for answer in answers:
        if answer.status_code == 429:
            read_retry_after(answer)


# -- time ---------------------------------------------------------------------------------------------------


async def test_a_lock_ends_by_itself(alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley) -> None:
    await guess_repeatedly(guest)
    read_retry_after(await guess(guest, PASSWORD))
    await pass_time(site_parley, FIRST_LOCK)
    await sign_in(guest, "Alice")


async def test_each_wrong_password_after_a_lock_doubles_the_wait_up_to_an_hour(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    await guess_repeatedly(guest)
    waits = []
    for _ in range(9):
        waits.append(read_retry_after(await guess(guest, PASSWORD)))
        await pass_time(site_parley, timedelta(seconds=waits[-1]))
        assert await guess_repeatedly(guest, 1) == [401], "one guess is allowed"
    for waited, minutes in zip(waits, (1, 2, 4, 8, 16, 32, 60, 60, 60), strict=True):
        assert minutes * 60 - 5 <= waited <= minutes * 60
    assert timedelta(hours=1) == LONGEST_LOCK
    await pass_time(site_parley, LONGEST_LOCK)
    await sign_in(guest, "Alice")


async def test_failures_are_forgotten_after_a_day(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    await guess_repeatedly(guest, MAX_FAILURES - 1)
    await pass_time(site_parley, FAILURES_EXPIRE_AFTER + timedelta(minutes=1))
    assert await guess_repeatedly(guest, MAX_FAILURES - 1) == [401] * (MAX_FAILURES - 1)
    await pass_time(site_parley, FAILURES_EXPIRE_AFTER + timedelta(minutes=1))
    await maintenance.run_once(site_parley)
    assert (await count_rows(site_parley))["failures"] == 0


async def test_counts_of_failures_contain_no_address(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    await guess_repeatedly(guest, 1)
    await guess_repeatedly(guest, 1, "Nobody")
    async with site_parley.reading() as reading:
        rows = (await reading.scalars(select(Failures))).all()
    assert len(rows) == 2
    assert not [row.key for row in rows if "alice" in row.key or "@" in row.key]


# -- the owner ----------------------------------------------------------------------------------------------


async def test_alice_can_sign_in_from_a_browser_that_she_has_used_before(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    await alice.delete("/api/session")
    await guess_repeatedly(guest)
    read_retry_after(await guess(guest, PASSWORD))
    await sign_in(alice, "Alice")
    read_retry_after(await guess(guest, PASSWORD))


async def test_failures_of_alice_and_of_strangers_are_counted_separately(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    await alice.delete("/api/session")
    assert await guess_repeatedly(alice, MAX_FAILURES - 1) == [401] * (MAX_FAILURES - 1)
    assert await guess_repeatedly(guest, MAX_FAILURES - 1) == [401] * (MAX_FAILURES - 1)
    await sign_in(alice, "Alice")
    assert await guess_repeatedly(guest, 1) == [401]
    read_retry_after(await guess(guest, PASSWORD))


async def test_a_device_with_too_many_failures_counts_as_a_stranger(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    """So a stolen device cookie allows ten more guesses, and then as many as everybody has."""
    await alice.delete("/api/session")
    assert await guess_repeatedly(alice, MAX_FAILURES) == [401] * MAX_FAILURES
    assert (await count_rows(site_parley))["failures"] == 1
    await sign_in(guest, "Alice")  # the failures of the device do not lock strangers
    guest.cookies.clear()
    assert await guess_repeatedly(alice, MAX_FAILURES) == [401] * MAX_FAILURES, "ten more as a stranger"
    for client in (alice, guest):
        read_retry_after(await guess(client, PASSWORD))


async def test_only_alices_own_device_cookie_helps(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, guest: httpx.AsyncClient, site: Site
) -> None:
    cookies = dict(bob.cookies)
    await guess_repeatedly(guest)
    for cookie in (cookies[DEVICE_COOKIE], "nonsense", dict(alice.cookies)["parley_login"]):
        async with site.client(cookies={DEVICE_COOKIE: cookie}) as other:
            read_retry_after(await guess(other, PASSWORD))


async def test_a_new_password_makes_old_device_cookies_worthless(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site: Site
) -> None:
    stolen = alice.cookies[DEVICE_COOKIE]
    form = {"password": NEW_PASSWORD, "current_password": PASSWORD}
    read_json(await alice.put("/api/account/password", json=form), 200)
    await guess_repeatedly(guest)
    async with site.client(cookies={DEVICE_COOKIE: stolen}) as thief:
        read_retry_after(await guess(thief, NEW_PASSWORD))
    await alice.delete("/api/session")
    await sign_in(alice, "Alice", password=NEW_PASSWORD)


async def test_alice_gets_one_mail_about_the_lock_and_unlocks_her_account(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site: Site, site_parley: Parley
) -> None:
    await guess_repeatedly(guest, MAX_FAILURES + 5)
    token = find_token(await wait_for_mail(site_parley, "Alice", LOCKED), "unlock")
    assert await list_subjects(site_parley, "Alice") == [LOCKED]
    assert (await guest.put("/api/unlocks", json={"token": token})).status_code == 204
    assert (await count_rows(site_parley))["failures"] == 0
    await sign_in(guest, "Alice")
    async with site.client() as stranger:
        assert await guess_repeatedly(stranger, 1) == [401]


async def test_the_link_still_works_between_two_locks(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    """Without it, the next wrong password would lock the account again, and for longer."""
    await guess_repeatedly(guest)
    token = find_token(await wait_for_mail(site_parley, "Alice", LOCKED), "unlock")
    await end_lock(site_parley)
    assert (await guest.put("/api/unlocks", json={"token": token})).status_code == 204
    guest.cookies.clear()
    assert await guess_repeatedly(guest) == [401] * MAX_FAILURES


async def test_the_link_is_worthless_after_alice_has_signed_in(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    await guess_repeatedly(guest)
    token = find_token(await wait_for_mail(site_parley, "Alice", LOCKED), "unlock")
    await end_lock(site_parley)
    await sign_in(guest, "Alice")
    read_problem(await guest.put("/api/unlocks", json={"token": token}), 422, "token")


# -- a stolen cookie ----------------------------------------------------------------------------------------


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
            read_retry_after(await thief.request(method, path, json={**form, "current_password": PASSWORD}))
        await sign_in(guest, "Alice")  # the owner can still sign in
        assert await list_subjects(site_parley, "Alice") == []
        await pass_time(site_parley, FIRST_LOCK)
        form = {"password": NEW_PASSWORD, "current_password": "one more"}
        read_problem(await thief.put("/api/account/password", json=form), 422, "current_password")
        assert read_retry_after(await thief.put("/api/account/password", json=form)) > FIRST_LOCK.total_seconds()


@pytest.mark.both_databases
async def test_guesses_at_once_with_a_stolen_cookie_reveal_no_more(alice: httpx.AsyncClient, site: Site) -> None:
    async with AsyncExitStack() as open_:
        tabs = [await open_.enter_async_context(site.client(cookies=alice.cookies)) for _ in range(GUESSES_AT_ONCE)]
        passwords = [*(f"wrong {number}" for number in range(GUESSES_AT_ONCE - 1)), PASSWORD]
        answers = await asyncio.gather(*(
            tab.put("/api/account/password", json={"password": NEW_PASSWORD, "current_password": password})
            for tab, password in zip(tabs, passwords, strict=True)
        ))  # fmt: skip
    codes = [answer.status_code for answer in answers]
    assert codes.count(422) <= 2 * MAX_FAILURES
    if codes[-1] == 429:
        assert sorted(codes) == [422] * MAX_FAILURES + [429] * (GUESSES_AT_ONCE - MAX_FAILURES)
    else:
        assert codes[-1] == 200


async def test_wrong_guesses_of_strangers_do_not_stop_alice_in_her_own_browser(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    await guess_repeatedly(guest)
    form = {"password": NEW_PASSWORD, "current_password": PASSWORD}
    read_json(await alice.put("/api/account/password", json=form), 200)


# -- two servers, and no limits -----------------------------------------------------------------------------


async def test_two_servers_share_the_counts(settings: Settings) -> None:
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
            read_retry_after(await guess(client, PASSWORD))


async def test_the_right_password_of_an_unconfirmed_account_counts_as_a_wrong_one(settings: Settings) -> None:
    """Otherwise the lock would reveal what the response hides."""
    from app.main import create_app

    strict = settings.model_copy(update={"require_confirmation": True})
    async with serving(create_app(strict)) as site, site.client() as guest:
        form = {"email": email_of("Alice"), "username": "Alice", "password": PASSWORD}
        read_json(await guest.post("/api/users", json=form), 202)
        for _ in range(MAX_FAILURES):
            read_problem(await guess(guest, PASSWORD), 401)
        read_retry_after(await guess(guest, PASSWORD))


async def test_without_limits_no_account_is_locked(settings: Settings) -> None:
    from app.main import create_app

    async with (
        serving(create_app(settings.model_copy(update={"rate_limits": False}))) as site,
        person(site, "Alice") as alice,
        site.client() as guest,
    ):
        assert await guess_repeatedly(guest, 2 * MAX_FAILURES) == [401] * 2 * MAX_FAILURES
        for number in range(2 * MAX_FAILURES):
            form = {"email": "new@example.com", "current_password": f"wrong {number}"}
            read_problem(await alice.put("/api/account/email", json=form), 422, "current_password")
        await sign_in(guest, "Alice")
        assert (await count_rows(site.state.parley))["failures"] == 0


async def test_earlier_guesses_at_an_address_do_not_lock_its_new_account(guest: httpx.AsyncClient, site: Site) -> None:
    """Guesses at an address before it had an account lock strangers, and not the person who signs up."""
    await guess_repeatedly(guest, MAX_FAILURES, "Carol")
    async with site.client() as carol:
        await sign_up(carol, "Carol")
        await carol.delete("/api/session")
        await sign_in(carol, "Carol")


async def test_a_lock_is_stored_in_the_database_only(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    """If an operator ends it there, it has ended."""
    await guess_repeatedly(guest)
    await end_lock(site_parley)
    await sign_in(guest, "Alice")


async def end_lock(site_parley: Parley) -> None:
    """End the lock of Alice's address, but keep the count of failures."""
    key = login_throttle.key_of("address", email_of("Alice"))
    async with site_parley.database.transaction() as writing, writing.begin():
        over = {"locked_until": datetime.now(UTC)}
        await writing.execute(update(Failures).where(Failures.key == key).values(over))
