from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app.accounts import accounts, login_throttle, logins
from app.accounts.login_throttle import FAILURES_EXPIRE_AFTER, FIRST_LOCK, LONGEST_LOCK, MAX_FAILURES, Failures
from app.accounts.logins import Browser
from app.accounts.mailed_links import Purpose
from app.accounts.reauthentication import device_gid
from app.errors import Invalid, TooMany
from app.live.service import Parley
from app.live.viewers import Viewer
from app.mail.mail_queue import Kind
from app.models import LIVE_MODELS
from app.settings import Settings
from tests.support.mail_queue import dump_database, find_token_to, find_user_named, list_kinds_to
from tests.support.people import PASSWORD
from tests.support.people_without_http import create_viewer

ALICE = "alice@example.com"


@pytest.fixture(autouse=True)
async def alice(parley: Parley) -> Viewer:
    return await create_viewer(parley, "alice")


async def guess(parley: Parley, password: str = "a wrong one", email: str = ALICE, **browser: Any) -> str:
    """Sign in with this password, and return the result as words."""
    try:
        found = await logins.sign_in(parley, email, password, remember=False, browser=Browser(**browser))
    except TooMany:
        return "too many"
    return "signed in" if found else "wrong"


async def guess_repeatedly(parley: Parley, count: int, **more: Any) -> list[str]:
    return [await guess(parley, **more) for _ in range(count)]


async def read_failures(parley: Parley, email: str = ALICE) -> Failures | None:
    async with parley.reading() as reading:
        return await reading.get(Failures, login_throttle.key_of("address", email))


async def pass_time(parley: Parley, time: timedelta) -> None:
    """Move the times of every count back, as if this time had passed."""
    async with parley.database.transaction() as writing, writing.begin():
        for found in (await writing.scalars(select(Failures))).all():
            found.failed_at -= time
            found.began_at -= time
            found.locked_until = found.locked_until and found.locked_until - time


# -- counting -----------------------------------------------------------------------------------------------


async def test_ten_wrong_passwords_in_a_row_lock_an_account(parley: Parley) -> None:
    assert await guess_repeatedly(parley, MAX_FAILURES) == ["wrong"] * MAX_FAILURES
    assert await guess(parley) == "too many"
    assert await guess(parley, PASSWORD) == "too many"


async def test_the_right_password_after_nine_wrong_ones_resets_the_count(parley: Parley) -> None:
    for _ in range(2):
        assert await guess_repeatedly(parley, MAX_FAILURES - 1) == ["wrong"] * (MAX_FAILURES - 1)
        assert await guess(parley, PASSWORD) == "signed in"
        assert await read_failures(parley) is None


async def test_a_locked_out_person_learns_how_long_to_wait(parley: Parley) -> None:
    await guess_repeatedly(parley, MAX_FAILURES)
    with pytest.raises(TooMany, match="Too many attempts") as refusal:
        await logins.sign_in(parley, ALICE, PASSWORD, remember=False)
    assert FIRST_LOCK.total_seconds() - 5 <= refusal.value.seconds <= FIRST_LOCK.total_seconds()


async def test_a_lock_ends_by_itself(parley: Parley) -> None:
    await guess_repeatedly(parley, MAX_FAILURES)
    await pass_time(parley, FIRST_LOCK)
    assert await guess(parley, PASSWORD) == "signed in"


async def test_each_later_failure_doubles_the_lock_up_to_an_hour(parley: Parley) -> None:
    await guess_repeatedly(parley, MAX_FAILURES - 1)
    minutes = []
    for _ in range(9):
        assert await guess(parley) == "wrong"
        failures = await read_failures(parley)
        assert failures
        assert failures.locked_until
        locked = failures.locked_until - failures.failed_at
        minutes.append(locked / timedelta(minutes=1))
        assert await guess(parley) == "too many"
        await pass_time(parley, locked)
    assert minutes == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert timedelta(minutes=60) == LONGEST_LOCK


async def test_a_guess_during_a_lock_does_not_extend_it(parley: Parley) -> None:
    await guess_repeatedly(parley, MAX_FAILURES)
    before = await read_failures(parley)
    assert await guess_repeatedly(parley, 5) == ["too many"] * 5
    after = await read_failures(parley)
    assert before
    assert after
    assert (after.count, after.locked_until) == (MAX_FAILURES, before.locked_until)


@pytest.mark.both_databases
async def test_failures_are_forgotten_after_a_day(parley: Parley) -> None:
    await guess_repeatedly(parley, MAX_FAILURES)
    await pass_time(parley, FAILURES_EXPIRE_AFTER + timedelta(minutes=1))
    assert await guess(parley) == "wrong"
    failures = await read_failures(parley)
    assert failures
    assert (failures.count, failures.locked_until) == (1, None)
    assert failures.began_at == failures.failed_at


async def test_failures_within_a_day_add_up(parley: Parley) -> None:
    for _ in range(MAX_FAILURES - 1):
        await guess(parley)
        await pass_time(parley, FAILURES_EXPIRE_AFTER - timedelta(hours=1))
    assert await guess(parley) == "wrong"
    assert await guess(parley) == "too many"


@pytest.mark.both_databases
async def test_expired_counts_are_deleted(parley: Parley) -> None:
    await guess_repeatedly(parley, 3)
    await pass_time(parley, FAILURES_EXPIRE_AFTER + timedelta(minutes=1))
    await guess(parley, email="bob@example.com")
    async with parley.database.transaction() as writing, writing.begin():
        await login_throttle.prune(writing)
    assert await read_failures(parley) is None
    assert await read_failures(parley, "bob@example.com")


# -- many at once -------------------------------------------------------------------------------------------


@pytest.mark.both_databases
async def test_failures_at_once_are_all_counted(parley: Parley) -> None:
    await asyncio.gather(*(guess(parley) for _ in range(MAX_FAILURES - 1)))
    failures = await read_failures(parley)
    assert failures
    assert (failures.count, failures.locked_until) == (MAX_FAILURES - 1, None)


@pytest.mark.both_databases
async def test_ten_of_forty_guesses_at_once_are_checked(parley: Parley, settings: Settings) -> None:
    async with Parley(settings, LIVE_MODELS, listening=False) as other:
        told = await asyncio.gather(*(guess(process) for process in (parley, other) for _ in range(20)))
    assert Counter(told) == {"wrong": MAX_FAILURES, "too many": 40 - MAX_FAILURES}
    failures = await read_failures(parley)
    assert failures
    assert failures.count == MAX_FAILURES


@pytest.mark.both_databases
async def test_the_right_guess_among_many_at_once_looks_like_the_wrong_ones(
    parley: Parley, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All guesses pass the first check before any is counted. Then the wrong ones are counted, and lock the account."""
    await guess_repeatedly(parley, MAX_FAILURES - 1)
    looked, count = asyncio.Event(), []
    verify = logins.verify_password

    async def together(password: str, hash: str | None) -> bool:
        count.append(1)
        if len(count) == 5:
            looked.set()
        await looked.wait()
        if password == PASSWORD:
            await wrong[-1]
        return await verify(password, hash)

    monkeypatch.setattr(logins, "verify_password", together)
    wrong = [asyncio.create_task(guess(parley)) for _ in range(4)]
    right = await guess(parley, PASSWORD)
    assert Counter([await task for task in wrong]) == {"wrong": 1, "too many": 3}
    assert right == "too many"


async def test_passwords_that_confirm_a_change_are_counted_too(parley: Parley, alice: Viewer) -> None:
    """Somebody in an open browser tries forty passwords at once to change the address, and ten are checked."""

    async def prove(password: str) -> str:
        try:
            await accounts.change_email(parley, alice, "mallory@example.com", password)
        except (Invalid, TooMany) as refusal:
            return type(refusal).__name__
        return "changed"

    told = await asyncio.gather(*(prove(f"guess {number}") for number in range(40)))
    assert Counter(told) == {"Invalid": MAX_FAILURES, "TooMany": 40 - MAX_FAILURES}
    assert await prove(PASSWORD) == "TooMany"
    assert await guess(parley, PASSWORD) == "signed in", "the owner can still sign in"


# -- other addresses ----------------------------------------------------------------------------------------


async def test_an_address_without_an_account_is_locked_like_any_other(parley: Parley) -> None:
    seconds = []
    for email in (ALICE, "nobody@example.com"):
        assert await guess_repeatedly(parley, MAX_FAILURES, email=email) == ["wrong"] * MAX_FAILURES
        with pytest.raises(TooMany) as refusal:
            await logins.sign_in(parley, email, PASSWORD, remember=False)
        seconds.append(refusal.value.seconds)
        assert await list_kinds_to(parley, email) == [Kind.UNLOCK]
    assert abs(seconds[0] - seconds[1]) <= 5


async def test_other_accounts_are_not_locked_with_alices(parley: Parley) -> None:
    await create_viewer(parley, "bob")
    await guess_repeatedly(parley, MAX_FAILURES)
    assert await guess(parley, PASSWORD, email="bob@example.com") == "signed in"


async def test_counts_of_failures_contain_no_address(parley: Parley) -> None:
    await guess_repeatedly(parley, 2, email="nobody@example.com")
    assert "nobody" not in await dump_database(parley)


async def test_without_limits_nothing_is_counted(parley: Parley, settings: Settings) -> None:
    async with Parley(settings.model_copy(update={"rate_limits": False}), LIVE_MODELS, listening=False) as open_house:
        assert await guess_repeatedly(open_house, MAX_FAILURES + 2) == ["wrong"] * (MAX_FAILURES + 2)
        assert await guess(open_house, PASSWORD) == "signed in"
        assert await list_kinds_to(open_house, ALICE) == []


# -- the owner's own browser --------------------------------------------------------------------------------


async def test_guesses_of_strangers_do_not_lock_the_owner_out(parley: Parley) -> None:
    hers = device_gid(await find_user_named(parley, "alice"))
    await guess_repeatedly(parley, MAX_FAILURES)
    assert await guess(parley, PASSWORD) == "too many"
    assert await guess(parley, PASSWORD, known_as=hers) == "signed in"
    assert await guess(parley, PASSWORD) == "too many", "her success does not unlock strangers"


async def test_a_stolen_device_cookie_does_not_bypass_the_count(parley: Parley) -> None:
    """It allows ten guesses for the device, and then ten for the address, as for everybody."""
    hers = device_gid(await find_user_named(parley, "alice"))
    assert await guess_repeatedly(parley, 2 * MAX_FAILURES, known_as=hers) == ["wrong"] * (2 * MAX_FAILURES)
    assert await guess(parley, PASSWORD, known_as=hers) == "too many"


async def test_each_device_has_its_own_count(parley: Parley) -> None:
    desk, phone = [device_gid(await find_user_named(parley, "alice")) for _ in range(2)]
    await guess_repeatedly(parley, 2 * MAX_FAILURES, known_as=desk)
    assert await guess(parley, PASSWORD, known_as=phone) == "signed in"


async def test_a_device_is_known_for_one_account_and_one_password(parley: Parley, alice: Viewer) -> None:
    before = device_gid(await find_user_named(parley, "alice"))
    await accounts.change_password(parley, alice, PASSWORD, "talk among others", Browser())
    await create_viewer(parley, "bob")
    bobs = device_gid(await find_user_named(parley, "bob"))
    await guess_repeatedly(parley, MAX_FAILURES)
    for device in (before, bobs):
        assert await guess(parley, "talk among others", known_as=device) == "too many"


# -- unlocking ----------------------------------------------------------------------------------------------


async def test_a_lock_sends_one_mail_and_its_link_unlocks(parley: Parley) -> None:
    await guess_repeatedly(parley, MAX_FAILURES + 3)
    assert await list_kinds_to(parley, ALICE) == [Kind.UNLOCK]
    await accounts.unlock(parley, await find_token_to(parley, ALICE, Kind.UNLOCK))
    assert await guess(parley, PASSWORD) == "signed in"


async def test_the_link_of_an_earlier_lock_does_not_unlock_a_later_one(parley: Parley) -> None:
    await guess_repeatedly(parley, MAX_FAILURES)
    token = await find_token_to(parley, ALICE, Kind.UNLOCK)
    await accounts.unlock(parley, token)
    with pytest.raises(Invalid, match="already used"):
        await accounts.unlock(parley, token)
    await guess_repeatedly(parley, MAX_FAILURES)
    with pytest.raises(Invalid, match="already used"):
        await accounts.unlock(parley, token)
    assert await guess(parley, PASSWORD) == "too many"


async def test_the_link_of_a_lock_still_works_after_the_lock_was_extended(parley: Parley) -> None:
    """The link that was mailed at the tenth failure still unlocks after the eleventh."""
    await guess_repeatedly(parley, MAX_FAILURES)
    token = await find_token_to(parley, ALICE, Kind.UNLOCK)
    async with parley.database.transaction() as writing, writing.begin():
        await writing.execute(update(Failures).values(locked_until=datetime.now(UTC) - timedelta(seconds=1)))
    assert await guess_repeatedly(parley, 2) == ["wrong", "too many"]
    assert await list_kinds_to(parley, ALICE) == [Kind.UNLOCK], "an extended lock sends no second mail"
    await accounts.unlock(parley, token)
    assert await guess(parley, PASSWORD) == "signed in"


async def test_a_password_can_be_reset_during_a_lock(parley: Parley) -> None:
    await guess_repeatedly(parley, MAX_FAILURES)
    await accounts.send_link(parley, Purpose.RESET, ALICE)
    await accounts.reset_password(parley, await find_token_to(parley, ALICE, Kind.RESET), "talk among others")
    assert await guess(parley, "talk among others") == "signed in"
