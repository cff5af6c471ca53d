"""The mailer with a real mail server that refuses, hangs and disconnects. Every mail is sent exactly once."""

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
from app.accounts.mailed_links import Purpose
from app.accounts.user import User, clean_email
from app.live.gids import Gid
from app.live.service import Parley
from app.live.topics import Topic
from app.mail import mail_queue, mailer
from app.mail.mail_queue import Kind, Mail
from app.mail.mailer import send_due_mail
from app.main import create_app
from app.settings import Settings
from tests.support.mail_fixtures import KEY, in_production, process
from tests.support.mail_queue import compose_mail_to, dump_database, find_user_named, list_queued, make_due, send_next
from tests.support.people import PASSWORD
from tests.support.people_without_http import create_viewer
from tests.support.serving import free_port, serving, spawned
from tests.support.smtp import PASSWORD as SMTP_PASSWORD
from tests.support.smtp import USER, MailServer, mail_server
from tests.support.waiting import cancel_tasks, wait_until


async def send(parley: Parley, *kinds: Kind, to: str = "alice@example.com") -> None:
    async with parley.database.transaction() as writing, writing.begin():
        for kind in kinds:
            mail_queue.queue(writing, kind, to)


async def send_all(parley: Parley) -> int:
    """Process all due mails, and return their number."""
    looked = 0
    while await send_next(parley):
        looked += 1
    return looked


@asynccontextmanager
async def find_mailer(parley: Parley) -> AsyncIterator[None]:
    going = asyncio.create_task(send_due_mail(parley))
    try:
        yield
    finally:
        await cancel_tasks(going)


async def alice_has_an_account(parley: Parley) -> User:
    return await accounts.create_account(parley, "alice@example.com", "alice", PASSWORD)


# -- the queue ----------------------------------------------------------------------------------------------


async def test_a_mail_is_rolled_back_with_its_transaction(parley_in_production: Parley, server: MailServer) -> None:
    alice = await alice_has_an_account(parley_in_production)
    with pytest.raises(RuntimeError):  # noqa: PT012
        async with parley_in_production.writing(Topic.account(alice.id)) as write:
            mail_queue.queue(write.session, Kind.PASSWORD, alice.email, alice.id)
            await write.session.flush()
            raise RuntimeError
    assert await list_queued(parley_in_production) == []
    assert not await send_next(parley_in_production)
    assert server.asked == []


async def test_a_mail_is_not_seen_before_the_commit(parley_in_production: Parley, server: MailServer) -> None:
    alice = await alice_has_an_account(parley_in_production)
    async with parley_in_production.writing(Topic.account(alice.id)) as write:
        user = await write.get(User, alice.id)
        assert user
        write.update(user)
        mail_queue.queue(write.session, Kind.PASSWORD, alice.email, alice.id)
        await write.session.flush()
        assert not await send_next(parley_in_production)
    assert await send_next(parley_in_production)
    assert [mail.subject for mail in server.received] == ["Your password has been changed"]


async def test_a_new_account_gets_a_mail_whose_link_confirms(parley_in_production: Parley, server: MailServer) -> None:
    known_as = await accounts.sign_up(parley_in_production, "alice@example.com", "alice", PASSWORD)
    assert isinstance(known_as, Gid)
    assert await logins.sign_in(parley_in_production, "alice@example.com", PASSWORD, remember=False) is None
    assert await send_all(parley_in_production) == 1
    (mail,) = server.received
    assert (mail.sender, mail.to) == ("parley@localhost", "alice@example.com")
    assert (mail.message["From"], mail.message["To"]) == ("Parley <parley@localhost>", "alice@example.com")
    await accounts.confirm(parley_in_production, mail.token, known_as=known_as)
    assert await logins.sign_in(parley_in_production, "alice@example.com", PASSWORD, remember=False)


async def test_a_mail_asks_for_no_automatic_reply_and_has_a_stable_id(
    parley_in_production: Parley, server: MailServer
) -> None:
    await alice_has_an_account(parley_in_production)
    await send(parley_in_production, Kind.RESET)
    (stored,) = await list_queued(parley_in_production)
    await send_all(parley_in_production)
    (mail,) = server.received
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert mail.id == f"<{stored.id}@localhost>"
    assert mail.message["Date"].datetime == stored.created_at.replace(microsecond=0)
    assert mail.message.get_content_type() == "text/plain"


async def test_the_lifetime_of_a_link_begins_when_its_mail_is_sent(
    parley_in_production: Parley, server: MailServer
) -> None:
    await alice_has_an_account(parley_in_production)
    await send(parley_in_production, Kind.RESET)
    await make_due(parley_in_production, created_at=datetime.now(UTC) - timedelta(days=1))
    await send_all(parley_in_production)
    await accounts.reset_password(parley_in_production, server.received[0].token, "talk among others")


# -- texts --------------------------------------------------------------------------------------------------


async def test_every_kind_of_mail_is_complete(parley_in_production: Parley, server: MailServer) -> None:
    bulk = {Kind.REPLIES, Kind.FOLLOWED, Kind.DIGEST, Kind.MODERATOR}  # `reply_mail/test_texts.py` has those
    kinds = set(Kind) - bulk
    alice = await sign_up_unconfirmed(parley_in_production)
    async with parley_in_production.writing(Topic.account(alice.id)) as write:
        user = await write.get(User, alice.id)
        assert user
        user.unconfirmed_email = "alice@new.example"
        write.update(user)
    for _ in range(login_throttle.MAX_FAILURES):
        await logins.sign_in(parley_in_production, alice.email, "not her password", remember=False)
    await forget_mail(parley_in_production)
    async with parley_in_production.database.transaction() as writing, writing.begin():
        for kind in kinds:
            address = "alice@new.example" if kind is Kind.CONFIRM_CHANGE else alice.email
            mail_queue.queue(writing, kind, address, alice.id, about="alice@new.example")
    assert await send_all(parley_in_production) == len(kinds) == len(server.received)
    for mail in server.received:
        assert mail.subject
        assert "\n" not in mail.subject
        assert mail.text.startswith("Hello,\n\n")
        assert mail.text.endswith("\n-- \nParley, https://talk.example.com\n")
        assert not {"{", "}"} & set(mail.text), mail.text
        assert "None" not in mail.text
        assert "alice" not in mail.text.replace("alice@new.example", ""), (
            "a stranger may have chosen the name as a bait"
        )


async def sign_up_unconfirmed(parley: Parley) -> User:
    assert isinstance(await accounts.sign_up(parley, "alice@example.com", "alice", PASSWORD), Gid)
    return await find_user_named(parley, "alice")


async def forget_mail(parley: Parley) -> None:
    async with parley.database.transaction() as writing, writing.begin():
        for stored in (await writing.scalars(select(Mail))).all():
            await mail_queue.discard(writing, stored)


async def test_the_old_address_gets_a_mail_about_the_new_one(parley: Parley) -> None:
    alice = await create_viewer(parley, "alice")
    await accounts.change_email(parley, alice, "alice@new.example", PASSWORD)
    before = await compose_mail_to(parley, "alice@example.com", Kind.CHANGING)
    assert before
    assert "your account to alice@new.example." in before.text
    mail = await compose_mail_to(parley, "alice@new.example", Kind.CONFIRM_CHANGE)
    assert mail
    await accounts.confirm(parley, mail.text.partition("#")[2].split()[0])
    after = await compose_mail_to(parley, "alice@example.com", Kind.CHANGED)
    assert after
    assert "your account is now alice@new.example." in after.text


async def test_a_mail_contains_no_text_of_a_stranger(parley_in_production: Parley, server: MailServer) -> None:
    await accounts.sign_up(parley_in_production, "victim@example.com", "Win at evil.com", PASSWORD)
    await send_all(parley_in_production)
    assert "evil" not in server.received[0].raw.decode()


async def test_links_lead_to_the_public_url_for_any_host_header(production: Settings, server: MailServer) -> None:
    async with serving(create_app(production)) as site, site.client() as mallory:
        parley: Parley = site.state.parley
        await alice_has_an_account(parley)
        form = {"email": "alice@example.com"}
        assert (await mallory.post("/api/resets", json=form, headers={"Host": "evil.example"})).status_code == 421
        evil = {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
        assert (await mallory.post("/api/resets", json=form, headers=evil)).status_code == 202
        await wait_until(lambda: server.received, "the mail")
    assert "https://talk.example.com/reset#" in server.received[0].text
    assert "evil" not in server.received[0].raw.decode()


async def test_an_address_cannot_add_headers(
    parley_in_production: Parley, server: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    """If an address with a line break were stored, its mail would not be sent, and later mails would."""
    with pytest.raises(ValueError, match="address"):
        clean_email("alice@example.com\r\nBcc: everyone@example.com")
    alice = await alice_has_an_account(parley_in_production)
    bait = "alice@example.com\r\nBcc: everyone@example.com"
    async with parley_in_production.database.transaction() as writing, writing.begin():
        mail_queue.queue(writing, Kind.PASSWORD, bait, alice.id)
    await send(parley_in_production, Kind.PASSWORD)
    async with find_mailer(parley_in_production):
        await wait_until(lambda: server.received, "the valid mail")
    (mail,) = server.received
    assert mail.to == "alice@example.com"
    assert "everyone" not in mail.raw.decode()


async def test_mails_reach_addresses_in_any_script(parley_in_production: Parley, server: MailServer) -> None:
    await accounts.create_account(parley_in_production, clean_email("Jürgen@Bücher.example"), "jürgen", PASSWORD)
    await send(parley_in_production, Kind.RESET, to="jürgen@bücher.example")
    await send_all(parley_in_production)
    assert [mail.to for mail in server.received] == ["jürgen@bücher.example"]


# -- mail that has become pointless -------------------------------------------------------------------------


async def test_an_unknown_address_looks_like_a_known_one_and_gets_no_mail(
    parley_in_production: Parley, server: MailServer
) -> None:
    await alice_has_an_account(parley_in_production)
    for purpose in Purpose:
        for address in ("alice@example.com", "nobody@example.com"):
            await accounts.send_link(parley_in_production, purpose, address)
    stored = await list_queued(parley_in_production)
    looks = {
        address: [(m.kind, m.user_id, m.about, m.attempts, m.due_at == m.created_at, m.subject, m.text)
                  for m in sorted(stored, key=lambda m: m.kind) if m.address == address]
        for address in ("alice@example.com", "nobody@example.com")
    }  # fmt: skip
    assert looks["alice@example.com"] == looks["nobody@example.com"]
    assert await send_all(parley_in_production) == 6
    assert [(mail.to, mail.subject) for mail in server.received] == [
        ("alice@example.com", "Choose a new password")  # the account is not locked, and its address is confirmed
    ]
    assert await list_queued(parley_in_production) == []


FACTS = {Kind.CHANGING, Kind.CHANGED, Kind.PASSWORD, Kind.DELETED}


@pytest.mark.parametrize("kind", Kind)
async def test_a_deleted_account_gets_mail_about_facts_only(
    parley_in_production: Parley, server: MailServer, kind: Kind
) -> None:
    """A thief may have deleted the account."""
    alice = await alice_has_an_account(parley_in_production)
    async with parley_in_production.database.transaction() as writing, writing.begin():
        mail_queue.queue(writing, kind, alice.email, alice.id, about="alice@new.example")
        mail_queue.queue(writing, kind, alice.email)
    async with parley_in_production.writing(Topic.account(alice.id)) as write:
        user = await write.get(User, alice.id)
        assert user
        write.destroy(user)
    assert await send_all(parley_in_production) == 2
    told = ["alice@example.com"] * 2 if kind in FACTS else []
    assert ([mail.to for mail in server.received], await list_queued(parley_in_production)) == (told, [])


async def test_an_overtaken_change_of_address_is_not_mailed(parley_in_production: Parley, server: MailServer) -> None:
    alice = await alice_has_an_account(parley_in_production)
    signed_in = await logins.sign_in(parley_in_production, alice.email, PASSWORD, remember=False)
    assert signed_in
    async with parley_in_production.reading() as reading:
        viewer, _ = await logins.viewer_of(reading, signed_in[1].id)
    for address in ("first@example.com", "second@example.com"):
        await accounts.change_email(parley_in_production, viewer, address, PASSWORD)
    await send_all(parley_in_production)
    assert Counter(mail.to for mail in server.received) == {"alice@example.com": 2, "second@example.com": 1}


# -- faults of the mail server ------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["EHLO", "DATA"])
async def test_people_do_not_wait_for_a_mail_server_that_hangs(
    production: Settings, server: MailServer, step: str
) -> None:
    server.hang(step)
    async with serving(create_app(production)) as site, site.client() as alice:
        parley: Parley = site.state.parley
        await send(parley, Kind.DELETED)
        await wait_until(lambda: step in server.asked, "the mailer to hang")
        form = {"email": "alice@example.com", "username": "alice", "password": PASSWORD}
        assert (await alice.post("/api/users", json=form)).status_code == 202
        for link in ("resets", "confirmations", "unlocks"):
            assert (await alice.post(f"/api/{link}", json={"email": "alice@example.com"})).status_code == 202
        assert (await alice.get("/readyz")).status_code == 200
        server.behave()
        await wait_until(lambda: len(server.received) >= 3, "the mails after the server continues")


@pytest.mark.parametrize(
    ("step", "answer"),
    [("RCPT", "450 Later, please"), ("DATA", "451 Later, please"), ("RCPT", "421 Too many connections"),
     ("MAIL", "550 Not from you")],
)  # fmt: skip
async def test_a_temporary_refusal_is_retried(
    parley_in_production: Parley, server: MailServer, step: str, answer: str
) -> None:
    await alice_has_an_account(parley_in_production)
    await send(parley_in_production, Kind.RESET)
    server.answer(step, answer)
    assert await send_next(parley_in_production)
    assert server.received == []
    assert not await send_next(parley_in_production), "the retry is not due yet"
    server.behave()
    await make_due(parley_in_production)
    await send_all(parley_in_production)
    assert [mail.subject for mail in server.received] == ["Choose a new password"]
    assert await list_queued(parley_in_production) == []


async def test_the_pauses_between_retries_grow_to_two_hours(parley_in_production: Parley, server: MailServer) -> None:
    await alice_has_an_account(parley_in_production)
    await send(parley_in_production, Kind.RESET)
    server.answer("RCPT", "450 Later, please")
    waits = []
    for _ in range(12):
        await send_next(parley_in_production)
        (stored,) = await list_queued(parley_in_production)
        assert stored.due_at
        waits.append(round((stored.due_at - datetime.now(UTC)).total_seconds(), -1))
        await make_due(parley_in_production)
    assert waits == [20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 7200, 7200, 7200]
    assert stored.attempts == 12


async def test_after_two_days_a_mail_is_given_up(
    parley_in_production: Parley, server: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    await alice_has_an_account(parley_in_production)
    await send(parley_in_production, Kind.RESET)
    server.answer("RCPT", "450 Later, please")
    for age, left in (
        (mail_queue.RETRY_PERIOD - timedelta(minutes=1), 1),
        (mail_queue.RETRY_PERIOD + timedelta(minutes=1), 0),
    ):
        await make_due(parley_in_production, created_at=datetime.now(UTC) - age)
        await send_next(parley_in_production)
        assert len(await list_queued(parley_in_production)) == left
    assert "(reset) was not sent, stored as a dead letter: 450" in caplog.text
    assert "alice" not in caplog.text


async def test_mail_waits_for_a_server_that_is_away_and_survives_a_restart(settings: Settings) -> None:
    port = free_port()
    production = in_production(settings, f"smtp://127.0.0.1:{port}")
    async with process(production) as parley_in_production:
        await accounts.sign_up(parley_in_production, "alice@example.com", "alice", PASSWORD)
        assert await send_next(parley_in_production)
        (before,) = await list_queued(parley_in_production)
        assert before.attempts == 1
    async with mail_server(port) as server, process(production) as parley_in_production:
        assert not await send_next(parley_in_production), "the pause continues after the restart"
        await make_due(parley_in_production)
        await send_all(parley_in_production)
        assert [mail.id for mail in server.received] == [f"<{before.id}@localhost>"]


async def test_a_server_that_does_not_respond_is_disconnected(
    parley_in_production: Parley, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailer, "SMTP_TIMEOUT_SECONDS", 0.1)
    await alice_has_an_account(parley_in_production)
    await send(parley_in_production, Kind.RESET)
    server.hang("EHLO")
    assert await send_next(parley_in_production)
    assert [stored.attempts for stored in await list_queued(parley_in_production)] == [1]


@pytest.mark.parametrize("step", ["EHLO", "RCPT"])
async def test_a_broken_connection_is_retried(parley_in_production: Parley, server: MailServer, step: str) -> None:
    await alice_has_an_account(parley_in_production)
    await send(parley_in_production, Kind.RESET)
    server.drop(step)
    assert await send_next(parley_in_production)
    assert server.received == []
    server.behave()
    await make_due(parley_in_production)
    await send_all(parley_in_production)
    assert len(server.received) == 1


async def test_a_mail_without_an_acknowledgement_is_sent_again_with_the_same_id(
    parley_in_production: Parley, server: MailServer
) -> None:
    await alice_has_an_account(parley_in_production)
    await send(parley_in_production, Kind.RESET)
    server.drop("DATA")
    assert await send_next(parley_in_production)
    server.behave()
    await make_due(parley_in_production)
    await send_all(parley_in_production)
    first, again = server.received
    assert first.id == again.id
    assert first.message["Date"] == again.message["Date"]


@pytest.mark.parametrize(("step", "answer"), [("RCPT", "550 No such person here"), ("DATA", "554 This is no letter")])
async def test_a_permanently_refused_mail_is_given_up(
    parley_in_production: Parley, server: MailServer, caplog: pytest.LogCaptureFixture, step: str, answer: str
) -> None:
    await alice_has_an_account(parley_in_production)
    await send(parley_in_production, Kind.RESET)
    server.answer(step, f"{answer}: alice@example.com")
    assert await send_next(parley_in_production)
    assert await list_queued(parley_in_production) == []
    (said,) = [record for record in caplog.records if record.name == "app.mail.mailer"]
    assert said.levelno == logging.WARNING
    assert said.getMessage().endswith(f"(reset) was refused for good: {answer[:3]}")
    assert "alice" not in said.getMessage()


async def test_the_log_contains_no_address(
    parley_in_production: Parley, server: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    await alice_has_an_account(parley_in_production)
    await send(parley_in_production, Kind.RESET)
    with caplog.at_level(logging.DEBUG, "app"):
        for answer in ("450 alice@example.com has too much", "550 alice@example.com is unknown"):
            server.answer("RCPT", answer)
            await make_due(parley_in_production)
            await send_next(parley_in_production)
    said = [record.getMessage() for record in caplog.records if record.name.startswith("app.")]
    assert len(said) == 2
    assert not [line for line in said if "alice" in line]


async def test_a_mail_that_cannot_be_composed_does_not_delay_others(
    parley_in_production: Parley, server: MailServer
) -> None:
    """Its text cannot be composed: it waits, and later mails are sent."""
    await alice_has_an_account(parley_in_production)
    async with parley_in_production.database.transaction() as writing, writing.begin():
        now = datetime.now(UTC) - timedelta(hours=1)
        odd = {"id": uuid4(), "kind": "a kind of a later release", "address": "alice@example.com", "attempts": 0}
        await writing.execute(insert(Mail).values(**odd, created_at=now, due_at=now))
    await send(parley_in_production, Kind.RESET)
    async with find_mailer(parley_in_production):
        await wait_until(lambda: server.received, "the valid mail")


ENCODED = ("=?utf-8?q?boss?=@corp.example", "=?utf-8?q?a=0d=0ax?=@corp.example")


async def test_forty_bad_addresses_do_not_delay_a_valid_mail(
    parley_in_production: Parley, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows are from a release that accepted such addresses. Nobody gets these mails, and none is retried."""
    monkeypatch.setattr(mailer, "POLL_SECONDS", 3_600.0)  # a failure that makes the mailer wait makes this test fail
    alice = await alice_has_an_account(parley_in_production)
    async with parley_in_production.database.transaction() as writing, writing.begin():
        for number in range(40):
            mail_queue.queue(writing, Kind.PASSWORD, ENCODED[number % 2], alice.id)
    await send(parley_in_production, Kind.RESET)
    async with find_mailer(parley_in_production):
        await wait_until(lambda: server.received, "the valid mail")
        await wait_until(lambda: nothing_left(parley_in_production), "the queue to be empty")
    assert [mail.to for mail in server.received] == ["alice@example.com"]
    async with parley_in_production.reading() as reading:
        dead = await mail_queue.dead_letters(reading, 100)
    assert Counter(mail.address for mail in dead) == dict.fromkeys(ENCODED, 20)
    assert {mail.reason for mail in dead} == {
        "cannot be built: its address is ambiguous", "cannot be built: ValueError"
    }  # fmt: skip


async def test_a_mail_that_hangs_delays_its_own_address_only(
    parley_in_production: Parley, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver, asked, goes_on = mailer._send_message, [], asyncio.Event()

    async def bring(url: str, to: str, message: Any) -> None:
        asked.append(to)
        if to == "slow@example.com":
            await goes_on.wait()
        await deliver(url, to, message)

    monkeypatch.setattr(mailer, "_send_message", bring)
    await send(parley_in_production, Kind.DELETED, Kind.PASSWORD, to="slow@example.com")
    await send(parley_in_production, *[Kind.DELETED] * 10)
    async with find_mailer(parley_in_production):
        await wait_until(lambda: len(server.received) == 10, "the mails to other addresses")
        assert asked.count("slow@example.com") == 1
        goes_on.set()
        await wait_until(lambda: len(server.received) == 12, "the slow mails")
    assert [mail.subject for mail in server.received[10:]] == [
        "Your account has been deleted", "Your password has been changed",
    ]  # fmt: skip


async def test_dead_letters_are_deleted_with_the_account(parley_in_production: Parley, server: MailServer) -> None:
    alice = await alice_has_an_account(parley_in_production)
    await send(parley_in_production, Kind.RESET)
    server.answer("RCPT", "550 No such person here")
    await send_all(parley_in_production)
    async with parley_in_production.reading() as reading:
        (dead,) = await mail_queue.dead_letters(reading, 100)
    assert (dead.address, dead.attempts, dead.reason) == ("alice@example.com", 1, "was refused for good: 550")
    await accounts.remove(parley_in_production, alice.id)
    assert "alice@example.com" not in await dump_database(parley_in_production)


# -- several processes --------------------------------------------------------------------------------------


async def test_three_processes_send_each_mail_once(production: Settings, server: MailServer) -> None:
    async with AsyncExitStack() as everyone:
        offices = [await everyone.enter_async_context(process(production)) for _ in range(3)]
        await alice_has_an_account(offices[0])
        await send(offices[0], *[Kind.RESET] * 40)
        for parley_in_production in offices:
            await everyone.enter_async_context(find_mailer(parley_in_production))
        await wait_until(lambda: len(server.received) >= 40, "all mails")
        await wait_until(lambda: nothing_left(offices[0]), "the queue to be empty")
        assert set(Counter(mail.id for mail in server.received).values()) == {1}
        assert len(server.received) == 40


async def nothing_left(parley: Parley) -> bool:
    return not await list_queued(parley)


async def test_no_process_takes_a_mail_that_another_one_sends(production: Settings, server: MailServer) -> None:
    async with process(production) as one, process(production) as other:
        await alice_has_an_account(one)
        await send(one, Kind.RESET)
        server.hang("DATA")
        sending = asyncio.create_task(send_next(one))
        await wait_until(lambda: "DATA" in server.asked, "the first process to send")
        assert not await send_next(other)
        server.behave()
        assert await sending
        assert not await send_next(other)


async def test_a_mail_of_a_process_that_was_killed_is_sent_after_its_claim(
    production: Settings, server: MailServer
) -> None:
    async with process(production) as parley_in_production:
        await alice_has_an_account(parley_in_production)
        await send(parley_in_production, Kind.RESET)
        async with parley_in_production.database.transaction() as writing, writing.begin():
            assert await mail_queue.claim(writing)
        assert not await send_next(parley_in_production), "the other process has claimed the mail"
        (claimed,) = await list_queued(parley_in_production)
        assert claimed.due_at
        assert claimed.due_at - datetime.now(UTC) > timedelta(seconds=4 * mailer.SMTP_TIMEOUT_SECONDS)
        await make_due(parley_in_production)
        assert await send_next(parley_in_production)
    assert [mail.id for mail in server.received] == [f"<{claimed.id}@localhost>"]


async def test_a_real_process_is_killed_while_it_sends(production: Settings, server: MailServer) -> None:
    server.hang("RCPT")
    environment = {
        "ENVIRONMENT": "production", "SECRET_KEY": KEY, "SMTP_URL": server.url, "REDIS_URL": production.redis_url,
        "PUBLIC_URL": production.public_url, "DATABASE_URL": production.database_url,
        "MAIL_FROM": "parley@talk.example.com",
        "REDIS_CHANNEL_NAME": production.redis_channel_name,
    }  # fmt: skip
    async with process(production) as parley_in_production:
        await sign_up_unconfirmed(parley_in_production)
        await forget_mail(parley_in_production)
        async with spawned(environment) as app, app.client() as guest:
            assert (await guest.post("/api/resets", json={"email": "alice@example.com"})).status_code == 202
            await wait_until(lambda: "RCPT" in server.asked, "the process to send")
            app.process.signal(signal.SIGKILL)
            await asyncio.to_thread(app.process.wait)
        server.behave()
        assert not await send_next(parley_in_production), "the killed process still has the claim"
        await make_due(parley_in_production)
        assert await send_next(parley_in_production)
    assert [mail.subject for mail in server.received] == ["Choose a new password"]


# -- stored mail --------------------------------------------------------------------------------------------


async def test_no_link_is_in_the_database(parley_in_production: Parley, server: MailServer) -> None:
    await accounts.sign_up(parley_in_production, "alice@example.com", "alice", PASSWORD)
    await send(parley_in_production, Kind.RESET)
    server.answer("DATA", "450 Later, please")
    await send_all(parley_in_production)
    waiting = await dump_database(parley_in_production)
    server.behave()
    await make_due(parley_in_production)
    await send_all(parley_in_production)
    sent = await dump_database(parley_in_production)
    assert len(server.received) == 2
    for mail in server.received:
        for kept in (waiting, sent):
            assert not [part for part in mail.token.split(".") if part and part in kept]
            assert mail.subject not in kept
    assert await list_queued(parley_in_production) == []


async def test_sent_mails_are_deleted_in_production(parley_in_production: Parley, server: MailServer) -> None:
    await send(parley_in_production, Kind.DELETED, to="somebody@example.com")
    await send_all(parley_in_production)
    assert [mail.to for mail in server.received] == ["somebody@example.com"]
    assert "somebody" not in await dump_database(parley_in_production)


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


async def test_development_with_a_mail_server_sends_and_stores_mail(settings: Settings, server: MailServer) -> None:
    async with process(settings.model_copy(update={"smtp_url": server.url})) as parley:
        await send(parley, Kind.DELETED)
        await send_all(parley)
        async with parley.reading() as reading:
            (kept,) = await mail_queue.list_sent(reading)
    assert [mail.text for mail in server.received] == [kept.text]


async def test_without_a_mail_server_production_warns_and_mail_waits(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    async with process(in_production(settings, None)) as parley_in_production:
        await send(parley_in_production, Kind.DELETED)
        await send_due_mail(parley_in_production)
        assert len(await list_queued(parley_in_production)) == 1
    assert [record.levelname for record in caplog.records if "No SMTP_URL" in record.getMessage()] == ["WARNING"]


async def test_mail_that_cannot_be_sent_is_deleted_in_the_end(parley: Parley) -> None:
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


async def test_an_idle_mailer_polls_without_a_lock(parley: Parley) -> None:
    """A long transaction of another writer does not delay the poll of an empty queue."""
    async with parley.writing(Topic("Article", "1")):
        assert not await send_next(parley)


# -- TLS ----------------------------------------------------------------------------------------------------


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
    """A server that takes mail only over TLS and with a password."""
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
    async with process(in_production(settings, url_for(guarded, SMTP_PASSWORD))) as parley_in_production:
        await send(parley_in_production, Kind.DELETED)
        await send_all(parley_in_production)
        assert [(mail.user, mail.over_tls) for mail in guarded.received] == [(USER, True)]
        assert await list_queued(parley_in_production) == []


async def test_a_wrong_password_is_logged_for_the_operator(
    settings: Settings, guarded: MailServer, certificate: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with process(in_production(settings, url_for(guarded, "not this one"))) as parley_in_production:
        await send(parley_in_production, Kind.DELETED)
        await send_all(parley_in_production)
        assert (guarded.received, len(await list_queued(parley_in_production))) == ([], 1)
    assert "was not sent, retrying later: 535" in caplog.text
    assert "not this one" not in "".join(r.getMessage() for r in caplog.records if r.name == "app.mail.mailer")


async def test_a_server_without_a_valid_certificate_gets_no_mail(settings: Settings, guarded: MailServer) -> None:
    async with process(in_production(settings, url_for(guarded, SMTP_PASSWORD))) as parley_in_production:
        await send(parley_in_production, Kind.DELETED)
        await send_all(parley_in_production)
        assert (guarded.received, len(await list_queued(parley_in_production))) == ([], 1)


async def test_a_password_is_never_sent_without_tls(settings: Settings, server: MailServer) -> None:
    async with process(in_production(settings, url_for(server, SMTP_PASSWORD))) as parley_in_production:
        await send(parley_in_production, Kind.DELETED)
        await send_all(parley_in_production)
        assert (server.asked.count("AUTH"), server.received, len(await list_queued(parley_in_production))) == (0, [], 1)


async def test_the_shutdown_does_not_wait_for_a_mail_server_that_hangs(
    production: Settings, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SMTP_TIMEOUT_SECONDS", "DELIVERY_TIMEOUT_SECONDS"):
        monkeypatch.setattr(mailer, name, 3600.0)
    server.hang("EHLO")
    async with serving(create_app(production)) as site:
        await send(site.state.parley, Kind.DELETED)
        await wait_until(lambda: server.asked, "the mailer to hang")
