"""Mail about replies and mentions, with a real mail server: when it is sent, and what is never sent."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, select, update

from app import maintenance
from app.accounts import accounts
from app.accounts.user import MailChoice, User
from app.comments.comments import Comment
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import Viewer
from app.mail import mail_queue, mailer
from app.mail.mail_queue import Kind, Mail, Priority
from app.notifications import inbox, mutes
from app.notifications.notifications import Notification, id_of
from app.reply_mail import choices, muted_conversations, queueing
from app.reply_mail.last_mails import LastMail
from app.reply_mail.queueing import queue_next
from app.settings import Settings
from tests.support.mail_fixtures import KEY, PASSWORD, confirmed, in_production, process
from tests.support.mail_queue import dump_database, list_queued, make_due, send_next
from tests.support.people_without_http import (
    ARTICLE,
    delete_comment,
    edit_comment,
    hide_comment,
    post_comment,
)
from tests.support.reply_mail import DELAY, QUARTER, pass_time, reply, send_due, waiting
from tests.support.serving import spawned
from tests.support.smtp import MailServer
from tests.support.waiting import cancel_tasks, wait_until

PAGE = Topic("Page", "2")


def addresses(server: MailServer) -> list[str]:
    return [mail.to for mail in server.received]


# -- at once ------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
async def test_alice_gets_a_mail_about_a_reply_after_the_delay(
    parley: Parley, server: MailServer, alice: Viewer, bob: Viewer
) -> None:
    await reply(parley, bob, await post_comment(parley, alice, "A river is never the same."))
    await send_due(parley)
    assert server.received == [], "she may come by and read it"
    await pass_time(parley, DELAY)
    await send_due(parley)
    assert addresses(server) == ["alice@example.com"]
    assert "bob replied to you:\n\n> Indeed\n" in server.received[0].text
    assert (await list_queued(parley), await waiting(parley)) == ([], 0)


async def test_a_mention_is_mailed_too(parley: Parley, server: MailServer, alice: Viewer, bob: Viewer) -> None:
    await post_comment(parley, bob, "Ask @alice")
    comment = await post_comment(parley, bob, "Hm")
    await edit_comment(parley, bob, comment, "Hm, @alice?")
    await pass_time(parley, DELAY)
    await send_due(parley)
    assert server.received[0].text.count("bob mentioned you:") == 2


@pytest.mark.both_databases
async def test_one_conversation_sends_one_mail_in_a_quarter_of_an_hour_with_all_new_replies(
    parley: Parley, server: MailServer, alice: Viewer, bob: Viewer
) -> None:
    first = await post_comment(parley, alice, "Well?")
    await reply(parley, bob, first, "One")
    await pass_time(parley, DELAY)
    await reply(parley, bob, first, "Two, a moment later")
    await send_due(parley)
    assert [("> One" in mail.text, "> Two" in mail.text) for mail in server.received] == [(True, True)]
    for body in ("Three", "Four"):
        await reply(parley, bob, first, body)
        await pass_time(parley, DELAY)
        await send_due(parley)
    assert len(server.received) == 1
    await pass_time(parley, QUARTER)
    await send_due(parley)
    (_, second) = server.received
    assert [word in second.text for word in ("One", "Two", "Three", "Four")] == [False, False, True, True]


async def test_each_conversation_has_its_own_mail(
    parley: Parley, server: MailServer, alice: Viewer, bob: Viewer
) -> None:
    for topic in (ARTICLE, PAGE):
        await post_comment(parley, bob, f"@alice about {topic.id}", topic)
    await pass_time(parley, DELAY)
    await send_due(parley)
    assert len(server.received) == 2
    assert len({mail.message["References"] for mail in server.received}) == 2


async def test_mails_of_a_conversation_are_one_thread_in_a_mail_client(
    parley: Parley, server: MailServer, alice: Viewer, bob: Viewer
) -> None:
    for _ in range(2):
        await post_comment(parley, bob, "@alice")
        await pass_time(parley, QUARTER)
        await send_due(parley)
    first, second = server.received
    assert first.id != second.id
    assert first.message["References"] == second.message["References"] == second.message["In-Reply-To"]
    assert first.subject == second.subject


# -- a day's mails together ---------------------------------------------------------------------------------


@pytest.mark.both_databases
async def test_a_digest_comes_once_a_day_with_all_conversations(
    parley: Parley, server: MailServer, alice: Viewer, bob: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await choices.choose(parley, alice, MailChoice.DAILY, MailChoice.DAILY)
    for topic in (ARTICLE, PAGE):
        await post_comment(parley, bob, f"@alice about {topic.id}", topic)
    monkeypatch.setattr(queueing, "next_digest_at", lambda now, last, since: now + timedelta(hours=7))
    await pass_time(parley, DELAY)
    await send_due(parley)
    assert (server.received, await waiting(parley)) == ([], 2)
    monkeypatch.undo()
    await pass_time(parley, timedelta(days=1))
    await send_due(parley)
    (mail,) = server.received
    assert mail.subject == "Your daily replies"
    assert ("@alice about 1" in mail.text, "@alice about 2" in mail.text) == (True, True)
    assert mail.message["References"] is None
    async with parley.reading() as reading:
        (last,) = (await reading.scalars(select(LastMail))).all()
    assert last.place == ""


async def test_a_choice_is_made_for_each_kind(parley: Parley, server: MailServer, alice: Viewer, bob: Viewer) -> None:
    await choices.choose(parley, alice, MailChoice.NEVER, MailChoice.AT_ONCE)
    first = await post_comment(parley, alice, "Well?")
    await reply(parley, bob, first, "A reply")
    await post_comment(parley, bob, "A mention of @alice")
    await pass_time(parley, DELAY)
    await send_due(parley)
    (mail,) = server.received
    assert ("A mention" in mail.text, "A reply" in mail.text) == (True, False)
    assert await waiting(parley) == 0


# -- what is never sent -------------------------------------------------------------------------------------

Until = Literal["before it is queued", "before it is sent"]
UNTIL: tuple[Until, ...] = ("before it is queued", "before it is sent")


async def wait_and_send(parley: Parley, change: Callable[[], Awaitable[object]], until: Until) -> None:
    """Make the change before or after the mail is queued, then send what is due."""
    if until == "before it is queued":
        await change()
    await pass_time(parley, DELAY)
    while await queue_next(parley):
        pass
    if until == "before it is sent":
        assert await list_queued(parley)
        await change()
    await send_due(parley)


Change = Callable[[Parley, Viewer, Viewer, Comment], Awaitable[object]]

NEEDLESS: dict[str, Change] = {
    "read": lambda parley, alice, bob, comment: inbox.mark(parley, alice, id_of(id_in(alice), comment.id), True),
    "all read": lambda parley, alice, bob, comment: inbox.mark_all(parley, alice, 1_000),
    "deleted": lambda parley, alice, bob, comment: delete_comment(parley, bob, comment),
    "hidden": lambda parley, alice, bob, comment: hide_comment(parley, comment.id),
    "edited": lambda parley, alice, bob, comment: edit_comment(parley, bob, comment, "Ask somebody else"),
    "author muted": lambda parley, alice, bob, comment: mutes.mute(parley, alice, id_in(bob)),
    "conversation muted": lambda parley, alice, bob, comment: muted_conversations.mute(parley, id_in(alice), ARTICLE),
    "never": lambda parley, alice, bob, comment: choices.choose(parley, alice, MailChoice.NEVER, MailChoice.NEVER),
    "blocked": lambda parley, alice, bob, comment: block(parley, id_in(alice)),
    "account removed": lambda parley, alice, bob, comment: accounts.remove(parley, id_in(alice)),
}


@pytest.mark.parametrize("until", UNTIL)
@pytest.mark.parametrize("how", NEEDLESS)
async def test_no_mail_is_sent_if_it_became_needless(
    parley: Parley, server: MailServer, alice: Viewer, bob: Viewer, how: str, until: Until
) -> None:
    comment = await post_comment(parley, bob, "Ask @alice")
    await wait_and_send(parley, lambda: NEEDLESS[how](parley, alice, bob, comment), until)
    assert (server.received, await list_queued(parley), await waiting(parley)) == ([], [], 0)


def id_in(viewer: Viewer) -> UUID:
    assert viewer.user_id
    return viewer.user_id


async def block(parley: Parley, user_id: UUID) -> None:
    async with parley.writing(Topic.account(user_id)) as write:
        user = await write.get(User, user_id)
        assert user
        user.blocked_at = datetime.now(UTC)
        write.update(user)


async def test_an_edit_that_still_mentions_alice_is_mailed_as_it_is_now(
    parley: Parley, server: MailServer, alice: Viewer, bob: Viewer
) -> None:
    comment = await post_comment(parley, bob, "Ask @alice")
    await edit_comment(parley, bob, comment, "Do ask @Alice")
    await pass_time(parley, DELAY)
    await send_due(parley)
    assert "> Do ask @Alice" in server.received[0].text


async def test_a_mail_leaves_out_what_became_needless(
    parley: Parley, server: MailServer, alice: Viewer, bob: Viewer
) -> None:
    gone = await post_comment(parley, bob, "@alice, a secret")
    await post_comment(parley, bob, "@alice, hello")
    await pass_time(parley, DELAY)
    while await queue_next(parley):
        pass
    await delete_comment(parley, bob, gone)
    await send_due(parley)
    (mail,) = server.received
    assert ("hello" in mail.text, "secret" in mail.raw.decode()) == (True, False)


async def test_an_unconfirmed_address_gets_no_mail(parley: Parley, server: MailServer, bob: Viewer) -> None:
    await confirmed(parley, "carol")
    async with parley.database.transaction() as writing, writing.begin():
        await writing.execute(update(User).values(confirmed_at=None))
    await post_comment(parley, bob, "@carol, if that is you")
    await pass_time(parley, DELAY)
    await send_due(parley)
    assert (addresses(server), await waiting(parley)) == ([], 0)


async def test_without_a_mail_server_nothing_waits_for_mail(
    parley: Parley, production: Settings, server: MailServer, alice: Viewer, bob: Viewer
) -> None:
    """Otherwise old mails would be sent on the day on which the operator sets SMTP_URL."""
    await post_comment(parley, bob, "@alice")
    await pass_time(parley, DELAY)
    async with process(in_production(production, None)) as without:
        await queueing.keep_queueing(without)
        await maintenance.run_once(without)
    assert (await waiting(parley), await list_queued(parley)) == (0, [])


# -- exactly once in the queue, and at least once by mail ----------------------------------------------------


@pytest.mark.both_databases
async def test_two_processes_queue_each_mail_once(
    production: Settings, parley: Parley, server: MailServer, bob: Viewer
) -> None:
    people = [await confirmed(parley, f"reader{number}") for number in range(8)]
    for _ in range(3):
        await post_comment(parley, bob, " ".join(f"@{person.username}" for person in people))
    await pass_time(parley, DELAY)
    async with process(production) as other:
        for _ in range(20):
            await asyncio.gather(*(queue_next(each) for each in (parley, other, parley, other)))
    queued = await list_queued(parley)
    assert sorted(mail.address for mail in queued) == [f"reader{number}@example.com" for number in range(8)]
    await send_due(parley)
    assert [mail.text.count("bob mentioned you") for mail in server.received] == [3] * 8


@pytest.mark.postgresql_only
async def test_a_reply_that_arrives_while_a_mail_is_queued_waits_for_the_next_mail(
    production: Settings, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = production.model_copy(update={"reply_mail_delay_seconds": 0.0})
    about_to_commit, may_commit = asyncio.Event(), asyncio.Event()
    mark = queueing._set

    async def mark_and_wait(*arguments: Any, **values: Any) -> None:
        await mark(*arguments, **values)
        if values.get("mail_id"):
            about_to_commit.set()
            await may_commit.wait()

    async with process(at_once) as parley, process(at_once) as other:
        await confirmed(parley, "alice")
        bob = await confirmed(parley, "bob")
        await post_comment(parley, bob, "@alice")
        monkeypatch.setattr(queueing, "_set", mark_and_wait)
        first = asyncio.create_task(queue_next(parley))
        await about_to_commit.wait()
        await post_comment(parley, bob, "@alice, one more thing")
        second = asyncio.create_task(queue_next(other))
        await wait_until(lambda: is_waiting_for_a_lock(parley), "the second process to wait")
        may_commit.set()
        assert await first
        await second
        assert (len(await list_queued(parley)), await waiting(parley)) == (1, 1)


async def is_waiting_for_a_lock(parley: Parley) -> bool:
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    return bool(await parley.database.ask(waits))


async def test_a_process_that_is_killed_before_the_commit_loses_and_doubles_nothing(
    parley: Parley, server: MailServer, alice: Viewer, bob: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await post_comment(parley, bob, "@alice")
    await pass_time(parley, DELAY)
    for step in ("queue", "_set"):
        with monkeypatch.context() as doomed:
            doomed.setattr(mail_queue if step == "queue" else queueing, step, _killed)
            with pytest.raises(SystemError):
                await queue_next(parley)
        assert (await list_queued(parley), await waiting(parley)) == ([], 1)
    await send_due(parley)
    assert addresses(server) == ["alice@example.com"]


def _killed(*_: object, **__: object) -> None:
    raise SystemError("killed")


async def test_a_mail_whose_process_is_killed_while_it_sends_is_sent_by_another(
    production: Settings, parley: Parley, server: MailServer, alice: Viewer, bob: Viewer
) -> None:
    """The first process writes the comment, queues its mail, and is killed while it talks to the mail server."""
    server.hang("RCPT")
    environment = {
        "ENVIRONMENT": "production", "SECRET_KEY": KEY, "SMTP_URL": server.url, "REDIS_URL": production.redis_url,
        "PUBLIC_URL": "http://127.0.0.1:8000", "DATABASE_URL": production.database_url,
        "MAIL_FROM": "parley@talk.example.com",
        "REDIS_CHANNEL_NAME": production.redis_channel_name, "REPLY_MAIL_DELAY_SECONDS": "0",
        "REQUIRE_CONFIRMATION": "off",
    }  # fmt: skip
    async with spawned(environment) as app, app.client() as bobs:
        form = {"email": "bob@example.com", "password": PASSWORD}
        assert (await bobs.post("/api/session", json=form)).status_code == 200
        comment = {"body": "@alice", "commentable_type": "Article", "commentable_id": "1"}
        assert (await bobs.post("/api/comments/", json=comment)).status_code == 201
        await wait_until(lambda: "RCPT" in server.asked, "the process to send")
        app.process.signal(signal.SIGKILL)
        await asyncio.to_thread(app.process.wait)
    server.behave()
    await send_due(parley)
    assert server.received == [], "the killed process still has the claim"
    await make_due(parley)
    await send_due(parley)
    assert [mail.text.count("bob mentioned you") for mail in server.received] == [1]


async def test_a_process_that_is_killed_after_the_comment_leaves_its_mail_to_others(
    production: Settings, parley: Parley, server: MailServer, alice: Viewer, bob: Viewer
) -> None:
    async with process(production) as first:
        await post_comment(first, bob, "@alice")
    await pass_time(parley, DELAY)
    await send_due(parley)
    assert addresses(server) == ["alice@example.com"]


@pytest.mark.postgresql_only
async def test_a_notification_that_is_being_marked_as_read_delays_nobody(
    parley: Parley, server: MailServer, alice: Viewer, bob: Viewer
) -> None:
    comment = await post_comment(parley, bob, "@alice")
    await pass_time(parley, DELAY)
    async with parley.writing(Topic.account(id_in(alice))) as write:
        row = await write.get(Notification, id_of(id_in(alice), comment.id))
        assert row
        row.read_at = datetime.now(UTC)
        write.update(row)
        await write.session.flush()  # the row is locked now
        assert not await queue_next(parley)
    await send_due(parley)
    assert (server.received, await waiting(parley)) == ([], 0)


async def test_a_clock_that_was_ahead_for_a_year_delays_no_mail(
    parley: Parley, server: MailServer, alice: Viewer, bob: Viewer
) -> None:
    await post_comment(parley, bob, "@alice")
    await pass_time(parley, -timedelta(days=365))
    await send_due(parley)
    assert server.received == []
    await maintenance.run_once(parley)
    await send_due(parley)
    assert addresses(server) == ["alice@example.com"]


async def test_a_clock_that_jumps_ahead_sends_a_mail_once(
    parley: Parley, server: MailServer, alice: Viewer, bob: Viewer
) -> None:
    await post_comment(parley, bob, "@alice")
    await pass_time(parley, timedelta(days=365))
    await maintenance.run_once(parley)
    await send_due(parley)
    await pass_time(parley, -timedelta(days=365))
    await send_due(parley)
    assert addresses(server) == ["alice@example.com"]


async def test_times_of_old_mails_are_forgotten(parley: Parley, alice: Viewer, bob: Viewer) -> None:
    await post_comment(parley, bob, "@alice")
    await pass_time(parley, DELAY)
    await send_due(parley)
    for time, left in ((timedelta(days=1), 1), (timedelta(days=2), 0)):
        await pass_time(parley, time)
        await maintenance.run_once(parley)
        async with parley.reading() as reading:
            assert len((await reading.scalars(select(LastMail))).all()) == left


async def test_nothing_about_the_mails_of_a_deleted_account_stays(parley: Parley, alice: Viewer, bob: Viewer) -> None:
    await post_comment(parley, bob, "@alice")
    await pass_time(parley, DELAY)
    await send_due(parley)
    await muted_conversations.mute(parley, id_in(alice), PAGE)
    await accounts.remove(parley, id_in(alice))
    async with parley.reading() as reading:
        for model in (LastMail, muted_conversations.MutedConversation):
            assert (await reading.scalars(select(model))).all() == []
    assert "alice@example.com" not in await dump_database(parley)


# -- other mail ---------------------------------------------------------------------------------------------


@pytest.mark.both_databases
async def test_a_reset_link_is_sent_before_ten_thousand_mails_about_replies(
    parley: Parley, server: MailServer, alice: Viewer
) -> None:
    then = datetime.now(UTC) - timedelta(hours=1)
    bulk = [
        {"id": uuid4(), "kind": Kind.REPLIES, "address": f"reader{number}@example.com", "user_id": uuid4(),
         "priority": Priority.BULK, "attempts": 0, "created_at": then, "due_at": then}
        for number in range(10_000)
    ]  # fmt: skip
    async with parley.database.transaction() as writing, writing.begin():
        await writing.execute(insert(Mail), bulk)
        mail_queue.queue(writing, Kind.RESET, "alice@example.com")
    assert await send_next(parley)
    assert [mail.subject for mail in server.received] == ["Choose a new password"]


async def test_mails_about_replies_leave_a_place_for_urgent_mail(
    parley: Parley, server: MailServer, bob: Viewer, alice: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailer, "POLL_SECONDS", 0.01)
    deliver, asked, goes_on = mailer._send_message, list[str](), asyncio.Event()

    async def hang_except_for_alice(url: str, to: str, message: Any) -> None:
        asked.append(to)
        if to != "alice@example.com":
            await goes_on.wait()
        await deliver(url, to, message)

    monkeypatch.setattr(mailer, "_send_message", hang_except_for_alice)
    people = [await confirmed(parley, f"reader{number}") for number in range(2 * mailer.DELIVERIES)]
    await post_comment(parley, bob, " ".join(f"@{person.username}" for person in people))
    await pass_time(parley, DELAY)
    while await queue_next(parley):
        pass
    sending = asyncio.create_task(mailer.send_due_mail(parley))
    await wait_until(lambda: len(asked) >= mailer.DELIVERIES - 1, "the mails about replies")
    async with parley.database.transaction() as writing, writing.begin():
        mail_queue.queue(writing, Kind.RESET, "alice@example.com")
    await wait_until(lambda: addresses(server) == ["alice@example.com"], "the reset link")
    assert len(asked) == mailer.DELIVERIES
    goes_on.set()
    await wait_until(lambda: len(server.received) == len(people) + 1, "all mails")
    await cancel_tasks(sending)


async def test_a_new_mute_beyond_the_limit_ends_the_oldest(
    parley: Parley, alice: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(muted_conversations, "MAX_MUTED", 2)
    for number in range(3):
        await muted_conversations.mute(parley, id_in(alice), Topic("Article", str(number)))
    async with parley.reading() as reading:
        assert [place.id for place in await muted_conversations.muted_by(reading, id_in(alice))] == ["2", "1"]
    await muted_conversations.unmute(parley, id_in(alice), Topic("Article", "2"))
    async with parley.reading() as reading:
        assert [place.id for place in await muted_conversations.muted_by(reading, id_in(alice))] == ["1"]
