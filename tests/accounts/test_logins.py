from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, select, update

from app.accounts import accounts, logins
from app.accounts.logins import ACTIVITY_INTERVAL, Browser, Login, expiry, viewer_of
from app.errors import Missing, SignInFirst
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import LoginEnded, Viewer
from app.live.write.sequences import read_heads
from app.models import LIVE_MODELS
from app.settings import Settings
from tests.support.mail_queue import find_user_named
from tests.support.people import PASSWORD
from tests.support.people_without_http import create_viewer
from tests.support.session_reader import open_session

NOW = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)  # a night in which daylight saving time begins
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
async def alice(parley: Parley) -> Viewer:
    return await create_viewer(parley, "alice")


async def sign_in(parley: Parley, name: str = "alice", remember: bool = False, **browser: Any) -> Login:
    found = await logins.sign_in(parley, f"{name}@example.com", PASSWORD, remember, Browser(**browser))
    assert found
    return found[1]


async def change_login(parley: Parley, login_id: UUID | None, **values: object) -> None:
    """Change a login's row without a write transaction, so nobody is notified."""
    async with parley.database.transaction() as writing, writing.begin():
        await writing.execute(update(Login).where(Login.id == login_id).values(**values))


async def read_login(parley: Parley, login_id: UUID | None) -> Login | None:
    async with parley.reading() as session:
        return await session.get(Login, login_id)


@pytest.fixture
def statements(parley: Parley) -> list[str]:
    """The statements that read."""
    sent: list[str] = []
    threads = parley.database._reader
    engine = threads.engine if threads else parley.database._engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda _1, _2, sql, *_: sent.append(sql))
    return sent


async def read_end_reason(parley: Parley, login_id: UUID | None) -> str | None:
    """The reason why this login ended; fail if it is valid."""
    assert login_id
    with pytest.raises(LoginEnded) as ended:
        async with parley.reading() as session:
            await viewer_of(session, login_id)
    return ended.value.reason


async def is_valid(parley: Parley, login_id: UUID | None) -> bool:
    login = await read_login(parley, login_id)
    return login is not None and login.deleted_at is None


async def read_head(parley: Parley, viewer: Viewer) -> int:
    topic = Topic.account(viewer.user_id)
    async with parley.reading() as session:
        return (await read_heads(session, [topic]))[1][topic]


# -- how long -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("remember", "age", "expires_after"),
    [
        (False, timedelta(0), DAY), (False, 5 * DAY, 6 * DAY), (False, 6 * DAY, 7 * DAY), (False, 6.5 * DAY, 7 * DAY),
        (True, timedelta(0), 14 * DAY), (True, 10 * DAY, 24 * DAY), (True, 16 * DAY, 30 * DAY),
        (True, 29 * DAY, 30 * DAY),
    ],
)  # fmt: skip
def test_use_extends_a_login_up_to_an_absolute_limit(remember: bool, age: timedelta, expires_after: timedelta) -> None:
    assert expiry(remember, NOW, NOW + age) == NOW + expires_after


@pytest.mark.parametrize(("remember", "lasts"), [(False, DAY), (True, 14 * DAY)])
async def test_a_new_login_has_an_expiry(parley: Parley, alice: Viewer, remember: bool, lasts: timedelta) -> None:
    login = await sign_in(parley, remember=remember)
    assert login.expires_at == login.created_at + lasts
    assert login.remember is remember


async def test_an_expired_login_has_no_viewer(parley: Parley, alice: Viewer) -> None:
    await change_login(parley, alice.login_id, expires_at=datetime.now(UTC) + HOUR)
    assert await is_valid(parley, alice.login_id)
    await change_login(parley, alice.login_id, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert await read_end_reason(parley, alice.login_id) == "expired"


async def test_a_login_of_an_earlier_release_without_an_expiry_is_valid(parley: Parley, alice: Viewer) -> None:
    await change_login(parley, alice.login_id, expires_at=None, seen_at=None)
    await logins.expire(parley)
    assert alice.login_id
    async with parley.reading() as session:
        viewer, seen_at = await viewer_of(session, alice.login_id)
    login = await read_login(parley, alice.login_id)
    assert login
    assert (viewer, seen_at) == (alice, login.created_at)
    await logins.note_activity(parley, alice.login_id)
    login = await read_login(parley, alice.login_id)
    assert login
    assert login.expires_at, "the first use sets its expiry"


async def test_an_unknown_login_has_no_viewer(parley: Parley) -> None:
    assert await read_end_reason(parley, uuid4()) is None


async def test_requests_of_the_same_moment_share_a_query_and_each_gets_its_own_viewer(
    parley: Parley, alice: Viewer, statements: list[str]
) -> None:
    bob, ended, unknown = await create_viewer(parley, "bob"), await sign_in(parley), uuid4()
    await logins.end_login(parley, alice, ended.id)
    assert alice.login_id
    assert bob.login_id
    asked = [alice.login_id, ended.id, bob.login_id, unknown, alice.login_id]
    statements.clear()
    found = await asyncio.gather(*(parley.read_together(logins.viewers_of, login_id) for login_id in asked))
    assert len(statements) == 1
    people = [one.reason if isinstance(one, LoginEnded) else one[0] for one in found]
    assert people == [alice, "ended", bob, None, alice]


# -- expiry -------------------------------------------------------------------------------------------------


async def test_maintenance_ends_expired_logins_only(parley: Parley, alice: Viewer) -> None:
    over, lasting = await sign_in(parley), await sign_in(parley)
    await change_login(parley, over.id, expires_at=datetime.now(UTC) - timedelta(seconds=1), address="203.0.113.7")
    await logins.expire(parley)
    assert await read_end_reason(parley, over.id) == "expired"
    assert await is_valid(parley, lasting.id)
    assert await is_valid(parley, alice.login_id)
    tombstone = await read_login(parley, over.id)
    assert tombstone
    assert (tombstone.address, tombstone.device) == ("", "")


async def test_the_stream_of_an_expired_login_ends_with_the_reason(parley: Parley, alice: Viewer) -> None:
    async def authorise() -> Viewer:
        assert alice.login_id
        async with parley.reading() as session:
            return (await viewer_of(session, alice.login_id))[0]

    async with open_session(parley.feeds, Topic.account(alice.user_id), viewer=alice, authorise=authorise) as desk:
        await desk.until("heartbeat")
        await change_login(parley, alice.login_id, expires_at=datetime.now(UTC) - timedelta(seconds=1))
        await logins.expire(parley)
        assert (await desk.until("auth")).json() == {"reason": "expired"}


async def test_more_than_a_batch_of_expired_logins_ends(
    parley: Parley, alice: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logins, "BATCH_SIZE", 2)
    over = [(await sign_in(parley)).id for _ in range(5)]
    for login_id in over:
        await change_login(parley, login_id, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    for _ in range(3):
        await logins.expire(parley)
    assert [await is_valid(parley, login_id) for login_id in over] == [False] * 5


@pytest.mark.both_databases
async def test_two_processes_may_end_expired_logins_at_once(parley: Parley, alice: Viewer, settings: Settings) -> None:
    await change_login(parley, alice.login_id, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    before = await read_head(parley, alice)
    async with Parley(settings, LIVE_MODELS, listening=False) as other:
        await asyncio.gather(logins.expire(parley), logins.expire(other))
    assert await read_head(parley, alice) == before + 1, "the login ended once"


async def test_the_reason_why_a_login_ended_is_deleted_after_a_month(parley: Parley, alice: Viewer) -> None:
    old, recent = await sign_in(parley), await sign_in(parley)
    for login, days in ((old, 31), (recent, 29)):
        await logins.end_login(parley, alice, login.id)
        await change_login(parley, login.id, deleted_at=datetime.now(UTC) - days * DAY)
    await logins.expire(parley)
    assert await read_login(parley, old.id) is None
    assert await read_end_reason(parley, recent.id) == "ended"


# -- use ----------------------------------------------------------------------------------------------------


async def test_use_changes_only_the_times_of_a_login(parley: Parley, alice: Viewer) -> None:
    assert alice.login_id
    created_at = datetime.now(UTC) - 3 * DAY
    await change_login(
        parley, alice.login_id, created_at=created_at, expires_at=datetime.now(UTC) + HOUR, address="here"
    )
    before, head = await read_login(parley, alice.login_id), await read_head(parley, alice)
    began = datetime.now(UTC)
    await logins.note_activity(parley, alice.login_id)
    after = await read_login(parley, alice.login_id)
    assert before
    assert after
    assert after.seen_at
    assert began <= after.seen_at <= datetime.now(UTC)
    assert after.expires_at == after.seen_at + DAY
    moved = {"seen_at", "expires_at"}
    columns = {column.name for column in Login.__table__.columns} - moved
    assert {name: getattr(before, name) for name in columns} == {name: getattr(after, name) for name in columns}
    assert await read_head(parley, alice) == head, "no stream gets a change"


async def test_use_does_not_extend_a_login_beyond_the_absolute_limit(parley: Parley, alice: Viewer) -> None:
    assert alice.login_id
    created_at = datetime.now(UTC) - 6.5 * DAY
    await change_login(parley, alice.login_id, created_at=created_at)
    await logins.note_activity(parley, alice.login_id)
    after = await read_login(parley, alice.login_id)
    assert after
    assert after.expires_at == created_at + 7 * DAY


async def test_use_does_not_revive_an_ended_login(parley: Parley, alice: Viewer) -> None:
    assert alice.login_id
    await logins.sign_out(parley, alice)
    before = await read_login(parley, alice.login_id)
    await logins.note_activity(parley, alice.login_id)
    await logins.note_activity(parley, uuid4())
    after = await read_login(parley, alice.login_id)
    assert before
    assert after
    assert (after.seen_at, after.expires_at) == (before.seen_at, before.expires_at)
    assert await read_end_reason(parley, alice.login_id) == "signed_out"


@pytest.mark.both_databases
async def test_use_at_the_moment_of_the_end_does_not_revive_a_login(parley: Parley, alice: Viewer) -> None:
    assert alice.login_id
    await asyncio.gather(
        *(logins.note_activity(parley, alice.login_id) for _ in range(4)),
        logins.sign_out(parley, alice),
        *(logins.note_activity(parley, alice.login_id) for _ in range(4)),
    )
    assert await read_end_reason(parley, alice.login_id) == "signed_out"


async def test_use_while_the_database_is_away_is_no_error(
    settings: Settings, alice: Viewer, caplog: pytest.LogCaptureFixture
) -> None:
    away = settings.model_copy(update={"database_url": "postgresql+asyncpg://nobody@127.0.0.1:1/nothing"})
    assert alice.login_id
    async with Parley(away, LIVE_MODELS, listening=False) as elsewhere:
        await logins.note_activity(elsewhere, alice.login_id)
    assert "cannot store the activity of a login" in caplog.text


def test_use_is_written_every_few_minutes_at_most() -> None:
    assert timedelta(minutes=1) <= ACTIVITY_INTERVAL <= timedelta(minutes=15)


# -- signing in ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("email", "password"),
    [("alice@example.com", "talk among foes"), ("nobody@example.com", PASSWORD), ("", ""), ("alice@example.com", "")],
)
async def test_a_wrong_address_or_password_gets_no_login(
    parley: Parley, alice: Viewer, email: str, password: str
) -> None:
    before = await read_head(parley, alice)
    assert await logins.sign_in(parley, email, password, remember=False) is None
    assert await read_head(parley, alice) == before


async def test_a_browser_has_one_login(parley: Parley, alice: Viewer) -> None:
    first = await sign_in(parley)
    second = await sign_in(parley, login_id=first.id)
    assert await read_end_reason(parley, first.id) == "replaced"
    assert await is_valid(parley, second.id)
    assert await is_valid(parley, alice.login_id), "the login of another browser stays"


async def test_a_sign_in_in_anothers_browser_ends_the_others_login(parley: Parley, alice: Viewer) -> None:
    bob = await create_viewer(parley, "bob")
    hers = await sign_in(parley)
    his = await sign_in(parley, "bob", login_id=hers.id)
    assert await read_end_reason(parley, hers.id) == "replaced"
    assert await is_valid(parley, his.id)
    assert await is_valid(parley, bob.login_id)


async def test_a_sign_up_in_anothers_browser_ends_the_others_login(parley: Parley, alice: Viewer) -> None:
    made = await accounts.sign_up(parley, "carol@example.com", "carol", PASSWORD, Browser(login_id=alice.login_id))
    assert made
    assert await read_end_reason(parley, alice.login_id) == "replaced"


async def test_the_place_and_time_of_sign_ins_are_stored(parley: Parley, alice: Viewer) -> None:
    await sign_in(parley, address="203.0.113.7", device="Firefox on Linux")
    login = await sign_in(parley, address="203.0.113.8")
    user = await find_user_named(parley, "alice")
    assert (user.sign_in_count, user.signed_in_address, user.last_signed_in_address) == (
        3,
        "203.0.113.8",
        "203.0.113.7",
    )
    assert user.signed_in_at
    assert user.last_signed_in_at
    assert user.last_signed_in_at <= user.signed_in_at <= datetime.now(UTC)
    assert login.address == "203.0.113.8"


async def test_the_least_recently_used_of_too_many_logins_ends(
    parley: Parley, alice: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logins, "MAX_LOGINS", 3)
    second, third = await sign_in(parley), await sign_in(parley)
    await logins.note_activity(parley, alice.login_id or uuid4())  # the oldest login is used
    fourth = await sign_in(parley)
    assert [await is_valid(parley, id_) for id_ in (alice.login_id, second.id, third.id, fourth.id)] == [
        True, False, True, True,
    ]  # fmt: skip
    assert await read_end_reason(parley, second.id) == "expired"


async def test_too_many_logins_end_no_login_of_another_person(
    parley: Parley, alice: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logins, "MAX_LOGINS", 1)
    bob = await create_viewer(parley, "bob")
    await sign_in(parley)
    assert not await is_valid(parley, alice.login_id)
    assert await is_valid(parley, bob.login_id)


async def test_a_sign_in_fails_if_the_password_was_changed_meanwhile(
    parley: Parley, alice: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old password was right when it was verified, and is wrong when the login is written."""
    verify = logins.verify_password

    async def slow(password: str, hash: str | None) -> bool:
        right = await verify(password, hash)
        await accounts.change_password(parley, alice, PASSWORD, "talk among others", Browser())
        return right

    monkeypatch.setattr(logins, "verify_password", slow)
    assert await logins.sign_in(parley, "alice@example.com", PASSWORD, remember=False) is None


async def test_ids_of_logins_are_random(parley: Parley, alice: Viewer) -> None:
    ids = [(await sign_in(parley)).id for _ in range(12)]
    assert len({id_.bytes[0] for id_ in ids}) > 1
    assert len({id_.version for id_ in ids} | {id_.variant for id_ in ids}) > 1, "no bit of the 128 is fixed"


# -- the list of logins -------------------------------------------------------------------------------------


async def test_the_list_has_the_current_login_first_and_then_the_latest(parley: Parley, alice: Viewer) -> None:
    first, second, over = [await sign_in(parley) for _ in range(3)]
    await create_viewer(parley, "bob")
    now = datetime.now(UTC)
    await change_login(parley, alice.login_id, seen_at=now - 3 * HOUR)
    await change_login(parley, first.id, seen_at=now + HOUR)
    await change_login(parley, over.id, expires_at=now - HOUR)
    async with parley.reading() as session:
        found = await logins.logins_of(session, alice)
    assert [login.id for login in found] == [alice.login_id, first.id, second.id]
    rendered = [logins.render(login, alice.login_id) for login in found]
    assert [login["current"] for login in rendered] == [True, False, False]
    assert rendered[2]["seen_at"] == second.created_at
    assert "user_id" not in rendered[0]


async def test_people_may_end_their_own_logins_only(parley: Parley, alice: Viewer) -> None:
    bob = await create_viewer(parley, "bob")
    phone = await sign_in(parley)
    for login_id in (bob.login_id, uuid4()):
        assert login_id
        with pytest.raises(Missing):
            await logins.end_login(parley, alice, login_id)
    assert await is_valid(parley, bob.login_id)
    for _ in range(2):
        await logins.end_login(parley, alice, phone.id)
    assert await read_end_reason(parley, phone.id) == "ended"
    assert alice.login_id
    await logins.end_login(parley, alice, alice.login_id)
    assert await read_end_reason(parley, alice.login_id) == "signed_out"


async def test_all_other_logins_can_be_ended_at_once(parley: Parley, alice: Viewer) -> None:
    bob = await create_viewer(parley, "bob")
    others = [(await sign_in(parley)).id for _ in range(3)]
    await logins.end_others(parley, alice)
    assert [await read_end_reason(parley, login_id) for login_id in others] == ["ended"] * 3
    assert await is_valid(parley, alice.login_id)
    assert await is_valid(parley, bob.login_id)


async def test_a_guest_has_no_logins(parley: Parley, alice: Viewer) -> None:
    guest = replace(alice, user_id=None, login_id=None)
    with pytest.raises(SignInFirst):
        await logins.end_others(parley, guest)
    with pytest.raises(SignInFirst):
        await logins.end_login(parley, guest, alice.login_id or uuid4())
    async with parley.reading() as session:
        assert await logins.logins_of(session, guest) == []
        assert len((await session.scalars(select(Login))).all()) == 1
