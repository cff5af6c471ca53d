"""Mail to the followers of a conversation, with a real mail server: when it is sent, and what it costs nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, func, insert, select, update

from app import maintenance
from app.accounts import accounts
from app.accounts.user import MailChoice, User
from app.comments.comments import Comment
from app.errors import Forbidden, SignInFirst
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import Viewer
from app.mail import mail_queue, mailer
from app.mail.mail_queue import Kind, Mail, Priority
from app.notifications import inbox, mutes
from app.notifications.notifications import id_of
from app.reply_mail import choices, followers, following, last_mails, muted_conversations
from app.reply_mail.follows import Follow, FollowedConversation, MailedRange
from app.reply_mail.queueing import queue_next
from app.settings import Settings
from tests.support.mail_fixtures import confirmed, in_production, process
from tests.support.mail_queue import list_queued, make_due
from tests.support.people_without_http import (
    ARTICLE,
    delete_comment,
    edit_comment,
    hide_comment,
    id_in,
    post_comment,
)
from tests.support.reply_mail import DELAY, QUARTER, pass_time, reply, send_due, waiting
from tests.support.smtp import MailServer
from tests.support.waiting import cancel_tasks, wait_until

PAGE = Topic("Page", "2")


async def follow(parley: Parley, *people: Viewer, place: Topic = ARTICLE) -> None:
    for person in people:
        await following.follow(parley, person.user_id, place)


async def follow_rows(parley: Parley) -> list[tuple[UUID, int, datetime | None]]:
    async with parley.reading() as reading:
        rows = (await reading.scalars(select(Follow).order_by(Follow.user_id))).all()
    return [(row.user_id, row.decided_seq, row.mail_due_at) for row in rows]


async def queue_all(parley: Parley) -> None:
    """Wake followers, and queue all mail that is due."""
    while await queue_next(parley):
        pass


async def wake_and_wait(parley: Parley, time: timedelta = DELAY) -> None:
    """Wake the followers, then let this time pass."""
    await queue_all(parley)
    await pass_time(parley, time)


def quotes(server: MailServer, *words: str) -> list[tuple[str, list[str]]]:
    """(the recipient, the words that are in the mail), for each mail."""
    return sorted((mail.to, [word for word in words if word in mail.text]) for mail in server.received)


ALICE, BOB = "alice@example.com", "bob@example.com"

# -- at once ------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
async def test_a_follower_gets_a_mail_about_a_comment_after_the_delay(
    parley: Parley, server: MailServer, alice: Viewer, bob: Viewer
) -> None:
    await post_comment(parley, bob, "An old one")
    await follow(parley, alice)
    await post_comment(parley, bob, "A new one")
    await send_due(parley)
    assert server.received == [], "she may come by and read it"
    await pass_time(parley, DELAY)
    await send_due(parley)
    (mail,) = server.received
    assert (mail.to, mail.subject) == (ALICE, "New comments in a conversation")
    assert "bob wrote:\n\n> A new one\n" in mail.text
    assert "old one" not in mail.text
    assert mail.part("html").count("<blockquote") == 1
    await send_due(parley)
    assert len(server.received) == 1
    assert (await list_queued(parley), await ranges(parley)) == ([], 0)


async def ranges(parley: Parley) -> int:
    async with parley.reading() as reading:
        return await reading.scalar(select(func.count()).select_from(MailedRange)) or 0


async def test_a_conversation_sends_one_mail_in_a_quarter_of_an_hour_with_all_new_comments(
    parley: Parley, server: MailServer, alice: Viewer, bob: Viewer
) -> None:
    await follow(parley, alice)
    for body in ("One", "Two"):
        await post_comment(parley, bob, body)
    await wake_and_wait(parley)
    await send_due(parley)
    for body in ("Three", "Four"):
        await post_comment(parley, bob, body)
        await wake_and_wait(parley)
        await send_due(parley)
    assert len(server.received) == 1
    await pass_time(parley, QUARTER)
    await send_due(parley)
    words = "One", "Two", "Three", "Four"
    assert quotes(server, *words) == [(ALICE, ["One", "Two"]), (ALICE, ["Three", "Four"])]
    assert len({mail.message["References"] for mail in server.received}) == 1


async def test_replies_and_other_comments_are_in_one_mail_and_each_comment_once(
    parley: Parley, server: MailServer, alice: Viewer, bob: Viewer
) -> None:
    first = await post_comment(parley, alice, "Well?")
    await follow(parley, alice)
    await reply(parley, bob, first, "A reply")
    await post_comment(parley, bob, "A comment")
    await post_comment(parley, bob, "A mention of @alice")
    await wake_and_wait(parley)
    await send_due(parley)
    await pass_time(parley, QUARTER)
    await send_due(parley)
    (mail,) = server.received
    assert mail.subject == "New replies in a conversation"
    acts = ("bob replied to you:\n\n> A reply", "bob wrote:\n\n> A comment", "bob mentioned you:\n\n> A mention")
    assert [mail.text.count(act) for act in acts] == [1, 1, 1]
    assert mail.text.count("> ") == 3


async def test_a_follower_whose_reply_waits_gets_both_in_one_mail_when_the_follow_is_due(
    parley: Parley, server: MailServer, alice: Viewer, bob: Viewer
) -> None:
    first = await post_comment(parley, alice, "Well?")
    await follow(parley, alice)
    await post_comment(parley, bob, "A comment")
    await wake_and_wait(parley)
    await reply(parley, bob, first, "A reply, a moment later")
    await send_due(parley)
    assert quotes(server, "A comment", "A reply") == [(ALICE, ["A comment", "A reply"])]


async def test_people_get_no_mail_about_their_own_comments(
    parley: Parley, server: MailServer, alice: Viewer, bob: Viewer
) -> None:
    await follow(parley, alice, bob)
    await post_comment(parley, alice, "Mine")
    await wake_and_wait(parley)
    await send_due(parley)
    assert quotes(server, "Mine") == [(BOB, ["Mine"])]
    await post_comment(parley, bob, "Yours")
    await wake_and_wait(parley)
    await send_due(parley)
    assert quotes(server, "Mine", "Yours") == [(ALICE, ["Yours"]), (BOB, ["Mine"])], "her own comment delayed nothing"


# -- the choice ---------------------------------------------------------------------------------------------


async def test_a_digest_has_the_comments_of_all_followed_conversations(
    parley: Parley, server: MailServer, alice: Viewer, bob: Viewer
) -> None:
    await choices.choose(parley, alice, MailChoice.AT_ONCE, MailChoice.AT_ONCE, MailChoice.DAILY)
    for place in (ARTICLE, PAGE):
        await follow(parley, alice, place=place)
        await post_comment(parley, bob, f"About {place.id}", place)
    await wake_and_wait(parley, timedelta(hours=1))
    assert [due > datetime.now(UTC) - timedelta(hours=1) for _, _, due in await follow_rows(parley) if due] == [
        True
    ] * 2
    await pass_time(parley, timedelta(days=1))
    await send_due(parley)
    (mail,) = server.received
    assert ("> About 1" in mail.text, "> About 2" in mail.text) == (True, True)
    assert mail.message["References"] is None


async def test_a_choice_against_mail_about_follows_leaves_mail_about_mentions(
    parley: Parley, server: MailServer, alice: Viewer, bob: Viewer
) -> None:
    await choices.choose(parley, alice, MailChoice.AT_ONCE, MailChoice.AT_ONCE, MailChoice.NEVER)
    await follow(parley, alice)
    await post_comment(parley, bob, "A comment")
    await post_comment(parley, bob, "A mention of @alice")
    await wake_and_wait(parley)
    await send_due(parley)
    assert quotes(server, "A comment", "A mention") == [(ALICE, ["A mention"])]
    await choices.choose(parley, alice, MailChoice.AT_ONCE, MailChoice.AT_ONCE, MailChoice.AT_ONCE)
    await pass_time(parley, QUARTER)
    await send_due(parley)
    assert len(server.received) == 1, "old comments are not mailed when she changes her mind"


# -- what is never sent -------------------------------------------------------------------------------------

Change = Callable[[Parley, Viewer, Viewer, Comment], Awaitable[object]]

NEEDLESS: dict[str, Change] = {
    "read": lambda parley, alice, bob, comment: following.mark_read(parley, id_in(alice), ARTICLE, comment.seq),
    "deleted": lambda parley, alice, bob, comment: delete_comment(parley, bob, comment),
    "hidden": lambda parley, alice, bob, comment: hide_comment(parley, comment.id),
    "unfollowed": lambda parley, alice, bob, comment: following.unfollow(parley, id_in(alice), ARTICLE),
    "author muted": lambda parley, alice, bob, comment: mutes.mute(parley, alice, id_in(bob)),
    "conversation muted": lambda parley, alice, bob, comment: muted_conversations.mute(parley, id_in(alice), ARTICLE),
    "never": lambda parley, alice, bob, comment: choices.choose(
        parley, alice, MailChoice.AT_ONCE, MailChoice.AT_ONCE, MailChoice.NEVER
    ),
    "unconfirmed": lambda parley, alice, bob, comment: change_account(parley, id_in(alice), confirmed_at=None),
    "blocked": lambda parley, alice, bob, comment: change_account(parley, id_in(alice), blocked_at=datetime.now(UTC)),
    "account removed": lambda parley, alice, bob, comment: accounts.remove(parley, id_in(alice)),
}


async def change_account(parley: Parley, user_id: UUID, **values: Any) -> None:
    async with parley.database.transaction() as writing, writing.begin():
        await writing.execute(update(User).where(User.id == user_id).values(values))


@pytest.mark.parametrize("after", ["nothing", "waking", "queueing"])
@pytest.mark.parametrize("how", NEEDLESS)
async def test_no_mail_is_sent_if_it_became_needless(
    parley: Parley, server: MailServer, alice: Viewer, bob: Viewer, how: str, after: str
) -> None:
    carol = await confirmed(parley, "carol")
    await follow(parley, alice, carol)
    comment = await post_comment(parley, bob, "Hello")
    if after != "nothing":
        await queue_all(parley)
    await pass_time(parley, DELAY)
    if after == "queueing":
        await queue_all(parley)
        assert len(await list_queued(parley)) == 2
    await NEEDLESS[how](parley, alice, bob, comment)
    await pass_time(parley, DELAY)
    await send_due(parley)
    to_carol = [] if how in ("deleted", "hidden") else ["carol@example.com"]
    assert [mail.to for mail in server.received] == to_carol
    assert (await list_queued(parley), [due for _, _, due in await follow_rows(parley) if due]) == ([], [])


async def test_a_mail_leaves_out_what_became_needless(
    parley: Parley, server: MailServer, alice: Viewer, bob: Viewer
) -> None:
    await follow(parley, alice)
    gone = await post_comment(parley, bob, "A secret")
    kept = await post_comment(parley, bob, "A typo")
    await wake_and_wait(parley)
    await queue_all(parley)
    await delete_comment(parley, bob, gone)
    await edit_comment(parley, bob, kept, "A correction")
    await send_due(parley)
    (mail,) = server.received
    assert [word in mail.raw.decode() for word in ("secret", "typo", "correction")] == [False, False, True]


async def test_a_mention_that_was_read_in_the_bell_is_not_mailed_as_a_comment(
    parley: Parley, server: MailServer, alice: Viewer, bob: Viewer
) -> None:
    await follow(parley, alice)
    comment = await post_comment(parley, bob, "Ask @alice")
    await inbox.mark(parley, alice, id_of(id_in(alice), comment.id), True)
    await wake_and_wait(parley)
    await send_due(parley)
    assert (server.received, await waiting(parley)) == ([], 0)


async def test_a_seq_beyond_the_newest_comment_silences_no_later_one(
    parley: Parley, server: MailServer, alice: Viewer, bob: Viewer
) -> None:
    await post_comment(parley, bob, "Read")
    await follow(parley, alice)
    await following.mark_read(parley, id_in(alice), ARTICLE, 2**60)
    await post_comment(parley, bob, "Unread")
    await wake_and_wait(parley)
    await send_due(parley)
    assert quotes(server, "Unread") == [(ALICE, ["Unread"])]


async def test_without_a_mail_server_no_comment_waits_for_mail(
    parley: Parley, production: Settings, server: MailServer, alice: Viewer, bob: Viewer
) -> None:
    await follow(parley, alice)
    await post_comment(parley, bob, "An old one")
    async with process(in_production(production, None)) as without:
        await maintenance.run_once(without)
    await post_comment(parley, bob, "A new one")
    await wake_and_wait(parley)
    await send_due(parley)
    assert quotes(server, "old one", "new one") == [(ALICE, ["new one"])]


async def test_a_clock_that_was_ahead_for_a_year_delays_no_mail(
    parley: Parley, server: MailServer, alice: Viewer, bob: Viewer
) -> None:
    await follow(parley, alice)
    await post_comment(parley, bob, "Hello")
    await queue_all(parley)
    await pass_time(parley, -timedelta(days=365))
    await send_due(parley)
    assert server.received == []
    await maintenance.run_once(parley)
    await send_due(parley)
    assert [mail.to for mail in server.received] == [ALICE]


# -- what it costs the author -------------------------------------------------------------------------------


@pytest.mark.both_databases
async def test_a_comment_is_written_with_the_same_statements_if_the_conversation_has_followers(
    parley: Parley, bob: Viewer
) -> None:
    people = [await confirmed(parley, f"reader{number}") for number in range(12)]
    for place in (ARTICLE, PAGE):
        await post_comment(parley, bob, "The first one creates the counters", place)
    await follow(parley, *people)
    before, sent = await follow_rows(parley), list[tuple[str, int]]()
    threads = parley.database._threads

    def count(_connection: object, _cursor: object, sql: str, _values: object, _context: object, many: bool) -> None:
        sent.append((sql, len(_values) if many and isinstance(_values, list) else 1))

    for engine in (parley.database._engine.sync_engine, *(each.engine for each in threads)):
        event.listen(engine, "before_cursor_execute", count)
    await post_comment(parley, bob, "Without followers", PAGE)
    without = sent.copy()
    sent.clear()
    await post_comment(parley, bob, "With followers")
    assert sent == without
    assert (await follow_rows(parley), await list_queued(parley)) == (before, []), "nothing is written for them"


# -- exactly once in the queue ------------------------------------------------------------------------------


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followers, "WAKE_BATCH", 3)
    monkeypatch.setattr(followers, "QUEUE_BATCH", 2)


@pytest.mark.both_databases
@pytest.mark.usefixtures("small_batches")
async def test_two_processes_queue_each_followers_mail_once(
    production: Settings, parley: Parley, server: MailServer, bob: Viewer
) -> None:
    people = [await confirmed(parley, f"reader{number}") for number in range(10)]
    await follow(parley, *people)
    for body in ("One", "Two", "Three"):
        await post_comment(parley, bob, body)
    async with process(production) as other:
        for _ in range(2):
            for _ in range(12):
                await asyncio.gather(*(queue_next(each) for each in (parley, other, parley, other)))
            await pass_time(parley, DELAY)
    queued = await list_queued(parley)
    assert sorted(mail.address for mail in queued) == [f"reader{number}@example.com" for number in range(10)]
    await send_due(parley)
    assert [mail.text.count("bob wrote") for mail in server.received] == [3] * 10


@pytest.mark.postgresql_only
async def test_a_follower_whom_another_process_decides_about_is_left_to_it(
    production: Settings, parley: Parley, alice: Viewer, bob: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await follow(parley, alice)
    await post_comment(parley, bob, "Hello")
    await wake_and_wait(parley)
    about_to_commit, may_commit = asyncio.Event(), asyncio.Event()
    note = last_mails.note

    async def note_and_wait(*arguments: Any) -> None:
        await note(*arguments)
        about_to_commit.set()
        await may_commit.wait()

    async with process(production) as other:
        with monkeypatch.context() as slow:
            slow.setattr(last_mails, "note", note_and_wait)
            first = asyncio.create_task(queue_next(parley))
            await about_to_commit.wait()
        assert not await followers.queue_together(other, str(ARTICLE))
        may_commit.set()
        assert await first
    assert len(await list_queued(parley)) == 1


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("step", ["first batch", "last batch"])
async def test_a_process_that_is_killed_while_it_wakes_followers_leaves_the_rest_to_another(
    production: Settings, parley: Parley, server: MailServer, bob: Viewer, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [await confirmed(parley, f"reader{number}") for number in range(7)]
    await follow(parley, *people)
    await post_comment(parley, bob, "Hello")
    async with process(production) as first:
        if step == "last batch":
            while await queue_next(first):
                if len([due for _, _, due in await follow_rows(parley) if due]) == len(people):
                    break
        else:
            assert await queue_next(first)
        with monkeypatch.context() as doomed:
            doomed.setattr(followers, "_wake_batch", killed_after(followers._wake_batch))
            with pytest.raises(SystemError):
                await queue_next(first)
    await wake_and_wait(parley)
    await send_due(parley)
    assert sorted(mail.to for mail in server.received) == [f"reader{number}@example.com" for number in range(7)]


@pytest.mark.usefixtures("small_batches")
async def test_a_process_that_is_killed_while_it_queues_mails_loses_and_doubles_none(
    production: Settings, parley: Parley, server: MailServer, bob: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [await confirmed(parley, f"reader{number}") for number in range(5)]
    await follow(parley, *people)
    await post_comment(parley, bob, "Hello")
    await wake_and_wait(parley)
    async with process(production) as first:
        assert await queue_next(first)
        with monkeypatch.context() as doomed:
            doomed.setattr(last_mails, "note", killed_after(last_mails.note))
            with pytest.raises(SystemError):
                await queue_next(first)
    assert len(await list_queued(parley)) == 2
    await send_due(parley)
    assert sorted(mail.to for mail in server.received) == [f"reader{number}@example.com" for number in range(5)]


def killed_after(work: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[None]]:
    async def run(*arguments: Any) -> None:
        await work(*arguments)
        raise SystemError("killed")

    return run


async def test_a_mail_whose_process_is_killed_after_it_claimed_it_has_the_same_comments(
    parley: Parley, server: MailServer, alice: Viewer, bob: Viewer
) -> None:
    await follow(parley, alice)
    await post_comment(parley, bob, "One")
    await wake_and_wait(parley)
    await queue_all(parley)
    assert await mailer.claim_next(parley)
    await post_comment(parley, bob, "Two")
    await make_due(parley)
    await send_due(parley)
    assert quotes(server, "One", "Two") == [(ALICE, ["One"])]


# -- other mail ---------------------------------------------------------------------------------------------


async def test_mails_to_followers_are_sent_after_all_other_mails(
    parley: Parley, server: MailServer, alice: Viewer
) -> None:
    then, now = datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC)
    crowd = [
        {"id": uuid4(), "kind": Kind.FOLLOWED, "address": f"reader{number}@example.com", "user_id": uuid4(),
         "priority": Priority.FOLLOWERS, "attempts": 0, "created_at": then, "due_at": then}
        for number in range(1_000)
    ]  # fmt: skip
    async with parley.database.transaction() as writing, writing.begin():
        await writing.execute(insert(Mail), crowd)
        writing.add(Mail(kind=Kind.REPLIES, address=BOB, priority=Priority.BULK, created_at=now, due_at=now))
        mail_queue.queue(writing, Kind.RESET, ALICE)
    claimed = [await mailer.claim_next(parley) for _ in range(3)]
    assert [mail and mail.kind for mail in claimed] == [Kind.RESET, Kind.REPLIES, Kind.FOLLOWED]


async def test_mail_to_followers_has_their_priority(parley: Parley, alice: Viewer, bob: Viewer) -> None:
    daily = await confirmed(parley, "daily")
    await choices.choose(parley, daily, MailChoice.AT_ONCE, MailChoice.AT_ONCE, MailChoice.DAILY)
    await follow(parley, alice, daily)
    await post_comment(parley, bob, "Hello")
    await wake_and_wait(parley, timedelta(days=1))
    await queue_all(parley)
    found = {(mail.kind, mail.priority) for mail in await list_queued(parley)}
    assert found == {(Kind.FOLLOWED, Priority.FOLLOWERS), (Kind.DIGEST, Priority.FOLLOWERS)}


async def test_a_reply_is_decided_before_followers_who_have_waited_longer(
    parley: Parley, alice: Viewer, bob: Viewer
) -> None:
    people = [await confirmed(parley, f"reader{number}") for number in range(3)]
    await follow(parley, *people)
    await post_comment(parley, bob, "Hello")
    await wake_and_wait(parley, QUARTER)
    await post_comment(parley, bob, "@alice")
    await pass_time(parley, DELAY)
    assert await queue_next(parley)
    assert [mail.address for mail in await list_queued(parley)] == [ALICE]


async def test_mails_to_followers_leave_a_place_for_replies_and_one_for_urgent_mail(
    parley: Parley, server: MailServer, alice: Viewer, bob: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailer, "POLL_SECONDS", 0.01)
    deliver, asked, goes_on = mailer._send_message, list[str](), asyncio.Event()

    async def hang_for_readers(url: str, to: str, message: Any) -> None:
        asked.append(to)
        if to.startswith("reader"):
            await goes_on.wait()
        await deliver(url, to, message)

    monkeypatch.setattr(mailer, "_send_message", hang_for_readers)
    people = [await confirmed(parley, f"reader{number}") for number in range(mailer.DELIVERIES)]
    await follow(parley, *people)
    await post_comment(parley, bob, "Hello")
    await wake_and_wait(parley)
    await queue_all(parley)
    sending = asyncio.create_task(mailer.send_due_mail(parley))
    await wait_until(lambda: len(asked) >= mailer.PLACES[Priority.FOLLOWERS], "the mails to followers")
    await post_comment(parley, bob, "@alice")
    await pass_time(parley, DELAY)
    await queue_all(parley)
    await wait_until(lambda: ALICE in asked, "the mail about the mention")
    async with parley.database.transaction() as writing, writing.begin():
        mail_queue.queue(writing, Kind.RESET, BOB)
    await wait_until(lambda: len(server.received) == 2, "the mention and the reset link")
    assert [mail.to for mail in server.received] == [ALICE, BOB]
    assert len(asked) == mailer.PLACES[Priority.FOLLOWERS] + 2
    goes_on.set()
    await wait_until(lambda: len(server.received) == len(people) + 2, "all mails")
    await cancel_tasks(sending)


# -- following and muting -----------------------------------------------------------------------------------


async def test_to_follow_a_conversation_unmutes_it_and_to_mute_it_unfollows_it(parley: Parley, alice: Viewer) -> None:
    async def state() -> tuple[int, int]:
        async with parley.reading() as reading:
            followed = await following.followed_by(reading, alice.user_id)
            return len(followed), len(await muted_conversations.muted_by(reading, alice.user_id))

    await muted_conversations.mute(parley, alice.user_id, ARTICLE)
    await follow(parley, alice)
    assert await state() == (1, 0)
    await muted_conversations.mute(parley, alice.user_id, ARTICLE)
    assert await state() == (0, 1)


@pytest.mark.postgresql_only
async def test_a_follow_and_a_mute_at_the_same_moment_leave_one_of_them(
    parley: Parley, alice: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    about_to_commit, may_commit = asyncio.Event(), asyncio.Event()
    lock = muted_conversations.lock_choices

    async def lock_and_wait(*arguments: Any) -> bool:
        found = await lock(*arguments)
        about_to_commit.set()
        await may_commit.wait()
        return found

    monkeypatch.setattr(following, "lock_choices", lock_and_wait)
    first = asyncio.create_task(follow(parley, alice))
    await about_to_commit.wait()
    second = asyncio.ensure_future(muted_conversations.mute(parley, alice.user_id, ARTICLE))
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    await wait_until(lambda: parley.database.ask(waits), "the mute to wait")
    may_commit.set()
    await asyncio.gather(first, second)
    assert await follow_rows(parley) == []


async def test_the_number_of_follows_has_a_limit(
    parley: Parley, alice: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "MAX_FOLLOWED", 1)
    for _ in range(2):
        await follow(parley, alice)
    with pytest.raises(Forbidden):
        await follow(parley, alice, place=PAGE)


async def test_a_deleted_account_follows_nothing(parley: Parley, alice: Viewer, bob: Viewer) -> None:
    await follow(parley, alice)
    await accounts.remove(parley, id_in(alice))
    assert await follow_rows(parley) == []
    with pytest.raises(SignInFirst):
        await follow(parley, alice)


async def test_a_conversation_without_followers_is_no_longer_watched(
    parley: Parley, server: MailServer, alice: Viewer, bob: Viewer
) -> None:
    await follow(parley, alice)
    await following.unfollow(parley, alice.user_id, ARTICLE)
    await post_comment(parley, bob, "Hello")
    await queue_all(parley)
    async with parley.reading() as reading:
        assert (await reading.scalars(select(FollowedConversation))).all() == []
    await follow(parley, alice)
    await post_comment(parley, bob, "Hello again")
    await wake_and_wait(parley)
    await send_due(parley)
    assert quotes(server, "Hello again") == [(ALICE, ["Hello again"])]


async def test_a_late_follower_gets_no_mail_about_earlier_comments(
    parley: Parley, server: MailServer, alice: Viewer, bob: Viewer
) -> None:
    await follow(parley, alice)
    await post_comment(parley, bob, "Early")
    carol = await confirmed(parley, "carol")
    await follow(parley, carol)
    await wake_and_wait(parley)
    await send_due(parley)
    assert [mail.to for mail in server.received] == [ALICE]
