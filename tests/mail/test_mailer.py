"""The mailer, before a real mail server that refuses, hangs and hangs up. Every mail is sent, and sent once."""

from __future__ import annotations

import asyncio
import logging
import signal
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
import trustme
from sqlalchemy import insert, select, update

from app.accounts import accounts, login_throttle, logins
from app.accounts.user import User, clean_email
from app.live.gids import Gid
from app.live.service import Parley
from app.live.topics import Topic
from app.mail import mail_queue, mailer
from app.mail.mail_queue import Kind, Mail
from app.mail.mailer import send_due_mail, send_next
from app.main import create_app
from app.models import LIVE_MODELS
from app.settings import Settings
from tests.support.mail_queue import compose_mail_to, dump_database, find_user_named, list_queued, make_due
from tests.support.people import PASSWORD
from tests.support.people_without_http import create_viewer
from tests.support.serving import free_port, serving, spawned
from tests.support.smtp import PASSWORD as SMTP_PASSWORD
from tests.support.smtp import USER, MailServer, mail_server
from tests.support.waiting import cancel_tasks, wait_until

KEY = "a key that is long enough for production"


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with mail_server() as server:
        yield server


@pytest.fixture
def production(settings: Settings, server: MailServer) -> Settings:
    return in_production(settings, server.url)


@pytest.fixture
async def office(production: Settings) -> AsyncIterator[Parley]:
    """Parley in production; the mailer goes when the test says so."""
    async with process(production) as office:
        yield office


def in_production(settings: Settings, smtp_url: str | None, **more: Any) -> Settings:
    decided = {"environment": "production", "secret_key": KEY, "require_confirmation": True, "smtp_url": smtp_url}
    return settings.model_copy(update={**decided, "public_url": "https://talk.example.com", **more})


def process(settings: Settings) -> Parley:
    return Parley(settings, LIVE_MODELS, listening=False)


async def send(parley: Parley, *kinds: Kind, to: str = "alice@example.com") -> None:
    async with parley.database.transaction() as writing, writing.begin():
        for kind in kinds:
            mail_queue.queue(writing, kind, to)


async def send_all(parley: Parley) -> int:
    """Send what is due; answers how many mails were looked at."""
    looked = 0
    while await send_next(parley):
        looked += 1
    return looked


@asynccontextmanager
async def postman_of(parley: Parley) -> AsyncIterator[None]:
    going = asyncio.create_task(send_due_mail(parley))
    try:
        yield
    finally:
        await cancel_tasks(going)


async def alice_has_an_account(parley: Parley) -> User:
    return await accounts.create_account(parley, "alice@example.com", "alice", PASSWORD)


# -- the queue ----------------------------------------------------------------------------------------------


async def test_a_mail_is_undone_with_what_it_tells_of(office: Parley, server: MailServer) -> None:
    alice = await alice_has_an_account(office)
    with pytest.raises(RuntimeError):  # noqa: PT012
        async with office.writing(Topic.account(alice.id)) as write:
            mail_queue.queue(write.session, Kind.PASSWORD, alice.email, alice.id)
            await write.session.flush()
            raise RuntimeError
    assert await list_queued(office) == []
    assert not await send_next(office)
    assert server.asked == []


async def test_a_mail_is_not_seen_before_the_commit(office: Parley, server: MailServer) -> None:
    alice = await alice_has_an_account(office)
    async with office.writing(Topic.account(alice.id)) as write:
        user = await write.get(User, alice.id)
        assert user
        write.update(user)
        mail_queue.queue(write.session, Kind.PASSWORD, alice.email, alice.id)
        await write.session.flush()
        assert not await send_next(office)
    assert await send_next(office)
    assert [letter.subject for letter in server.received] == ["Your password has been changed"]


async def test_who_signs_up_gets_a_letter_whose_link_confirms(office: Parley, server: MailServer) -> None:
    known_as = await accounts.sign_up(office, "alice@example.com", "alice", PASSWORD)
    assert isinstance(known_as, Gid)
    assert await logins.sign_in(office, "alice@example.com", PASSWORD, remember=False) is None
    assert await send_all(office) == 1
    (letter,) = server.received
    assert (letter.sender, letter.to) == ("parley@localhost", "alice@example.com")
    assert (letter.message["From"], letter.message["To"]) == ("Parley <parley@localhost>", "alice@example.com")
    await accounts.confirm(office, letter.token, known_as=known_as)
    assert await logins.sign_in(office, "alice@example.com", PASSWORD, remember=False)


async def test_a_letter_asks_for_no_answer_and_can_be_known_again(office: Parley, server: MailServer) -> None:
    await alice_has_an_account(office)
    await send(office, Kind.RESET)
    (stored,) = await list_queued(office)
    await send_all(office)
    (letter,) = server.received
    assert letter.message["Auto-Submitted"] == "auto-generated"
    assert letter.id == f"<{stored.id}@localhost>"
    assert letter.message["Date"].datetime == stored.created_at.replace(microsecond=0)
    assert letter.message.get_content_type() == "text/plain"


async def test_the_hour_of_a_link_begins_when_it_is_sent(office: Parley, server: MailServer) -> None:
    await alice_has_an_account(office)
    await send(office, Kind.RESET)
    await make_due(office, created_at=datetime.now(UTC) - timedelta(days=1))
    await send_all(office)
    await accounts.reset_password(office, server.received[0].token, "talk among others")


# -- what letters say ---------------------------------------------------------------------------------------


async def test_every_kind_of_letter_is_whole(office: Parley, server: MailServer) -> None:
    alice = await enrol_unconfirmed(office)
    async with office.writing(Topic.account(alice.id)) as write:
        user = await write.get(User, alice.id)
        assert user
        user.unconfirmed_email = "alice@new.example"
        write.update(user)
    for _ in range(login_throttle.MAX_FAILURES):
        await logins.sign_in(office, alice.email, "not her password", remember=False)
    await forget_mail(office)
    async with office.database.transaction() as writing, writing.begin():
        for kind in Kind:
            address = "alice@new.example" if kind is Kind.CONFIRM_CHANGE else alice.email
            mail_queue.queue(writing, kind, address, alice.id, about="alice@new.example")
    assert await send_all(office) == len(Kind) == len(server.received)
    for letter in server.received:
        assert letter.subject
        assert "\n" not in letter.subject
        assert letter.text.startswith("Hello,\n\n")
        assert letter.text.endswith("\n-- \nParley, https://talk.example.com\n")
        assert not {"{", "}"} & set(letter.text), letter.text
        assert "None" not in letter.text
        assert "alice" not in letter.text.replace("alice@new.example", ""), "a name may be bait"


async def enrol_unconfirmed(parley: Parley) -> User:
    assert isinstance(await accounts.sign_up(parley, "alice@example.com", "alice", PASSWORD), Gid)
    return await find_user_named(parley, "alice")


async def forget_mail(parley: Parley) -> None:
    async with parley.database.transaction() as writing, writing.begin():
        for stored in (await writing.scalars(select(Mail))).all():
            await mail_queue.discard(writing, stored)


async def test_the_old_address_is_told_of_the_new_one(parley: Parley) -> None:
    alice = await create_viewer(parley, "alice")
    await accounts.change_email(parley, alice, "alice@new.example", PASSWORD)
    before = await compose_mail_to(parley, "alice@example.com", Kind.CHANGING)
    assert before
    assert "your account to alice@new.example." in before.text
    letter = await compose_mail_to(parley, "alice@new.example", Kind.CONFIRM_CHANGE)
    assert letter
    await accounts.confirm(parley, letter.text.partition("#")[2].split()[0])
    after = await compose_mail_to(parley, "alice@example.com", Kind.CHANGED)
    assert after
    assert "your account is now alice@new.example." in after.text


async def test_nothing_that_a_stranger_typed_is_in_the_letter(office: Parley, server: MailServer) -> None:
    await accounts.sign_up(office, "victim@example.com", "Win at evil.com", PASSWORD)
    await send_all(office)
    assert "evil" not in server.received[0].raw.decode()


async def test_links_lead_to_the_public_url_whatever_the_request_says(production: Settings, server: MailServer) -> None:
    async with serving(create_app(production)) as site, site.client() as mallory:
        parley: Parley = site.server.config.app.state.parley
        await alice_has_an_account(parley)
        form = {"email": "alice@example.com"}
        assert (await mallory.post("/api/resets", json=form, headers={"Host": "evil.example"})).status_code == 421
        evil = {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
        assert (await mallory.post("/api/resets", json=form, headers=evil)).status_code == 202
        await wait_until(lambda: server.received, "the letter")
    assert "https://talk.example.com/reset#" in server.received[0].text
    assert "evil" not in server.received[0].raw.decode()


async def test_headers_are_ours_alone(office: Parley, server: MailServer, caplog: pytest.LogCaptureFixture) -> None:
    """Were an address with a line break ever stored, the letter is not sent, and the ones after it are."""
    with pytest.raises(ValueError, match="address"):
        clean_email("alice@example.com\r\nBcc: everyone@example.com")
    alice = await alice_has_an_account(office)
    bait = "alice@example.com\r\nBcc: everyone@example.com"
    async with office.database.transaction() as writing, writing.begin():
        mail_queue.queue(writing, Kind.PASSWORD, bait, alice.id)
    await send(office, Kind.PASSWORD)
    async with postman_of(office):
        await wait_until(lambda: server.received, "the honest letter")
    (letter,) = server.received
    assert letter.to == "alice@example.com"
    assert "everyone" not in letter.raw.decode()


async def test_letters_reach_addresses_in_any_script(office: Parley, server: MailServer) -> None:
    await accounts.create_account(office, clean_email("Jürgen@Bücher.example"), "jürgen", PASSWORD)
    await send(office, Kind.RESET, to="jürgen@bücher.example")
    await send_all(office)
    assert [letter.to for letter in server.received] == ["jürgen@bücher.example"]


# -- mail that has become pointless -------------------------------------------------------------------------


async def test_an_unknown_address_looks_like_a_known_one_and_gets_nothing(office: Parley, server: MailServer) -> None:
    await alice_has_an_account(office)
    for ask in (accounts.ask_to_reset, accounts.ask_to_unlock, accounts.ask_to_confirm):
        for address in ("alice@example.com", "nobody@example.com"):
            await ask(office, address)
    stored = await list_queued(office)
    looks = {
        address: [(m.kind, m.user_id, m.about, m.attempts, m.due_at == m.created_at, m.subject, m.text)
                  for m in sorted(stored, key=lambda m: m.kind) if m.address == address]
        for address in ("alice@example.com", "nobody@example.com")
    }  # fmt: skip
    assert looks["alice@example.com"] == looks["nobody@example.com"]
    assert await send_all(office) == 6
    assert [(letter.to, letter.subject) for letter in server.received] == [
        ("alice@example.com", "Choose a new password")  # she has no lock, and has confirmed her address
    ]
    assert await list_queued(office) == []


FACTS = {Kind.CHANGING, Kind.CHANGED, Kind.PASSWORD, Kind.DELETED}


@pytest.mark.parametrize("kind", Kind)
async def test_who_has_left_is_told_what_has_happened_and_nothing_else(
    office: Parley, server: MailServer, kind: Kind
) -> None:
    """It may be a thief who has deleted the account."""
    alice = await alice_has_an_account(office)
    async with office.database.transaction() as writing, writing.begin():
        mail_queue.queue(writing, kind, alice.email, alice.id, about="alice@new.example")
        mail_queue.queue(writing, kind, alice.email)
    async with office.writing(Topic.account(alice.id)) as write:
        user = await write.get(User, alice.id)
        assert user
        write.destroy(user)
    assert await send_all(office) == 2
    told = ["alice@example.com"] * 2 if kind in FACTS else []
    assert ([letter.to for letter in server.received], await list_queued(office)) == (told, [])


async def test_a_change_of_address_that_was_overtaken_is_not_to_be_confirmed(
    office: Parley, server: MailServer
) -> None:
    alice = await alice_has_an_account(office)
    signed_in = await logins.sign_in(office, alice.email, PASSWORD, remember=False)
    assert signed_in
    async with office.reading() as reading:
        viewer, _ = await logins.viewer_of(reading, signed_in[1].id)
    for address in ("first@example.com", "second@example.com"):
        await accounts.change_email(office, viewer, address, PASSWORD)
    await send_all(office)
    assert Counter(letter.to for letter in server.received) == {"alice@example.com": 2, "second@example.com": 1}


# -- trouble with the mail server ---------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["EHLO", "DATA"])
async def test_nobody_waits_for_a_mail_server_that_hangs(production: Settings, server: MailServer, step: str) -> None:
    server.hang(step)
    async with serving(create_app(production)) as site, site.client() as alice:
        parley: Parley = site.server.config.app.state.parley
        await send(parley, Kind.DELETED)
        await wait_until(lambda: step in server.asked, "the mailer to hang")
        form = {"email": "alice@example.com", "username": "alice", "password": PASSWORD}
        assert (await alice.post("/api/users", json=form)).status_code == 202
        for link in ("resets", "confirmations", "unlocks"):
            assert (await alice.post(f"/api/{link}", json={"email": "alice@example.com"})).status_code == 202
        assert (await alice.get("/readyz")).status_code == 200
        server.behave()
        await wait_until(lambda: len(server.received) >= 3, "the letters once it goes on")


@pytest.mark.parametrize(
    ("step", "answer"),
    [("RCPT", "450 Later, please"), ("DATA", "451 Later, please"), ("RCPT", "421 Too many connections"),
     ("MAIL", "550 Not from you")],
)  # fmt: skip
async def test_who_is_told_to_come_later_does(office: Parley, server: MailServer, step: str, answer: str) -> None:
    await alice_has_an_account(office)
    await send(office, Kind.RESET)
    server.answer(step, answer)
    assert await send_next(office)
    assert server.received == []
    assert not await send_next(office), "not at once"
    server.behave()
    await make_due(office)
    await send_all(office)
    assert [letter.subject for letter in server.received] == ["Choose a new password"]
    assert await list_queued(office) == []


async def test_the_waits_grow_to_two_hours(office: Parley, server: MailServer) -> None:
    await alice_has_an_account(office)
    await send(office, Kind.RESET)
    server.answer("RCPT", "450 Later, please")
    waits = []
    for _ in range(12):
        await send_next(office)
        (stored,) = await list_queued(office)
        assert stored.due_at
        waits.append(round((stored.due_at - datetime.now(UTC)).total_seconds(), -1))
        await make_due(office)
    assert waits == [20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 7200, 7200, 7200]
    assert stored.attempts == 12


async def test_after_two_days_a_mail_is_given_up(
    office: Parley, server: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    await alice_has_an_account(office)
    await send(office, Kind.RESET)
    server.answer("RCPT", "450 Later, please")
    for age, left in (
        (mail_queue.RETRY_PERIOD - timedelta(minutes=1), 1),
        (mail_queue.RETRY_PERIOD + timedelta(minutes=1), 0),
    ):
        await make_due(office, created_at=datetime.now(UTC) - age)
        await send_next(office)
        assert len(await list_queued(office)) == left
    assert "(reset) was not sent, stored as a dead letter: 450" in caplog.text
    assert "alice" not in caplog.text


async def test_mail_waits_for_a_server_that_is_away_and_survives_a_restart(settings: Settings) -> None:
    port = free_port()
    production = in_production(settings, f"smtp://127.0.0.1:{port}")
    async with process(production) as office:
        await accounts.sign_up(office, "alice@example.com", "alice", PASSWORD)
        assert await send_next(office)
        (before,) = await list_queued(office)
        assert before.attempts == 1
    async with mail_server(port) as server, process(production) as office:
        assert not await send_next(office), "its wait goes on, too"
        await make_due(office)
        await send_all(office)
        assert [letter.id for letter in server.received] == [f"<{before.id}@localhost>"]


async def test_a_server_that_says_nothing_is_left(
    office: Parley, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailer, "SMTP_TIMEOUT_SECONDS", 0.1)
    await alice_has_an_account(office)
    await send(office, Kind.RESET)
    server.hang("EHLO")
    assert await send_next(office)
    assert [stored.attempts for stored in await list_queued(office)] == [1]


@pytest.mark.parametrize("step", ["EHLO", "RCPT"])
async def test_a_connection_that_breaks_is_tried_again(office: Parley, server: MailServer, step: str) -> None:
    await alice_has_an_account(office)
    await send(office, Kind.RESET)
    server.drop(step)
    assert await send_next(office)
    assert server.received == []
    server.behave()
    await make_due(office)
    await send_all(office)
    assert len(server.received) == 1


async def test_a_letter_that_was_taken_without_a_word_comes_again_under_its_id(
    office: Parley, server: MailServer
) -> None:
    await alice_has_an_account(office)
    await send(office, Kind.RESET)
    server.drop("DATA")
    assert await send_next(office)
    server.behave()
    await make_due(office)
    await send_all(office)
    first, again = server.received
    assert first.id == again.id
    assert first.message["Date"] == again.message["Date"]


@pytest.mark.parametrize(("step", "answer"), [("RCPT", "550 No such person here"), ("DATA", "554 This is no letter")])
async def test_a_letter_that_is_refused_for_good_is_given_up(
    office: Parley, server: MailServer, caplog: pytest.LogCaptureFixture, step: str, answer: str
) -> None:
    await alice_has_an_account(office)
    await send(office, Kind.RESET)
    server.answer(step, f"{answer}: alice@example.com")
    assert await send_next(office)
    assert await list_queued(office) == []
    (said,) = [record for record in caplog.records if record.name == "app.mail.mailer"]
    assert said.levelno == logging.WARNING
    assert said.getMessage().endswith(f"(reset) was refused for good: {answer[:3]}")
    assert "alice" not in said.getMessage()


async def test_the_log_names_nobody(office: Parley, server: MailServer, caplog: pytest.LogCaptureFixture) -> None:
    await alice_has_an_account(office)
    await send(office, Kind.RESET)
    with caplog.at_level(logging.DEBUG, "app"):
        for answer in ("450 alice@example.com has too much", "550 alice@example.com is unknown"):
            server.answer("RCPT", answer)
            await make_due(office)
            await send_next(office)
    said = [record.getMessage() for record in caplog.records if record.name.startswith("app.")]
    assert len(said) == 2
    assert not [line for line in said if "alice" in line]


async def test_one_bad_letter_does_not_keep_the_others(office: Parley, server: MailServer) -> None:
    """Its words cannot be written: it waits, and those behind it go."""
    await alice_has_an_account(office)
    async with office.database.transaction() as writing, writing.begin():
        now = datetime.now(UTC) - timedelta(hours=1)
        odd = {"id": uuid4(), "kind": "a kind of a later release", "address": "alice@example.com", "attempts": 0}
        await writing.execute(insert(Mail).values(**odd, created_at=now, due_at=now))
    await send(office, Kind.RESET)
    async with postman_of(office):
        await wait_until(lambda: server.received, "the good letter")


ENCODED = ("=?utf-8?q?boss?=@corp.example", "=?utf-8?q?a=0d=0ax?=@corp.example")


async def test_forty_bad_addresses_do_not_delay_an_honest_mail(
    office: Parley, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows are from a release that accepted such addresses. Nobody gets these mails, and none is retried."""
    monkeypatch.setattr(mailer, "POLL_SECONDS", 3_600.0)  # a failure that makes the mailer wait makes this test fail
    alice = await alice_has_an_account(office)
    async with office.database.transaction() as writing, writing.begin():
        for number in range(40):
            mail_queue.queue(writing, Kind.PASSWORD, ENCODED[number % 2], alice.id)
    await send(office, Kind.RESET)
    async with postman_of(office):
        await wait_until(lambda: server.received, "the honest letter")
        await wait_until(lambda: nothing_left(office), "the queue to be empty")
    assert [letter.to for letter in server.received] == ["alice@example.com"]
    async with office.reading() as reading:
        dead = await mail_queue.dead_letters(reading, 100)
    assert Counter(letter.address for letter in dead) == dict.fromkeys(ENCODED, 20)
    assert {letter.reason for letter in dead} == {
        "cannot be built: its address is ambiguous", "cannot be built: ValueError"
    }  # fmt: skip


async def test_a_mail_that_hangs_holds_up_its_own_address_only(
    office: Parley, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver, asked, goes_on = mailer._send_message, [], asyncio.Event()

    async def bring(url: str, to: str, message: Any) -> None:
        asked.append(to)
        if to == "slow@example.com":
            await goes_on.wait()
        await deliver(url, to, message)

    monkeypatch.setattr(mailer, "_send_message", bring)
    await send(office, Kind.DELETED, Kind.PASSWORD, to="slow@example.com")
    await send(office, *[Kind.DELETED] * 10)
    async with postman_of(office):
        await wait_until(lambda: len(server.received) == 10, "the others' letters")
        assert asked.count("slow@example.com") == 1
        goes_on.set()
        await wait_until(lambda: len(server.received) == 12, "the slow ones")
    assert [letter.subject for letter in server.received[10:]] == [
        "Your account has been deleted", "Your password has been changed",
    ]  # fmt: skip


async def test_with_the_account_its_dead_letters_go(office: Parley, server: MailServer) -> None:
    alice = await alice_has_an_account(office)
    await send(office, Kind.RESET)
    server.answer("RCPT", "550 No such person here")
    await send_all(office)
    async with office.reading() as reading:
        (dead,) = await mail_queue.dead_letters(reading, 100)
    assert (dead.address, dead.attempts, dead.reason) == ("alice@example.com", 1, "was refused for good: 550")
    await accounts.remove(office, alice.id)
    assert "alice@example.com" not in await dump_database(office)


# -- several processes --------------------------------------------------------------------------------------


async def test_three_processes_send_each_mail_once(production: Settings, server: MailServer) -> None:
    async with AsyncExitStack() as everyone:
        offices = [await everyone.enter_async_context(process(production)) for _ in range(3)]
        await alice_has_an_account(offices[0])
        await send(offices[0], *[Kind.RESET] * 40)
        for office in offices:
            await everyone.enter_async_context(postman_of(office))
        await wait_until(lambda: len(server.received) >= 40, "all letters")
        await wait_until(lambda: nothing_left(offices[0]), "the queue to be empty")
        assert set(Counter(letter.id for letter in server.received).values()) == {1}
        assert len(server.received) == 40


async def nothing_left(parley: Parley) -> bool:
    return not await list_queued(parley)


async def test_what_one_process_sends_no_other_takes(production: Settings, server: MailServer) -> None:
    async with process(production) as one, process(production) as other:
        await alice_has_an_account(one)
        await send(one, Kind.RESET)
        server.hang("DATA")
        sending = asyncio.create_task(send_next(one))
        await wait_until(lambda: "DATA" in server.asked, "the first to be at it")
        assert not await send_next(other)
        server.behave()
        assert await sending
        assert not await send_next(other)


async def test_a_mail_of_a_process_that_was_killed_is_sent_after_its_claim(
    production: Settings, server: MailServer
) -> None:
    async with process(production) as office:
        await alice_has_an_account(office)
        await send(office, Kind.RESET)
        async with office.database.transaction() as writing, writing.begin():
            assert await mail_queue.claim(writing)
        assert not await send_next(office), "it is claimed"
        (claimed,) = await list_queued(office)
        assert claimed.due_at
        assert claimed.due_at - datetime.now(UTC) > timedelta(seconds=4 * mailer.SMTP_TIMEOUT_SECONDS)
        await make_due(office)
        assert await send_next(office)
    assert [letter.id for letter in server.received] == [f"<{claimed.id}@localhost>"]


async def test_a_real_process_is_killed_while_it_sends(production: Settings, server: MailServer) -> None:
    server.hang("RCPT")
    environment = {
        "ENVIRONMENT": "production", "SECRET_KEY": KEY, "SMTP_URL": server.url, "REDIS_URL": production.redis_url,
        "PUBLIC_URL": production.public_url, "DATABASE_URL": production.database_url,
        "MAIL_FROM": "parley@talk.example.com",
        "REDIS_CHANNEL_NAME": production.redis_channel_name,
    }  # fmt: skip
    async with process(production) as office:
        await enrol_unconfirmed(office)
        await forget_mail(office)
        async with spawned(environment) as app, app.client() as guest:
            assert (await guest.post("/api/resets", json={"email": "alice@example.com"})).status_code == 202
            await wait_until(lambda: "RCPT" in server.asked, "the process to be at it")
            app.process.signal(signal.SIGKILL)
            await asyncio.to_thread(app.process.wait)
        server.behave()
        assert not await send_next(office), "it is still claimed"
        await make_due(office)
        assert await send_next(office)
    assert [letter.subject for letter in server.received] == ["Choose a new password"]


# -- what is kept -------------------------------------------------------------------------------------------


async def test_no_link_is_in_the_database(office: Parley, server: MailServer) -> None:
    await accounts.sign_up(office, "alice@example.com", "alice", PASSWORD)
    await send(office, Kind.RESET)
    server.answer("DATA", "450 Later, please")
    await send_all(office)
    waiting = await dump_database(office)
    server.behave()
    await make_due(office)
    await send_all(office)
    sent = await dump_database(office)
    assert len(server.received) == 2
    for letter in server.received:
        for kept in (waiting, sent):
            assert not [part for part in letter.token.split(".") if part and part in kept]
            assert letter.subject not in kept
    assert await list_queued(office) == []


async def test_nothing_of_a_sent_mail_is_kept_in_production(office: Parley, server: MailServer) -> None:
    await send(office, Kind.DELETED, to="somebody@example.com")
    await send_all(office)
    assert [letter.to for letter in server.received] == ["somebody@example.com"]
    assert "somebody" not in await dump_database(office)


async def test_development_keeps_the_newest_hundred(parley: Parley) -> None:
    await send(parley, *[Kind.DELETED] * (mail_queue.MAX_SENT + 3), to="old@example.com")
    await send_all(parley)
    await send(parley, Kind.DELETED, to="new@example.com")
    await send_all(parley)
    async with parley.reading() as reading:
        kept = await mail_queue.list_sent(reading)
    assert len(kept) == mail_queue.MAX_SENT
    assert kept[0].address == "new@example.com"
    assert (kept[0].subject, kept[0].due_at) == ("Your account has been deleted", None)
    assert "Thank you for being part of the conversation." in (kept[0].text or "")
    assert not await send_next(parley)


async def test_development_with_a_mail_server_sends_and_keeps(settings: Settings, server: MailServer) -> None:
    async with process(settings.model_copy(update={"smtp_url": server.url})) as parley:
        await send(parley, Kind.DELETED)
        await send_all(parley)
        async with parley.reading() as reading:
            (kept,) = await mail_queue.list_sent(reading)
    assert [letter.text for letter in server.received] == [kept.text]


async def test_without_a_mail_server_production_warns_and_mail_waits(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    async with process(in_production(settings, None)) as office:
        await send(office, Kind.DELETED)
        await send_due_mail(office)
        assert len(await list_queued(office)) == 1
    assert [record.levelname for record in caplog.records if "No SMTP_URL" in record.getMessage()] == ["WARNING"]


async def test_what_nobody_could_send_is_dropped_in_the_end(parley: Parley) -> None:
    await send(parley, Kind.DELETED, to="kept@example.com")
    await send_all(parley)
    await send(parley, Kind.DELETED, to="old@example.com")
    long_ago = datetime.now(UTC) - 2 * mail_queue.RETRY_PERIOD - timedelta(minutes=1)
    async with parley.database.transaction() as writing, writing.begin():
        await writing.execute(update(Mail).values(created_at=long_ago))
    await send(parley, Kind.DELETED, to="new@example.com")
    async with parley.database.transaction() as writing, writing.begin():
        await mail_queue.prune(writing)
    assert [stored.address for stored in await list_queued(parley)] == ["new@example.com"]
    async with parley.reading() as reading:
        assert [stored.address for stored in await mail_queue.list_sent(reading)] == ["kept@example.com"]


async def test_an_idle_postman_asks_without_a_lock(parley: Parley) -> None:
    """Another writes for as long as he likes: looking into an empty queue waits for nobody."""
    async with parley.writing(Topic("Article", "1")):
        assert not await send_next(parley)


# -- who may read it on the way -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file with a key, a certificate for 127.0.0.1, and the authority that signed it."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    path = tmp_path_factory.mktemp("certificate") / "all.pem"
    path.write_bytes(issued.private_key_and_cert_chain_pem.bytes() + authority.cert_pem.bytes())
    return path


@pytest.fixture
async def guarded(certificate: Path) -> AsyncIterator[MailServer]:
    """Takes mail over TLS and from who has a password alone."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    async with mail_server(tls=tls) as server:
        yield server


def url_for(server: MailServer, password: str) -> str:
    return f"smtp://{quote(USER, safe='')}:{quote(password, safe='')}@127.0.0.1:{server.port}"


async def test_a_password_goes_to_the_mail_server_over_tls(
    settings: Settings, guarded: MailServer, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with process(in_production(settings, url_for(guarded, SMTP_PASSWORD))) as office:
        await send(office, Kind.DELETED)
        await send_all(office)
        assert [(letter.user, letter.over_tls) for letter in guarded.received] == [(USER, True)]
        assert await list_queued(office) == []


async def test_a_wrong_password_is_the_operators_to_mend(
    settings: Settings, guarded: MailServer, certificate: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with process(in_production(settings, url_for(guarded, "not this one"))) as office:
        await send(office, Kind.DELETED)
        await send_all(office)
        assert (guarded.received, len(await list_queued(office))) == ([], 1)
    assert "was not sent, retrying later: 535" in caplog.text
    assert "not this one" not in "".join(r.getMessage() for r in caplog.records if r.name == "app.mail.mailer")


async def test_who_cannot_prove_to_be_the_mail_server_gets_nothing(settings: Settings, guarded: MailServer) -> None:
    async with process(in_production(settings, url_for(guarded, SMTP_PASSWORD))) as office:
        await send(office, Kind.DELETED)
        await send_all(office)
        assert (guarded.received, len(await list_queued(office))) == ([], 1)


async def test_a_password_never_goes_out_in_the_clear(settings: Settings, server: MailServer) -> None:
    async with process(in_production(settings, url_for(server, SMTP_PASSWORD))) as office:
        await send(office, Kind.DELETED)
        await send_all(office)
        assert (server.asked.count("AUTH"), server.received, len(await list_queued(office))) == (0, [], 1)


async def test_the_end_does_not_wait_for_a_mail_server_that_hangs(
    production: Settings, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SMTP_TIMEOUT_SECONDS", "DELIVERY_TIMEOUT_SECONDS"):
        monkeypatch.setattr(mailer, name, 3600.0)
    server.hang("EHLO")
    async with serving(create_app(production)) as site:
        await send(site.server.config.app.state.parley, Kind.DELETED)
        await wait_until(lambda: server.asked, "the mailer to hang")
