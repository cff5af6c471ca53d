"""Mail to moderators, with a real mail server: the recipients, the times, and the mail that is never sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Literal

import pytest
from sqlalchemy import update

from app import maintenance
from app.accounts import accounts, roles
from app.accounts.user import MailChoice, Role, User
from app.comments.comments import Comment
from app.live.service import Parley
from app.live.viewers import Viewer
from app.live.write.recording import Recording
from app.mail import mail_queue, mailer
from app.moderation import moderation
from app.moderator_mail import queueing
from app.moderator_mail.news import About
from app.moderator_mail.queueing import learn_kinds, queue_next
from app.reply_mail import last_mails
from app.settings import Settings
from tests.support.mail_fixtures import in_production, process
from tests.support.mail_queue import list_queued, make_due, send_next
from tests.support.moderator_mail import (
    list_news,
    queue_due,
    report,
    send_due,
    wants,
    with_role,
)
from tests.support.moderators import set_role
from tests.support.people_without_http import delete_comment, edit_comment, hide_comment, id_in, post_comment
from tests.support.reply_mail import QUARTER, pass_time
from tests.support.smtp import MailServer

AT_ONCE, DAILY, NEVER = MailChoice.AT_ONCE, MailChoice.DAILY, MailChoice.NEVER


def mails(server: MailServer) -> list[tuple[str, str]]:
    """(the recipient, the subject) of each mail, sorted."""
    return sorted((mail.to.partition("@")[0], mail.subject) for mail in server.received)


# -- at once ------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
async def test_moderators_get_mail_about_a_report_and_by_default_about_nothing_else(
    parley: Parley, server: MailServer, olga: Viewer, mia: Viewer, alice: Viewer, bob: Viewer
) -> None:
    comment = await post_comment(parley, bob, "Buy a river!")
    await edit_comment(parley, bob, comment, "Buy two rivers!")
    await report(parley, alice, comment)
    await send_due(parley)
    assert mails(server) == [("mia", "Reported comments"), ("olga", "Reported comments")]
    assert "alice reported a comment of bob (spam):\n\n> Buy two rivers!\n" in server.received[0].text
    assert (await list_queued(parley), await queue_next(parley)) == ([], False)


@pytest.mark.parametrize("about", [About.COMMENT, About.EDIT, About.REMOVAL])
async def test_an_owner_chooses_mail_for_each_kind(
    parley: Parley, server: MailServer, olga: Viewer, mia: Viewer, bob: Viewer, about: About
) -> None:
    await wants(parley, olga, AT_ONCE, about)
    comment = await post_comment(parley, bob, "A stepp")
    await edit_comment(parley, bob, comment, "A step")
    await send_due(parley)
    seen = [mail.text for mail in server.received]
    await moderation.hide(parley, mia, comment.id, "Off topic")
    await send_due(parley)
    sentence = {
        About.COMMENT: "bob wrote:\n\n> A step\n",
        About.EDIT: "bob edited a comment:\n\n> A step\n",
        About.REMOVAL: "mia hid a comment of bob:\n\nNote: Off topic\n",
    }[about]
    assert ([mail.to for mail in server.received], len(seen)) == (["olga@example.com"], int(about != About.REMOVAL))
    assert sentence in server.received[0].text


async def test_nobody_gets_mail_about_what_they_did_themselves(
    parley: Parley, server: MailServer, olga: Viewer, mia: Viewer, bob: Viewer
) -> None:
    for moderator in (olga, mia):
        await wants(parley, moderator, AT_ONCE, *About)
    comment = await edit_comment(parley, mia, await post_comment(parley, mia, "Helo"), "Hello")
    assert comment.body == "Hello"
    other = await post_comment(parley, bob, "Buy a river!")
    await report(parley, mia, other)
    await moderation.erase(parley, olga, other.id)
    await send_due(parley)
    assert mails(server) == [
        ("mia", "Removed comments"), ("olga", "Edited comments"), ("olga", "New comments"),
    ], "and the report is settled"  # fmt: skip


async def test_a_kind_sends_one_mail_in_a_quarter_of_an_hour_with_everything_new(
    parley: Parley, server: MailServer, olga: Viewer, alice: Viewer, bob: Viewer
) -> None:
    await wants(parley, olga, AT_ONCE, About.COMMENT)
    for body in ("One", "Two", "Three"):
        await post_comment(parley, bob, body)
        await send_due(parley)
    await report(parley, alice, await post_comment(parley, bob, "Four"))
    await send_due(parley)
    assert mails(server) == [("olga", "New comments"), ("olga", "Reported comments")], "another kind does not wait"
    await pass_time(parley, QUARTER)
    await send_due(parley)
    first, last = server.received[0], server.received[-1]
    words = ("> One", "> Two", "> Three", "> Four")
    assert [[word in mail.text for word in words] for mail in (first, last)] == [
        [True, False, False, False], [False, True, True, True],
    ]  # fmt: skip
    assert first.message["References"] == last.message["References"] != server.received[1].message["References"]
    assert len(server.received) == 3


# -- a day's mails together ---------------------------------------------------------------------------------


@pytest.mark.both_databases
async def test_a_digest_comes_once_a_day_with_all_daily_kinds(
    parley: Parley, server: MailServer, olga: Viewer, alice: Viewer, bob: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await wants(parley, olga, DAILY, About.COMMENT, About.EDIT)
    with monkeypatch.context() as tomorrow:
        tomorrow.setattr(queueing, "next_digest_at", lambda now, last, since: now + timedelta(hours=7))
        comment = await post_comment(parley, bob, "A stepp")
        await edit_comment(parley, bob, comment, "A step")
        await report(parley, alice, comment)
        await send_due(parley)
        assert mails(server) == [("olga", "Reported comments")]
    await pass_time(parley, timedelta(days=1))
    await send_due(parley)
    assert server.received[-1].subject == "Your daily moderation email"
    assert "bob wrote:\n\n> A step\n" in server.received[-1].text
    assert "bob edited a comment:\n\n> A step\n" in server.received[-1].text
    await edit_comment(parley, bob, comment, "Two steps")
    await send_due(parley)
    assert len(server.received) == 2, "the next digest comes tomorrow"


# -- what is never sent -------------------------------------------------------------------------------------

Until = Literal["before it is queued", "before it is sent"]
UNTIL: tuple[Until, ...] = ("before it is queued", "before it is sent")
Change = Callable[[Parley, Viewer, Comment], Awaitable[object]]

NEEDLESS: dict[str, Change] = {
    "former moderator": lambda parley, olga, comment: set_role(parley, olga, Role.MEMBER),
    "never": lambda parley, olga, comment: wants(parley, olga, NEVER, *About),
    "blocked": lambda parley, olga, comment: set_user(parley, olga, blocked_at=comment.created_at),
    "address unconfirmed": lambda parley, olga, comment: set_user(parley, olga, confirmed_at=None),
    "account removed": lambda parley, olga, comment: accounts.remove(parley, id_in(olga)),
    "comment hidden": lambda parley, olga, comment: hide_comment(parley, comment.id),
    "comment deleted": lambda parley, olga, comment: erase(parley, comment),
}


async def set_user(parley: Parley, viewer: Viewer, **values: object) -> None:
    async with parley.database.transaction() as writing, writing.begin():
        await writing.execute(update(User).where(User.id == viewer.user_id).values(values))


async def erase(parley: Parley, comment: Comment) -> None:
    await delete_comment(parley, Viewer(comment.user_id, comment.username), comment)


@pytest.mark.parametrize("until", UNTIL)
@pytest.mark.parametrize("how", NEEDLESS)
async def test_no_mail_is_sent_if_it_became_needless(
    parley: Parley, server: MailServer, olga: Viewer, bob: Viewer, how: str, until: Until
) -> None:
    await with_role(parley, "nora", Role.OWNER)  # a last owner cannot leave
    await wants(parley, olga, AT_ONCE, About.COMMENT)
    comment = await post_comment(parley, bob, "A secret")
    if until == "before it is sent":
        await queue_due(parley)
        assert await list_queued(parley)
    await NEEDLESS[how](parley, olga, comment)
    await send_due(parley)
    await maintenance.run_once(parley)
    assert (server.received, await list_queued(parley), await list_news(parley)) == ([], [], [])


@pytest.mark.parametrize("until", UNTIL)
async def test_a_settled_report_is_not_mailed(
    parley: Parley, server: MailServer, olga: Viewer, mia: Viewer, alice: Viewer, bob: Viewer, until: Until
) -> None:
    comment = await post_comment(parley, bob, "A secret")
    await report(parley, alice, comment)
    if until == "before it is sent":
        await queue_due(parley)
    await moderation.dismiss(parley, mia, comment.id)
    await send_due(parley)
    assert server.received == []


async def test_a_mail_leaves_out_what_was_hidden_meanwhile(
    parley: Parley, server: MailServer, olga: Viewer, mia: Viewer, bob: Viewer
) -> None:
    await wants(parley, olga, AT_ONCE, *About)
    gone = await post_comment(parley, bob, "A secret")
    await post_comment(parley, bob, "Good morning")
    await queue_due(parley)
    await moderation.hide(parley, mia, gone.id)
    await send_due(parley)
    assert mails(server) == [("olga", "New comments"), ("olga", "Removed comments")]
    assert ["Good morning" in mail.text for mail in server.received].count(True) == 1
    assert not any(b"secret" in mail.raw for mail in server.received)


async def test_without_a_mail_server_nothing_waits_for_mail(
    parley: Parley, production: Settings, server: MailServer, olga: Viewer, alice: Viewer, bob: Viewer
) -> None:
    """Otherwise old mails would be sent on the day on which the operator sets SMTP_URL."""
    comment = await post_comment(parley, bob, "Buy a river!")
    await report(parley, alice, comment)
    async with process(in_production(production, None)) as without:
        await queueing.keep_queueing(without)  # returns
        await maintenance.run_once(without)
        assert await list_news(parley) == []
        await moderation.dismiss(without, olga, comment.id)
        await edit_comment(without, bob, comment, "Buy two rivers!")
        await report(without, alice, comment)
    assert await list_news(parley) == []


# -- what is recorded ---------------------------------------------------------------------------------------


async def test_a_process_records_only_what_some_moderator_wants(parley: Parley, olga: Viewer, bob: Viewer) -> None:
    await learn_kinds(parley)
    comment = await edit_comment(parley, bob, await post_comment(parley, bob, "A stepp"), "A step")
    assert await list_news(parley) == []
    await wants(parley, olga, DAILY, About.EDIT)
    await learn_kinds(parley)
    await post_comment(parley, bob, "Another")
    await edit_comment(parley, bob, comment, "Two steps")
    assert [news.about for news in await list_news(parley)] == [About.EDIT]
    await set_role(parley, olga, Role.MEMBER)
    await learn_kinds(parley)
    await edit_comment(parley, bob, comment, "Three steps")
    assert len(await list_news(parley)) == 1


async def test_a_process_that_does_not_know_the_choices_leaves_nothing_out(
    production: Settings, parley: Parley, server: MailServer, olga: Viewer, bob: Viewer
) -> None:
    await learn_kinds(parley)
    await wants(parley, olga, AT_ONCE, About.COMMENT)
    async with process(production) as script:
        await post_comment(script, bob, "Hello")
    await send_due(parley)
    assert mails(server) == [("olga", "New comments")]


def test_what_a_process_has_learned_expires(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = Recording(settings)
    recording.learn(["report"])
    assert (recording.wants("report"), recording.wants("comment")) == (True, False)
    monkeypatch.setattr("app.live.write.recording.KNOWN_SECONDS", -1.0)
    recording.learn(["report"])
    assert (recording.wants("report"), recording.wants("comment")) == (True, True)


async def test_likes_restores_and_other_decisions_are_no_news(
    parley: Parley, olga: Viewer, alice: Viewer, bob: Viewer
) -> None:
    comment = await post_comment(parley, bob, "Hello")
    await report(parley, alice, comment)
    await edit_comment(parley, bob, comment, "Hello, all")  # the report is sent again to moderators
    await moderation.hide(parley, olga, comment.id)
    await moderation.restore(parley, olga, comment.id)
    await roles.block(parley, olga, id_in(alice))
    assert [news.about for news in await list_news(parley)] == [
        About.COMMENT, About.REPORT, About.EDIT, About.REMOVAL,
    ]  # fmt: skip


# -- exactly once in the queue, and at least once by mail ----------------------------------------------------


@pytest.mark.both_databases
async def test_two_processes_queue_each_mail_once(
    production: Settings, parley: Parley, server: MailServer, bob: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queueing, "MAX_CHANGES", 2)
    for number in range(4):
        moderator = await with_role(parley, f"moderator{number}")
        await wants(parley, moderator, AT_ONCE, About.COMMENT)
    for number in range(5):
        await post_comment(parley, bob, f"Number {number}")
    async with process(production) as other:
        together = (parley, other, parley, other)
        while any(await asyncio.gather(*map(queue_next, together))):
            pass
    await queue_due(parley)
    await pass_time(parley, QUARTER)
    await send_due(parley)
    for number in range(4):
        texts = "".join(mail.text for mail in server.received if mail.to == f"moderator{number}@example.com")
        assert [texts.count(f"> Number {number}\n") for number in range(5)] == [1] * 5


async def test_a_process_that_is_killed_before_a_commit_loses_and_doubles_nothing(
    parley: Parley, server: MailServer, olga: Viewer, mia: Viewer, alice: Viewer, bob: Viewer
) -> None:
    await report(parley, alice, await post_comment(parley, bob, "Buy a river!"))
    await killed_at(parley, queueing, "_for")
    assert [news.about for news in await list_news(parley)] == ["comment", "report"]
    assert await queue_next(parley)
    for module, name in ((mail_queue, "queue"), (last_mails, "note")):
        await killed_at(parley, module, name)
        assert (await list_queued(parley), len(await list_news(parley))) == ([], 2)
    await send_due(parley)
    assert mails(server) == [("mia", "Reported comments"), ("olga", "Reported comments")]


async def killed_at(parley: Parley, module: object, name: str) -> None:
    def killed(*_: object, **__: object) -> None:
        raise SystemError("killed")

    with pytest.MonkeyPatch.context() as doomed:
        doomed.setattr(module, name, killed)
        with pytest.raises(SystemError):
            await queue_next(parley)


async def test_each_step_may_be_the_last_one_of_its_process(
    production: Settings, parley: Parley, server: MailServer, olga: Viewer, alice: Viewer, bob: Viewer
) -> None:
    """One process stores the report, another one finds its recipients, the next ones queue the mail, claim it, and send
    it, but are killed before they have noted that."""
    async with process(production) as process_:
        await report(process_, alice, await post_comment(process_, bob, "Buy a river!"))
    for _ in range(2):
        async with process(production) as process_:
            assert await queue_next(process_)
    async with process(production) as process_:
        assert await mailer.claim_next(process_)
    await send_due(parley)
    assert server.received == [], "the killed process still has the claim"
    await make_due(parley)
    server.drop("DATA")  # the mail has been accepted, and the process does not learn it
    async with process(production) as process_:
        await send_next(process_)
    server.behave()
    await make_due(parley)
    await send_due(parley)
    await maintenance.run_once(parley)
    first, again = server.received
    assert first.id == again.id, "mail clients can recognise the duplicate"
    assert ["> Buy a river!" in mail.text for mail in (first, again)] == [True, True]
    assert (await list_queued(parley), await list_news(parley)) == ([], [])


async def test_a_clock_that_was_ahead_for_a_year_delays_no_mail(
    parley: Parley, server: MailServer, olga: Viewer, alice: Viewer, bob: Viewer
) -> None:
    await report(parley, alice, await post_comment(parley, bob, "Buy a river!"))
    assert await queue_next(parley)
    await pass_time(parley, -timedelta(days=365))
    await send_due(parley)
    assert server.received == []
    await maintenance.run_once(parley)
    await send_due(parley)
    assert mails(server) == [("olga", "Reported comments")]


async def test_a_clock_that_jumps_ahead_sends_a_mail_once(
    parley: Parley, server: MailServer, olga: Viewer, alice: Viewer, bob: Viewer
) -> None:
    await report(parley, alice, await post_comment(parley, bob, "Buy a river!"))
    await queue_next(parley)
    await pass_time(parley, timedelta(days=365))
    await maintenance.run_once(parley)
    await send_due(parley)
    await pass_time(parley, timedelta(days=365))
    await maintenance.run_once(parley)
    await send_due(parley)
    assert mails(server) == [("olga", "Reported comments")]
    assert await list_news(parley) == []
