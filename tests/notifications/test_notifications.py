"""Notifications: a person gets one for each comment, and it is deleted with the comment or its author."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from app.accounts import accounts
from app.accounts.user import DELETED, Role, User
from app.commentables import commentables
from app.comments import posting
from app.comments.comments import Comment
from app.comments.mentions import MAX_MENTIONS
from app.errors import SignInFirst
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import Viewer
from app.live.write import batches
from app.models import LIVE_MODELS
from app.moderation import moderation
from app.notifications import inbox, mutes, notifications
from app.notifications.notifications import MAX_RECIPIENTS, Notification
from app.settings import Settings
from tests.support.people import PASSWORD
from tests.support.people_without_http import (
    ARTICLE,
    create_viewer,
    delete_comment,
    edit_comment,
    hide_comment,
    post_comment,
)

pytestmark = pytest.mark.sqlite_only  # tests of locks use `busy`, on PostgreSQL


@pytest.fixture
async def alice(parley: Parley) -> Viewer:
    return await create_viewer(parley, "alice")


@pytest.fixture
async def bob(parley: Parley) -> Viewer:
    return await create_viewer(parley, "bob")


@pytest.fixture
def on_postgresql(postgres_url: str, settings: Settings) -> Settings:
    return settings.model_copy(update={"database_url": postgres_url})


@pytest.fixture
async def busy(on_postgresql: Settings) -> AsyncIterator[Parley]:
    """A Parley on PostgreSQL, for several writers at once."""
    async with Parley(on_postgresql, LIVE_MODELS, listening=False) as parley:
        yield parley


async def reply(parley: Parley, author: Viewer, parent: Comment, body: str = "Indeed") -> Comment:
    comment, _ = await posting.post(parley, author, Topic.parse(parent.topic), body, uuid4(), parent.id)
    return comment


async def list_notifications(parley: Parley, person: Viewer, *, gone: bool = False) -> list[tuple[str, str]]:
    """(reason, actor) of this person's notifications, or of the deleted ones with `gone`."""
    return [(row.kind, row.actor_name) for row in await read_rows(parley, person) if gone or row.deleted_at is None]


async def read_rows(parley: Parley, person: Viewer) -> list[Notification]:
    theirs = select(Notification).where(Notification.topic == str(Topic.account(person.user_id)))
    async with parley.reading() as reading:
        return list((await reading.scalars(theirs.order_by(Notification.created_seq))).all())


# -- recipients ---------------------------------------------------------------------------------------------


async def test_mentions_and_replies_notify_others_and_never_the_author(
    parley: Parley, alice: Viewer, bob: Viewer
) -> None:
    first = await post_comment(parley, alice, "I am @alice, and you are @bob")
    await reply(parley, bob, first)
    await reply(parley, alice, first, "I reply to myself")
    assert await list_notifications(parley, bob) == [("mention", "alice")]
    assert await list_notifications(parley, alice) == [("reply", "bob")]
    (row,) = await read_rows(parley, alice)
    assert (row.place, row.read_at, row.actor_id) == ("Article/1", None, bob.user_id)


async def test_a_mention_that_an_edit_removes_is_withdrawn(parley: Parley, alice: Viewer, bob: Viewer) -> None:
    comment = await post_comment(parley, alice, "@bob, look")
    await edit_comment(parley, alice, comment, "@bob, look there")
    assert await list_notifications(parley, bob) == [("mention", "alice")]
    await edit_comment(parley, alice, comment, "Look there")
    assert await list_notifications(parley, bob) == []
    (row,) = await read_rows(parley, bob)
    assert (row.deleted_at is not None, row.actor_name) == (True, "")
    await edit_comment(parley, alice, comment, "@bob, look there")  # one comment notifies a person once
    assert await list_notifications(parley, bob) == []


async def test_a_reply_that_no_longer_mentions_its_recipient_is_still_a_reply(
    parley: Parley, alice: Viewer, bob: Viewer
) -> None:
    comment = await reply(parley, bob, await post_comment(parley, alice, "Well?"), "@alice, well!")
    await edit_comment(parley, bob, comment, "Well!")
    assert await list_notifications(parley, alice) == [("reply", "bob")]


async def test_a_reply_that_also_mentions_its_recipient_notifies_once(
    parley: Parley, alice: Viewer, bob: Viewer
) -> None:
    comment = await reply(parley, bob, await post_comment(parley, alice, "Well?"), "@alice @Alice, well!")
    await edit_comment(parley, bob, comment, "Well, @alice")
    await posting.post(parley, bob, ARTICLE, "@alice @Alice, well!", comment.id, comment.parent_id)
    assert await list_notifications(parley, alice) == [("reply", "bob")]


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("Al Smith", ["@Al_Smith has it"]),
        ("Al_Smith", ["@al_smith's"]),
        ("J.R. O'Neil-Day", ["so says @J.R._O'Neil-Day, you know"]),
        (
            "bob",
            [
                "@bob's idea",
                "(@bob)",
                "@bob.",
                "Ask @bob.Then go",
                "**@BOB**",
                "> he said so\n@bob",
                "谢谢@bob",
                "谢谢＠bob！",
                "_@bob_",
                "@bob你好",
                "@bob님",
                "ل@bob",
                "[@bob](https://example.com)",
            ],
        ),
        ("O'Neil", ["@O’Neil"]),
        ("हिन्दी", ["@हिन्दी जी"]),
        ("Zoë", ["@Zoe\u0308"]),
        ("Zoë Newcomer", ["Hello @Zoë Newcomer, welcome", "@zoë newcomer's"]),
    ],
)
async def test_a_mention_is_recognized_in_any_text_around_it(parley: Parley, name: str, texts: list[str]) -> None:
    author, somebody = await create_viewer(parley, "writer"), await create_viewer_named(parley, name)
    said = [await post_comment(parley, author, text) for text in texts]
    notified = {row.comment_id for row in await read_rows(parley, somebody)}
    assert [comment.body for comment in said if comment.id not in notified] == []
    assert await list_notifications(parley, somebody) == [("mention", "writer")] * len(texts)


async def create_viewer_named(parley: Parley, name: str) -> Viewer:
    user = await accounts.create_account(parley, "somebody@example.com", name, PASSWORD)
    return Viewer(user.id, user.username)


async def test_a_text_that_only_looks_like_a_mention_notifies_nobody(
    parley: Parley, alice: Viewer, bob: Viewer
) -> None:
    texts = [
        "`@bob`",
        "bob",
        "me@bob",
        "@bobby",
        "https://example.com/@bob",
        "@ bob",
        "@@bob",
        "@bob@example.com",
        "a/@bob",
        "```\n@bob\n```",
        "\\@bob",
        "@bob_smith",
        "é@bob",
        "> @bob said so",
        "> - > @bob\n>\n> and so on",
    ]
    said = [await post_comment(parley, alice, text) for text in texts]
    notified = {row.comment_id for row in await read_rows(parley, bob)}
    assert [comment.body for comment in said if comment.id in notified] == []


async def test_the_longest_name_is_mentioned(parley: Parley, alice: Viewer, bob: Viewer) -> None:
    longer = await create_viewer_named(parley, "bob's")
    await post_comment(parley, alice, "@bob's")
    assert (await list_notifications(parley, longer), await list_notifications(parley, bob)) == (
        [("mention", "alice")],
        [],
    )


async def test_deleted_and_blocked_accounts_are_not_notified(parley: Parley, alice: Viewer, bob: Viewer) -> None:
    carol = await create_viewer(parley, "carol")
    by_bob, by_carol = await post_comment(parley, bob, "hello"), await post_comment(parley, carol, "hello")
    await accounts.delete(parley, bob, PASSWORD, "keep")
    async with parley.writing(Topic.account(carol.user_id)) as write:
        user = await write.get(User, carol.user_id or uuid4())
        assert user
        user.blocked_at = datetime.now(UTC)
        write.update(user)
    for parent in (by_bob, by_carol):
        await reply(parley, alice, parent, "@bob @carol")
    assert (await list_notifications(parley, bob), await list_notifications(parley, carol)) == ([], [])


async def test_an_account_that_is_deleted_before_the_lock_is_not_notified(
    parley: Parley, alice: Viewer, bob: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    whom = notifications.find_recipients

    async def look_and_leave(*arguments: Any) -> Any:
        found = await whom(*arguments)
        await accounts.delete(parley, bob, PASSWORD, "keep")
        return found

    monkeypatch.setattr(notifications, "find_recipients", look_and_leave)
    await post_comment(parley, alice, "@bob")
    assert await list_notifications(parley, bob) == []


async def test_texts_whose_names_are_looked_up_together_mention_their_own_people_only(
    parley: Parley, alice: Viewer, bob: Viewer
) -> None:
    carol = await create_viewer(parley, "carol")
    said = await asyncio.gather(
        *(
            post_comment(parley, alice, text)
            for text in ("I ask @bob now", "or @carol", "or @nobody", "@bob and @carol")
        )
    )
    assert [comment.mentioned for comment in said] == [["bob"], ["carol"], [], ["bob", "carol"]]
    assert (
        await list_notifications(parley, bob) == await list_notifications(parley, carol) == [("mention", "alice")] * 2
    )


async def test_an_edit_notifies_newly_mentioned_people(parley: Parley, alice: Viewer, bob: Viewer) -> None:
    carol = await create_viewer(parley, "carol")
    comment = await post_comment(parley, alice, "Ask @bob")
    for body in ("Ask @bob or @carol", "Ask @carol or @bob", "Ask @bob or @carol again"):
        await edit_comment(parley, alice, comment, body)
    assert await list_notifications(parley, bob) == await list_notifications(parley, carol) == [("mention", "alice")]


async def test_an_edit_of_a_hidden_comment_notifies_nobody(parley: Parley, alice: Viewer, bob: Viewer) -> None:
    comment = await post_comment(parley, alice, "Hm")
    await hide_comment(parley, comment.id)
    await edit_comment(parley, alice, comment, "You are a fool, @bob")
    assert await list_notifications(parley, bob) == []


async def test_a_comment_notifies_ten_people_at_most_also_after_edits(
    parley: Parley, alice: Viewer, bob: Viewer
) -> None:
    others = [await create_viewer(parley, f"other{number}") for number in range(2 * MAX_MENTIONS)]
    names = [f"@other{number}" for number in range(2 * MAX_MENTIONS)]
    comment = await post_comment(parley, alice, " ".join(names))
    assert [bool(await list_notifications(parley, other)) for other in others] == [True] * MAX_MENTIONS + [
        False
    ] * MAX_MENTIONS
    await edit_comment(parley, alice, comment, " ".join(names[::-1]))
    assert sum([len(await list_notifications(parley, other, gone=True)) for other in others]) == MAX_RECIPIENTS


async def test_a_notification_has_the_title_at_that_time(parley: Parley, alice: Viewer, bob: Viewer) -> None:
    async with parley.writing(ARTICLE.about) as write, commentables.changing(write, ARTICLE) as commentable:
        commentable.title = "How to read a river"
    await post_comment(parley, alice, "@bob")
    assert [row.title for row in await read_rows(parley, bob)] == ["How to read a river"]


async def test_a_refused_post_notifies_nobody(parley: Parley, alice: Viewer, bob: Viewer) -> None:
    await accounts.delete(parley, alice, PASSWORD, "keep")
    with pytest.raises(SignInFirst):
        await post_comment(parley, alice, "@bob")
    assert await read_rows(parley, bob) == []


# -- excerpts -----------------------------------------------------------------------------------------------


async def read_excerpts(parley: Parley, person: Viewer) -> list[str]:
    return [row.excerpt for row in await read_rows(parley, person)]


async def test_people_read_in_their_notifications_what_the_comment_says_after_each_edit(
    parley: Parley, alice: Viewer, bob: Viewer
) -> None:
    carol = await create_viewer(parley, "carol")
    first = await post_comment(parley, alice, "Well?")
    comment = await reply(parley, bob, first, "> Well?\n\n**Well**, @carol")
    (before,) = await read_rows(parley, alice)
    assert before.excerpt == "Well, @carol"
    await inbox.mark(parley, alice, before.id, True)
    await edit_comment(parley, bob, comment, f"Well, @carol {'and so on ' * 20}")
    for person in (alice, carol):
        (row,) = await read_rows(parley, person)
        assert row.excerpt == f"Well, @carol {'and so on ' * 6}and so…"
    (read,) = await read_rows(parley, alice)
    assert (read.read, read.created_seq, read.seq) == (True, before.created_seq, before.seq + 2)
    await edit_comment(parley, bob, comment, f"Well, @carol {'and so on ' * 21}")
    assert [row.seq for row in await read_rows(parley, alice)] == [read.seq], "the same excerpt is no change"


@pytest.mark.parametrize(("last", "excerpt"), [("Well, @bob", "Well, @bob"), ("Well", "")])
async def test_a_notification_that_another_edit_made_before_the_lock_says_what_the_last_edit_wrote(
    parley: Parley, alice: Viewer, bob: Viewer, monkeypatch: pytest.MonkeyPatch, last: str, excerpt: str
) -> None:
    comment = await post_comment(parley, alice, "Hm")
    look, edits = notifications.find_notified_topics, ["@bob, this is wrong"]

    async def look_and_edit(*arguments: Any) -> list[Topic]:
        found = await look(*arguments)
        if edits:
            await edit_comment(parley, alice, comment, edits.pop())
        return found

    monkeypatch.setattr(notifications, "find_notified_topics", look_and_edit)
    await edit_comment(parley, alice, comment, last)
    assert await read_excerpts(parley, bob) == [excerpt]


async def test_a_deleted_or_hidden_text_is_erased_from_notifications(
    parley: Parley, alice: Viewer, bob: Viewer
) -> None:
    moderator = replace(alice, moderator=True)
    async with parley.database.transaction() as writing, writing.begin():
        await writing.execute(update(User).where(User.id == alice.user_id).values(role=Role.MODERATOR))
    said = [await post_comment(parley, alice, f"@bob, {number}") for number in range(4)]
    await delete_comment(parley, alice, said[0])
    await moderation.hide(parley, moderator, said[1].id)
    await edit_comment(parley, alice, said[2], "Nobody")
    assert await read_excerpts(parley, bob) == ["", "", "", "@bob, 3"]
    await moderation.restore(parley, moderator, said[1].id)
    await edit_comment(parley, alice, said[1], "@bob, again")
    assert await read_excerpts(parley, bob) == ["", "", "", "@bob, 3"]


async def test_an_excerpt_that_an_earlier_release_left_in_a_deleted_notification_is_erased(
    parley: Parley, alice: Viewer, bob: Viewer
) -> None:
    for text in ("@bob, a secret", "@bob, no secret"):
        await post_comment(parley, alice, text)
    async with parley.database.transaction() as writing, writing.begin():
        deleted = Notification.excerpt == "@bob, a secret"
        await writing.execute(update(Notification).where(deleted).values(deleted_at=datetime.now(UTC)))
        await notifications.erase_left(writing)
    assert await read_excerpts(parley, bob) == ["", "@bob, no secret"]


# -- deletion -----------------------------------------------------------------------------------------------


async def test_notifications_are_deleted_with_their_comment(parley: Parley, alice: Viewer, bob: Viewer) -> None:
    comment, other = await post_comment(parley, alice, "@bob"), await post_comment(parley, alice, "@bob too")
    await delete_comment(parley, alice, comment)
    assert await list_notifications(parley, bob, gone=True) == [("mention", ""), ("mention", "alice")]
    await delete_comment(parley, alice, other)
    assert await list_notifications(parley, bob) == []


async def test_a_notification_made_before_the_lock_is_deleted_too(
    parley: Parley, alice: Viewer, bob: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    comment = await post_comment(parley, alice, "Hm")
    look, looks = notifications.find_notified_topics, 0

    async def look_and_edit(*arguments: Any) -> list[Topic]:
        nonlocal looks
        looks += 1
        found = await look(*arguments)
        if looks == 1:
            await edit_comment(parley, alice, comment, "Hm, @bob")
        return found

    monkeypatch.setattr(notifications, "find_notified_topics", look_and_edit)
    await delete_comment(parley, alice, comment)
    assert (looks, await list_notifications(parley, bob)) == (5, []), (
        "twice before and under the locks, and once for the edit"
    )
    async with parley.reading() as reading:
        stored = await reading.get(Comment, comment.id)
    assert stored
    assert (stored.seq, bool(stored.deleted_at)) == (3, True), "the first read took no seq"


@pytest.mark.parametrize(("how", "left"), [("erase", []), ("keep", [("reply", DELETED), ("mention", DELETED)])])
async def test_the_name_of_a_deleted_account_leaves_all_notifications(
    parley: Parley,
    alice: Viewer,
    bob: Viewer,
    how: Literal["keep", "erase"],
    left: list[tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batches, "BATCH_SIZE", 1)
    await reply(parley, bob, await post_comment(parley, alice, "What does @bob say?"))
    await post_comment(parley, bob, "@alice")
    await accounts.delete(parley, bob, PASSWORD, how)
    assert await list_notifications(parley, alice) == left
    assert await list_notifications(parley, bob) == [], "the person's own notifications are deleted"
    assert {name for _, name in await list_notifications(parley, bob, gone=True)} == {""}


async def test_a_deletion_that_a_killed_process_began_is_finished(
    parley: Parley, alice: Viewer, bob: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await post_comment(parley, bob, "@alice")
    with monkeypatch.context() as doomed:
        doomed.setattr(notifications, "clean_up_account", _killed)
        with pytest.raises(SystemError):
            await accounts.delete(parley, bob, PASSWORD, "keep")
    assert await list_notifications(parley, alice) == [("mention", "bob")]
    await asyncio.gather(accounts.finish_deletions(parley), accounts.finish_deletions(parley))
    (row,) = await read_rows(parley, alice)
    assert row.actor_name == DELETED
    await accounts.finish_deletions(parley)
    assert [again.seq for again in await read_rows(parley, alice)] == [row.seq], (
        "a finished deletion changes nothing more"
    )


async def _killed(*_: object, **__: object) -> None:
    raise SystemError("killed")


async def test_a_person_who_writes_during_the_deletion_leaves_no_name(busy: Parley) -> None:
    alice = await create_viewer(busy, "alice")
    for number in range(2):
        leaver = await create_viewer(busy, f"leaver{number}")
        comment = await post_comment(busy, leaver, "Hm")
        async with asyncio.TaskGroup() as everyone:
            for writer in range(3):
                everyone.create_task(_keep_naming(busy, leaver, comment, writer))
            await asyncio.sleep(0.05 * number)
            everyone.create_task(accounts.delete(busy, leaver, PASSWORD, "keep"))
        assert {name for _, name in await list_notifications(busy, alice)} <= {DELETED}


async def _keep_naming(parley: Parley, author: Viewer, comment: Comment, writer: int) -> None:
    with suppress(SignInFirst):
        for number in range(200):
            if writer:
                await post_comment(parley, author, "@alice")
            else:
                await edit_comment(parley, author, comment, f"{'@alice' if number else 'nobody'}, {number}")
        raise AssertionError("nobody was stopped")


# -- limits -------------------------------------------------------------------------------------------------


async def test_one_author_notifies_one_person_a_bounded_number_of_times(
    parley: Parley, alice: Viewer, bob: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifications, "MAX_FROM_ONE_TO_ONE", 3)
    carol = await create_viewer(parley, "carol")
    for number in range(5):
        comment = await post_comment(parley, alice, f"@bob, {number}")
        if number == 0:
            await delete_comment(parley, alice, comment)  # does not allow another notification
    await post_comment(parley, carol, "@bob, from somebody else")
    await post_comment(parley, alice, "@carol, for somebody else")
    assert await list_notifications(parley, bob) == [("mention", "alice")] * 2 + [("mention", "carol")]
    assert await list_notifications(parley, carol) == [("mention", "alice")]
    async with parley.database.transaction() as writing, writing.begin():
        then = datetime.now(UTC) - notifications.LIMIT_WINDOW
        await writing.execute(update(Notification).values(created_at=then))
    await post_comment(parley, alice, "@bob, later")
    assert len(await list_notifications(parley, bob)) == 4


async def test_one_author_notifies_everybody_a_bounded_number_of_times(
    parley: Parley, alice: Viewer, bob: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifications, "MAX_FROM_ONE", 1)
    await create_viewer(parley, "carol")
    await post_comment(parley, alice, "@bob and @carol")
    async with parley.reading() as reading:
        rows = (await reading.scalars(select(Notification))).all()
    assert [row.user_id for row in rows] == [bob.user_id]


async def test_an_inbox_is_marked_as_read_in_batches(
    parley: Parley, alice: Viewer, bob: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BATCH_SIZE", 2)
    for number in range(5):
        await post_comment(parley, alice, f"@bob, {number}")
    sizes: list[int] = []
    writing = parley.writing

    @asynccontextmanager
    async def watched(*topics: Topic) -> AsyncIterator[Any]:
        async with writing(*topics) as write:
            yield write
        sizes.append(len(write.changed))

    monkeypatch.setattr(parley, "writing", watched)
    upto = max(row.created_seq for row in await read_rows(parley, bob))
    assert await inbox.mark_all(parley, bob, upto) == 5
    assert sizes == [2, 2, 1]
    assert all(row.read_at for row in await read_rows(parley, bob))


async def test_a_muted_person_does_not_notify(parley: Parley, alice: Viewer, bob: Viewer) -> None:
    carol = await create_viewer(parley, "carol")
    assert alice.user_id
    first = await post_comment(parley, bob, "Well?")
    await mutes.mute(parley, bob, alice.user_id)
    await mutes.mute(parley, bob, alice.user_id)
    await post_comment(parley, alice, "@bob and @carol")
    await reply(parley, alice, first)
    assert await list_notifications(parley, bob) == []
    assert await list_notifications(parley, carol) == [("mention", "alice")]
    async with parley.reading() as reading:
        assert [user.username for user in await mutes.muted_by(reading, bob)] == ["alice"]
    await mutes.unmute(parley, bob, alice.user_id)
    await reply(parley, alice, first)
    assert await list_notifications(parley, bob) == [("reply", "alice")]
    await mutes.mute(parley, bob, alice.user_id)
    await accounts.delete(parley, alice, PASSWORD, "keep")
    async with parley.reading() as reading:
        assert (await reading.scalars(select(mutes.Mute))).all() == []


# -- at once ------------------------------------------------------------------------------------------------


async def test_people_who_mention_each_other_at_once_do_not_deadlock(busy: Parley) -> None:
    """Each person mentions four others, replies, edits, deletes and reads in two threads, so topics lock in any order.

    As many people act at once as the pool has connections, so that they wait for locks only.
    """
    connections = asyncio.Semaphore(20)
    people = [await create_viewer(busy, f"person{number}") for number in range(6)]
    places = [Topic("Article", "1"), Topic("Article", "2")]
    begun = {place: await post_comment(busy, people[0], "Begin", place) for place in places}

    async def talk(number: int) -> None:
        author, place = people[number % 6], places[number % 2]
        names = [f"@person{(number * step + step) % 6}" for step in (5, 3, 1, 4)]
        async with connections:
            comment = await reply(busy, author, begun[place], " ".join(names))
            await edit_comment(busy, author, comment, " ".join(reversed([*names, f"@person{number % 5}"])))
            if number % 3 == 0:
                await delete_comment(busy, author, comment)

    await asyncio.gather(*(talk(number) for number in range(36)))
    async with busy.reading() as reading:
        rows = (await reading.scalars(select(Notification).where(Notification.deleted_at.is_(None)))).all()
        gone = set(await reading.scalars(select(Comment.id).where(Comment.deleted_at.is_not(None))))
    assert len(rows) > 72
    assert not [row for row in rows if row.comment_id in gone], "a notification of a deleted comment is left"
    assert len({(row.user_id, row.comment_id) for row in rows}) == len(rows)


async def test_an_unread_notification_stays_unread_when_its_actor_leaves(
    parley: Parley, alice: Viewer, bob: Viewer
) -> None:
    await post_comment(parley, bob, "@alice")
    await post_comment(parley, bob, "@alice again")
    async with parley.database.transaction() as writing, writing.begin():
        first = (await read_rows(parley, alice))[0].id
        await writing.execute(update(Notification).where(Notification.id == first).values(read_at=datetime.now(UTC)))
    await accounts.delete(parley, bob, PASSWORD, "keep")
    assert [bool(row.read_at) for row in await read_rows(parley, alice)] == [True, False]
