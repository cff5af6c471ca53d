"""Moderation: reports, hidden and erased comments, locked conversations, and the audit log."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4, uuid5

import pytest
from sqlalchemy import select

from app.accounts import accounts, roles
from app.accounts.user import DELETED, Role, User
from app.commentables import commentables
from app.comments import posting, threads
from app.comments.comments import Comment
from app.errors import Forbidden, Invalid, Missing, SignInFirst
from app.likes.likes import like
from app.live.read.pages import read_page
from app.live.service import Parley
from app.live.topics import QUEUE, Topic
from app.live.viewers import GUEST, Viewer
from app.moderation import audit_log, moderation, reports
from app.moderation.audit_log import Act, Decision
from app.moderation.reports import Reason, Report
from app.notifications.notifications import Notification
from tests.support.mail_queue import dump_database
from tests.support.moderators import create_moderator, list_acts, list_open_reports, set_role
from tests.support.people import PASSWORD
from tests.support.people_without_http import ARTICLE, create_viewer, delete_comment, edit_comment, post_comment

pytestmark = pytest.mark.sqlite_only  # except the tests of locks below


async def bodies(parley: Parley, viewer: Viewer) -> list[str]:
    async with parley.reading() as reading:
        return [comment.body for comment in (await threads.page(reading, viewer, ARTICLE)).comments]


async def counted(parley: Parley) -> int:
    async with parley.reading() as reading:
        return (await commentables.of(reading, [ARTICLE]))[ARTICLE].comments_count


async def head(parley: Parley, topic: Topic = QUEUE) -> int:
    _, heads = await parley.reader.heads([topic])
    return heads[topic]


@pytest.fixture
async def alice(parley: Parley) -> Viewer:
    return await create_viewer(parley, "alice")


@pytest.fixture
async def bob(parley: Parley) -> Viewer:
    return await create_viewer(parley, "bob")


@pytest.fixture
async def carol(parley: Parley) -> Viewer:
    return await create_moderator(parley, "carol")


# -- reports ------------------------------------------------------------------------------------------------


async def test_each_person_has_one_report_of_a_comment(parley: Parley, alice: Viewer, bob: Viewer) -> None:
    comment = await post_comment(parley, alice, "Buy almonds")
    await moderation.report(parley, bob, comment.id, Reason.SPAM)
    before = await head(parley)
    await moderation.report(parley, bob, comment.id, Reason.SPAM)
    assert await head(parley) == before, "the same report again is no change"
    await moderation.report(parley, bob, comment.id, Reason.OTHER, "It sells almonds")
    (report,) = await list_open_reports(parley)
    assert (report.username, report.reason, report.note) == ("bob", "other", "It sells almonds")
    assert report.place == str(ARTICLE)


async def test_a_like_a_notification_and_a_report_of_one_comment_have_ids_of_their_own(
    parley: Parley, alice: Viewer, bob: Viewer
) -> None:
    """Bob likes a comment that mentions him, and reports it as well."""
    comment = await post_comment(parley, alice, "Buy almonds, @bob")
    liked, _ = await like(parley, bob, comment.id)
    await moderation.report(parley, bob, comment.id, Reason.SPAM)
    (reported,) = await list_open_reports(parley)
    async with parley.reading() as reading:
        notified = await reading.scalar(select(Notification).where(Notification.comment_id == comment.id))
    assert notified
    assert len({liked.id, notified.id, reported.id, comment.id}) == 4


async def test_a_report_from_an_older_release_is_not_made_twice(parley: Parley, alice: Viewer, bob: Viewer) -> None:
    comment = await post_comment(parley, alice, "Buy almonds")
    assert bob.user_id
    async with parley.writing(QUEUE) as write:
        write.create(
            Report(
                id=uuid5(bob.user_id, str(comment.id)), topic=str(QUEUE), user_id=bob.user_id, username="bob",
                comment_id=comment.id, place=str(ARTICLE), reason=Reason.SPAM, note="", created_at=datetime.now(UTC),
            )
        )  # fmt: skip
    await moderation.report(parley, bob, comment.id, Reason.ILLEGAL)
    assert [report.reason for report in await list_open_reports(parley)] == [Reason.ILLEGAL]


async def test_nobody_reports_their_own_or_what_they_cannot_see(
    parley: Parley, alice: Viewer, bob: Viewer, carol: Viewer
) -> None:
    comment = await post_comment(parley, alice, "Buy almonds")
    with pytest.raises(Invalid):
        await moderation.report(parley, alice, comment.id, Reason.SPAM)
    with pytest.raises(SignInFirst):
        await moderation.report(parley, GUEST, comment.id, Reason.SPAM)
    await moderation.hide(parley, carol, comment.id)
    with pytest.raises(Missing):
        await moderation.report(parley, bob, comment.id, Reason.SPAM)
    assert not await list_open_reports(parley)


async def test_a_decision_holds_until_the_text_changes(
    parley: Parley, alice: Viewer, bob: Viewer, carol: Viewer
) -> None:
    comment = await post_comment(parley, alice, "Almonds")
    await moderation.report(parley, bob, comment.id, Reason.SPAM, "almonds!")
    await moderation.dismiss(parley, carol, comment.id)
    await moderation.report(parley, bob, comment.id, Reason.ABUSE)
    assert not await list_open_reports(parley)
    await edit_comment(parley, alice, comment, "Buy almonds at once")
    await moderation.report(parley, bob, comment.id, Reason.ABUSE)
    (report,) = await list_open_reports(parley)
    assert (report.reason, report.note) == ("abuse", "")


async def test_a_settled_report_is_deleted(parley: Parley, alice: Viewer, bob: Viewer, carol: Viewer) -> None:
    comment = await post_comment(parley, alice, "Almonds")
    await moderation.report(parley, bob, comment.id, Reason.SPAM, "almonds!")
    await moderation.dismiss(parley, carol, comment.id)
    async with parley.reading() as reading:
        (report,) = (await reading.scalars(select(Report))).all()
    assert report.deleted_at
    assert (report.username, report.note) == ("", "")


async def test_reports_are_deleted_with_their_comment(parley: Parley, alice: Viewer, bob: Viewer) -> None:
    comment = await post_comment(parley, alice, "Almonds")
    await moderation.report(parley, bob, comment.id, Reason.SPAM)
    await delete_comment(parley, alice, comment)
    assert not await list_open_reports(parley)


async def test_a_report_made_before_the_lock_is_deleted_with_the_comment_too(
    parley: Parley, alice: Viewer, bob: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    comment = await post_comment(parley, alice, "Almonds")
    look = reports.where

    async def look_and_report(*arguments: Any) -> list[Topic]:
        found = await look(*arguments)
        monkeypatch.setattr(reports, "where", look)
        await moderation.report(parley, bob, comment.id, Reason.SPAM)
        return found

    monkeypatch.setattr(reports, "where", look_and_report)
    await delete_comment(parley, alice, comment)
    assert not await list_open_reports(parley)
    async with parley.reading() as reading:
        assert len((await reading.scalars(select(Report))).all()) == 1


async def test_the_queue_gets_the_new_text_of_a_reported_comment(parley: Parley, alice: Viewer, bob: Viewer) -> None:
    comment = await post_comment(parley, alice, "Almonds")
    other = await post_comment(parley, alice, "Walnuts")
    await moderation.report(parley, bob, comment.id, Reason.SPAM)
    before = await head(parley)
    await edit_comment(parley, alice, other, "No walnuts")
    assert await head(parley) == before
    await edit_comment(parley, alice, comment, "No almonds")
    assert await head(parley) == before + 1


# -- hiding -------------------------------------------------------------------------------------------------


async def test_only_the_author_and_moderators_see_a_hidden_comment(
    parley: Parley, alice: Viewer, bob: Viewer, carol: Viewer
) -> None:
    comment = await post_comment(parley, alice, "Almonds")
    await moderation.report(parley, bob, comment.id, Reason.SPAM)
    for _ in range(2):  # the second time changes nothing
        await moderation.hide(parley, carol, comment.id, "spam")
    for viewer, seen in ((GUEST, []), (bob, []), (alice, ["Almonds"]), (carol, ["Almonds"])):
        assert await bodies(parley, viewer) == seen, viewer.username
    assert await counted(parley) == 0
    assert not await list_open_reports(parley)
    for _ in range(2):
        await moderation.restore(parley, carol, comment.id)
    assert await bodies(parley, GUEST) == ["Almonds"]
    assert await counted(parley) == 1
    assert await list_acts(parley) == [("carol", "hide", "alice"), ("carol", "restore", "alice")]


async def test_a_comment_that_is_hidden_and_deleted_is_subtracted_once(
    parley: Parley, alice: Viewer, carol: Viewer
) -> None:
    comment, _ = await post_comment(parley, alice, "Almonds"), await post_comment(parley, alice, "Walnuts")
    await moderation.hide(parley, carol, comment.id)
    await delete_comment(parley, alice, comment)
    assert await counted(parley) == 1
    with pytest.raises(Missing):
        await moderation.restore(parley, carol, comment.id)
    assert await counted(parley) == 1


async def test_hiding_a_comment_of_an_earlier_release_counts_correctly(
    parley: Parley, alice: Viewer, carol: Viewer
) -> None:
    """Comments of the earlier release have no row of a commentable."""
    comment = await post_comment(parley, alice, "Almonds")
    async with parley.database.transaction() as writing, writing.begin():
        for row in (await writing.scalars(select(commentables.Commentable))).all():
            await writing.delete(row)
    await moderation.hide(parley, carol, comment.id)
    assert await counted(parley) == 0


async def test_nobody_can_reply_to_or_like_a_hidden_comment_or_is_notified_of_it(
    parley: Parley, alice: Viewer, bob: Viewer, carol: Viewer
) -> None:
    comment = await post_comment(parley, alice, "Almonds, @bob")
    assert await _list_recipients(parley) == ["bob"]
    await moderation.hide(parley, carol, comment.id)
    assert await _list_recipients(parley) == []
    with pytest.raises(Invalid):
        await posting.post(parley, bob, ARTICLE, "Why?", uuid4(), comment.id)
    with pytest.raises(Missing):
        await like(parley, bob, comment.id)
    await create_viewer(parley, "dave")
    await edit_comment(parley, alice, comment, "Almonds, @dave")
    assert await _list_recipients(parley) == []


async def _list_recipients(parley: Parley) -> list[str]:
    """The people who have a notification."""
    async with parley.reading() as reading:
        rows = await reading.scalars(select(Notification.user_id).where(Notification.deleted_at.is_(None)))
        users = [await reading.get(User, id_) for id_ in rows]
    return [user.username for user in users if user]


# -- conversations ------------------------------------------------------------------------------------------


async def test_an_owner_erases_a_comment_for_good(parley: Parley, alice: Viewer, bob: Viewer, carol: Viewer) -> None:
    """The comment is hidden, reported, liked and has a notification, and its author has left."""
    olga = await create_moderator(parley, "olga", Role.OWNER)
    comment = await post_comment(parley, alice, "Forbidden words, @bob")
    await like(parley, bob, comment.id)
    await moderation.hide(parley, carol, comment.id)
    await moderation.report(parley, olga, comment.id, Reason.ILLEGAL)
    await accounts.delete(parley, alice, PASSWORD, "keep")
    with pytest.raises(Forbidden):
        await moderation.erase(parley, carol, comment.id)
    assert "Forbidden words" in await dump_database(parley)
    await moderation.erase(parley, olga, comment.id, "A court order")
    before = await head(parley)
    await moderation.erase(parley, olga, comment.id, "Again")
    assert await head(parley) == before, "the queue is empty already"

    assert "Forbidden words" not in await dump_database(parley)
    assert not await list_open_reports(parley)
    assert (await list_acts(parley))[-1] == ("olga", Act.ERASE, DELETED)
    async with parley.reading() as reading:
        row = await reading.get(Comment, comment.id)
        assert row
        assert row.deleted_at
        assert row.tombstone()["removed_by"] == "moderator"
        standing = select(Notification).where(Notification.deleted_at.is_(None))
        assert not (await reading.scalars(standing)).all()
    assert await counted(parley) == 0


async def test_a_comment_that_its_author_deleted_is_not_shown_as_removed(
    parley: Parley, alice: Viewer, carol: Viewer
) -> None:
    olga = await create_moderator(parley, "olga", Role.OWNER)
    hidden, deleted = await post_comment(parley, alice, "Rude"), await post_comment(parley, alice, "Clumsy")
    await moderation.hide(parley, carol, hidden.id)
    await delete_comment(parley, alice, deleted)
    await moderation.erase(parley, olga, deleted.id)
    async with parley.reading() as reading:
        rows = [await reading.get_one(Comment, row.id) for row in (hidden, deleted)]
    assert [row.tombstone().get("removed_by") for row in rows] == ["moderator", None]


async def test_only_moderators_may_write_in_a_locked_conversation(parley: Parley, alice: Viewer, carol: Viewer) -> None:
    comment = await post_comment(parley, alice, "Almonds")
    for _ in range(2):
        await moderation.change(parley, carol, ARTICLE, locked=True, title=None)
    with pytest.raises(Forbidden):
        await post_comment(parley, alice, "Walnuts")
    await edit_comment(parley, alice, comment, "No almonds")
    await post_comment(parley, carol, "That is that.")
    await delete_comment(parley, alice, comment)
    commentable = await moderation.change(parley, carol, ARTICLE, locked=False, title="Nuts")
    assert (commentable.locked, commentable.title, commentable.comments_count) == (False, "Nuts", 1)
    await post_comment(parley, alice, "Walnuts")
    assert await list_acts(parley) == [("carol", act, "Article/1") for act in ("lock", "unlock", "title")]


# -- rights -------------------------------------------------------------------------------------------------


async def test_a_person_who_just_lost_the_role_cannot_moderate(parley: Parley, alice: Viewer, carol: Viewer) -> None:
    """The request began before the change of role."""
    comment = await post_comment(parley, alice, "Almonds")
    await set_role(parley, carol, Role.MEMBER)
    deeds: list[Any] = [
        moderation.hide(parley, carol, comment.id),
        moderation.restore(parley, carol, comment.id),
        moderation.dismiss(parley, carol, comment.id),
        moderation.change(parley, carol, ARTICLE, locked=True, title=None),
        roles.block(parley, carol, comment.user_id),
        roles.unblock(parley, carol, comment.user_id),
        roles.appoint(parley, carol, comment.user_id, Role.OWNER),
    ]
    for deed in deeds:
        with pytest.raises(Forbidden):
            await deed
    assert await list_acts(parley) == []


# -- somebody leaves ----------------------------------------------------------------------------------------


async def test_the_name_of_a_deleted_account_leaves_reports_and_the_audit_log(
    parley: Parley, alice: Viewer, bob: Viewer, carol: Viewer
) -> None:
    one, two = await post_comment(parley, alice, "Almonds"), await post_comment(parley, bob, "Walnuts")
    await moderation.hide(parley, carol, two.id)
    await moderation.report(parley, bob, one.id, Reason.SPAM)
    await accounts.delete(parley, bob, PASSWORD, "keep")
    await accounts.delete(parley, carol, PASSWORD, "keep")
    (report,) = await list_open_reports(parley)
    assert report.username == DELETED
    assert await list_acts(parley) == [(DELETED, "hide", DELETED)]
    async with parley.reading() as reading:
        (decided,) = (await read_page(reading, Decision, QUEUE)).rows
    assert decided.user_id == carol.user_id, "the entries still have the same person's id"


async def test_reports_of_comments_that_are_deleted_with_their_author_are_settled(
    parley: Parley, alice: Viewer, bob: Viewer
) -> None:
    comment = await post_comment(parley, alice, "Almonds")
    await moderation.report(parley, bob, comment.id, Reason.SPAM)
    await accounts.delete(parley, alice, PASSWORD, "erase")
    assert not await list_open_reports(parley)


def test_each_role_is_an_act_of_the_audit_log() -> None:
    assert {Act(to.value) for to in Role} < set(Act)
    assert audit_log.MAX_REASON_LENGTH >= commentables.MAX_TITLE_LENGTH, "the audit log stores a title as the reason"


# -- at once ------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
class TestAtOnce:
    async def test_hiding_restoring_and_deleting_never_miscounts(
        self, parley: Parley, alice: Viewer, carol: Viewer
    ) -> None:
        said = [await post_comment(parley, alice, f"number {number}") for number in range(4)]

        async def unsettle(comment: Comment) -> None:
            for _ in range(3):
                await moderation.hide(parley, carol, comment.id)
                await moderation.restore(parley, carol, comment.id)

        await asyncio.gather(
            *(unsettle(comment) for comment in said[:2]),
            *(moderation.hide(parley, carol, comment.id) for comment in said[2:] * 2),
            post_comment(parley, alice, "number 4"),
        )
        await asyncio.gather(delete_comment(parley, alice, said[0]), delete_comment(parley, alice, said[2]))
        assert await counted(parley) == len(await bodies(parley, GUEST)) == 2
