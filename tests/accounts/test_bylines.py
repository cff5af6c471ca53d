"""Bylines: a new name or role reaches all comments of its account."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from app import maintenance
from app.accounts import accounts, roles
from app.accounts import bylines as byline
from app.accounts.user import DELETED, Role, find_user
from app.comments.comments import Comment, render
from app.errors import Invalid, SignInFirst
from app.live.topics import Topic
from app.live.viewers import GUEST
from app.live.write import batches
from app.moderation import moderation
from app.moderation.reports import Reason, Report
from app.notifications.notifications import Notification
from tests.support.mail_queue import find_user_named
from tests.support.moderators import create_moderator
from tests.support.people import PASSWORD
from tests.support.people_without_http import create_viewer, post_comment
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from app.live.service import Parley
    from app.live.viewers import Viewer
    from app.live.write.transaction import Write


async def bylines(parley: Parley, author: Viewer) -> set[tuple[str, str]]:
    async with parley.reading() as reading:
        query = select(Comment.username, Comment.author_role).where(Comment.user_id == author.user_id)
        return {(name, role) for name, role in (await reading.execute(query)).all()}


async def is_done(parley: Parley, author: Viewer) -> bool:
    async with parley.reading() as reading:
        user = await find_user(reading, author.user_id) if author.user_id else None
    return user is not None and user.byline_changed_at is None


async def test_a_new_name_reaches_comments_notifications_and_reports(
    parley: Parley, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BATCH_SIZE", 2)
    alice, bob = await create_viewer(parley, "alice"), await create_viewer(parley, "bob")
    for number in range(5):
        await post_comment(parley, alice, f"{number} for @bob", Topic("Article", str(number % 2)))
    mine = await post_comment(parley, bob, "mine")
    await moderation.report(parley, alice, mine.id, Reason.SPAM)
    await accounts.change_username(parley, alice, "Alice Newname")
    await wait_until(lambda: is_done(parley, alice), "the new name in all rows")
    assert await bylines(parley, alice) == {("Alice Newname", "member")}
    async with parley.reading() as reading:
        assert set(await reading.scalars(select(Notification.actor_name))) == {"Alice Newname"}
        assert set(await reading.scalars(select(Report.username))) == {"Alice Newname"}
    assert (await post_comment(parley, alice, "still looking with the old login")).username == "Alice Newname"


async def test_another_process_finishes_the_work_of_a_killed_one(
    parley: Parley, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await create_viewer(parley, "alice")
    await post_comment(parley, alice, "hello")

    with monkeypatch.context() as dying:
        dying.setattr(byline, "rewrite_later", paused_work)
        await accounts.change_username(parley, alice, "Alice Newname")
    assert await bylines(parley, alice) == {("alice", "member")}
    await maintenance.run_once(parley)
    assert await bylines(parley, alice) == {("Alice Newname", "member")}
    assert await is_done(parley, alice)


async def test_a_new_name_does_not_replace_that_of_an_account_deleted_meanwhile(
    parley: Parley, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await create_viewer(parley, "alice")
    assert alice.user_id
    await post_comment(parley, alice, "hello")
    with monkeypatch.context() as paused:
        paused.setattr(byline, "rewrite_later", paused_work)
        await accounts.change_username(parley, alice, "Alice Newname")
    writing = parley.writing

    @asynccontextmanager
    async def delete_account_first(*topics: Topic) -> AsyncIterator[Write]:
        monkeypatch.setattr(parley, "writing", writing)
        await accounts.delete(parley, alice, PASSWORD, "keep")
        async with writing(*topics) as write:
            yield write

    monkeypatch.setattr(parley, "writing", delete_account_first)
    await byline.rewrite(parley, alice.user_id)
    assert await bylines(parley, alice) == {(DELETED, "member")}


async def paused_work(parley: Parley, user_id: object) -> None: ...


async def test_comments_show_that_their_author_is_a_moderator(parley: Parley) -> None:
    owner, carol = await create_moderator(parley, "alice", Role.OWNER), await create_viewer(parley, "carol")
    assert carol.user_id
    comment = await post_comment(parley, carol, "before")
    assert render(comment)["role"] is None
    for to, shown in ((Role.MODERATOR, "moderator"), (Role.OWNER, "owner"), (Role.MEMBER, None)):
        await roles.appoint(parley, owner, carol.user_id, to)
        await wait_until(lambda: is_done(parley, carol), "the role in all rows")
        async with parley.reading() as reading:
            changed = await reading.get(Comment, comment.id)
        assert changed
        assert render(changed)["role"] == shown
        assert render(await post_comment(parley, carol, "after"))["role"] == shown


@pytest.mark.both_databases
async def test_a_taken_name_is_refused_and_a_former_one_is_free(parley: Parley) -> None:
    alice, bob = await create_viewer(parley, "alice"), await create_viewer(parley, "bob")
    with pytest.raises(Invalid) as refusal:
        await accounts.change_username(parley, bob, "AIice")
    assert refusal.value.field == "username"
    seq = (await find_user_named(parley, "bob")).seq
    await accounts.change_username(parley, bob, "bob")
    assert (await find_user_named(parley, "bob")).seq == seq, "an unchanged name takes no seq"
    await accounts.change_username(parley, bob, "Bob")
    results = await asyncio.gather(
        *(accounts.change_username(parley, viewer, "Carol") for viewer in (alice, bob)), return_exceptions=True
    )
    assert sorted(type(result).__name__ for result in results) == ["Invalid", "User"]


async def test_a_guest_cannot_change_a_name(parley: Parley) -> None:
    with pytest.raises(SignInFirst):
        await accounts.change_username(parley, GUEST, "Nobody")
