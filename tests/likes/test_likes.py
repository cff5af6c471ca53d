"""Likes: one for each person, and a count that always equals the number of likes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from app import maintenance
from app.accounts import accounts
from app.comments.comments import Comment
from app.errors import Missing, SignInFirst
from app.likes import likes
from app.likes.likes import Like
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import GUEST, Viewer
from app.live.write import batches
from app.models import LIVE_MODELS
from app.moderation import reports
from app.notifications import notifications
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
from tests.support.waiting import wait_until


class Clock:
    """A clock that only a test moves. Then it wakes the tasks that sleep by it."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)
        self.asleep: list[tuple[datetime, asyncio.Future[None]]] = []

    def __call__(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.asleep.append((self.now + timedelta(seconds=seconds), done))
        await done

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        for until, done in self.asleep:
            if until <= self.now and not done.done():
                done.set_result(None)

    def let_all_go(self) -> None:
        self.move(3_600)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of likes. Counts are published at once, except in tests that use `pausing`."""
    clock = Clock()
    monkeypatch.setattr(likes, "clock", clock)
    monkeypatch.setattr(likes, "sleep", clock.sleep)
    monkeypatch.setattr(likes, "PUBLISH_INTERVAL", timedelta(0))
    return clock


@pytest.fixture
async def pausing(parley: Parley, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Clock]:
    """The clock, with a second between two publications."""
    monkeypatch.setattr(likes, "PUBLISH_INTERVAL", timedelta(seconds=1))
    yield clock
    clock.let_all_go()


@pytest.fixture
async def alice(parley: Parley) -> Viewer:
    return await create_viewer(parley, "alice")


@pytest.fixture
async def bob(parley: Parley) -> Viewer:
    return await create_viewer(parley, "bob")


async def now(parley: Parley, comment: Comment) -> Comment:
    async with parley.reading() as reading:
        row = await reading.get(Comment, comment.id)
    assert row
    return row


async def liked_by(parley: Parley, viewer: Viewer, topic: Topic = ARTICLE) -> list[UUID]:
    async with parley.reading() as reading:
        return [like.comment_id for like in (await likes.read_likes(reading, viewer, topic)).rows]


async def wrongly_counted(parley: Parley) -> dict[UUID, tuple[int, int]]:
    """Comments with a wrong count: (the count, the number of likes)."""
    standing = select(Like.comment_id, func.count()).where(Like.deleted_at.is_(None)).group_by(Like.comment_id)
    async with parley.reading() as reading:
        found = {row[0]: row[1] for row in (await reading.execute(standing)).all()}
        here = (await reading.scalars(select(Comment).where(Comment.deleted_at.is_(None)))).all()
    pairs = {comment.id: (comment.likes_count + comment.likes_pending, found.get(comment.id, 0)) for comment in here}
    return {id_: pair for id_, pair in pairs.items() if pair[0] != pair[1]}


async def test_a_like_counts_once_and_is_no_edit(parley: Parley, alice: Viewer, bob: Viewer) -> None:
    comment = await post_comment(parley, alice, "hello")
    first, counted = await likes.like(parley, bob, comment.id)
    again, still = await likes.like(parley, bob, comment.id)
    assert (first.id, first.seq) == (again.id, again.seq)
    row = await now(parley, comment)
    assert (row.likes_count, row.seq, row.content_seq, row.edited) == (1, comment.seq + 1, comment.seq, False)
    assert row.updated_at == comment.updated_at
    assert counted == still == row.seq
    assert await liked_by(parley, bob) == [comment.id]
    assert await liked_by(parley, alice) == []


@pytest.mark.both_databases
async def test_many_likes_at_once_are_published_once_a_second(parley: Parley, alice: Viewer, pausing: Clock) -> None:
    comment = await post_comment(parley, alice, "hello")
    fans = [await create_viewer(parley, f"fan{number}") for number in range(4)]
    counted = [(await likes.like(parley, fan, comment.id))[1] for fan in fans[:3]]
    row = await now(parley, comment)
    assert (row.likes_count, row.seq) == (1, comment.seq + 1), "the first like is published at once"
    assert counted == [row.seq, row.seq + 1, row.seq + 1], "the other likes are published with the next change"

    pausing.move(0.9)
    assert (await now(parley, comment)).seq == row.seq
    pausing.move(0.1)

    async def published() -> bool:
        return (await now(parley, comment)).likes_due_at is None

    await wait_until(published, "the other likes to be published")
    later = await now(parley, comment)
    assert (later.likes_count, later.seq, later.content_seq) == (3, row.seq + 1, comment.seq)
    assert not later.edited
    pausing.move(1)
    await likes.like(parley, fans[3], comment.id)
    assert (await now(parley, comment)).likes_count == 4, "published at once again, after a second without likes"


async def test_an_edit_publishes_pending_likes(parley: Parley, alice: Viewer, bob: Viewer, pausing: Clock) -> None:
    comment = await post_comment(parley, alice, "hello")
    await likes.like(parley, alice, comment.id)
    _, counted = await likes.like(parley, bob, comment.id)
    edited = await edit_comment(parley, alice, comment, "hello again")
    assert (edited.likes_count, edited.seq) == (2, counted)
    assert edited.full_seq == edited.seq
    await likes.unlike(parley, bob, comment.id)
    await delete_comment(parley, alice, comment)
    assert (await now(parley, comment)).likes_count == 0
    pausing.let_all_go()


@pytest.mark.both_databases
async def test_another_process_publishes_the_pending_likes_of_a_killed_one(
    parley: Parley, alice: Viewer, bob: Viewer, pausing: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    comment = await post_comment(parley, alice, "hello")
    await likes.like(parley, alice, comment.id)
    with monkeypatch.context() as killed:
        killed.setattr(parley, "begin", lambda work: work.close())
        await likes.like(parley, bob, comment.id)
    await maintenance.run_once(parley)
    assert (await now(parley, comment)).likes_count == 1, "the publication is not due yet"
    pausing.move(1)
    await maintenance.run_once(parley)
    row = await now(parley, comment)
    assert (row.likes_count, row.seq) == (2, comment.seq + 2)


async def test_a_change_by_an_earlier_release_is_a_full_update(parley: Parley, alice: Viewer, bob: Viewer) -> None:
    comment = await post_comment(parley, alice, "hello")
    await likes.like(parley, bob, comment.id)
    row = await now(parley, comment)
    assert (row.full_seq, row.seq) == (comment.seq, comment.seq + 1)
    async with parley.writing(ARTICLE) as write:  # the earlier release does not know `whole_seq`
        old = await write.get(Comment, comment.id)
        assert old
        old.body = "by hand"
        write.update(old)
    row = await now(parley, comment)
    assert row.full_seq == row.seq


@pytest.mark.both_databases
async def test_a_like_that_is_taken_back_and_repeated_is_the_same_row(
    parley: Parley, alice: Viewer, bob: Viewer
) -> None:
    comment = await post_comment(parley, alice, "hello")
    first, _ = await likes.like(parley, bob, comment.id)
    gone, counted = await likes.unlike(parley, bob, comment.id)
    still, again = await likes.unlike(parley, bob, comment.id)
    assert (gone.id, gone.seq, counted) == (still.id, still.seq, again), "the second time changes nothing"
    assert gone.seq > first.created_seq
    assert (await now(parley, comment)).likes_count == 0
    assert await liked_by(parley, bob) == []
    anew, _ = await likes.like(parley, bob, comment.id)
    assert anew.id == first.id == likes.id_of(bob.user_id or uuid4(), comment.id)
    assert anew.created_seq > gone.seq, "a client that received the deletion sees a new like"
    assert (await now(parley, comment)).likes_count == 1


def test_a_like_a_report_and_a_notification_of_one_comment_have_different_ids() -> None:
    bob, comment = uuid4(), uuid4()
    assert len({model.id_of(bob, comment) for model in (likes, reports, notifications)}) == 3


async def test_taking_back_a_like_that_never_existed_writes_nothing(parley: Parley, alice: Viewer) -> None:
    comment = await post_comment(parley, alice, "hello")
    await likes.unlike(parley, alice, comment.id)
    assert (await now(parley, comment)).seq == comment.seq


async def test_guests_and_blocked_people_may_not_like(parley: Parley, alice: Viewer, bob: Viewer) -> None:
    comment = await post_comment(parley, alice, "hello")
    with pytest.raises(SignInFirst):
        await likes.like(parley, GUEST, comment.id)
    with pytest.raises(Missing):
        await likes.like(parley, bob, uuid4())
    await hide_comment(parley, comment.id)
    for act in (likes.like, likes.unlike):
        with pytest.raises(Missing):
            await act(parley, bob, comment.id)
    await delete_comment(parley, alice, comment)
    with pytest.raises(Missing):
        await likes.like(parley, alice, comment.id)


async def test_a_hidden_comment_keeps_its_likes(parley: Parley, alice: Viewer, bob: Viewer) -> None:
    comment = await post_comment(parley, alice, "hello")
    await likes.like(parley, bob, comment.id)
    await hide_comment(parley, comment.id)
    await likes.like(parley, alice, comment.id)  # its author still sees the comment
    await hide_comment(parley, comment.id, hidden=False)
    assert (await now(parley, comment)).likes_count == 2
    assert not await wrongly_counted(parley)


async def test_a_deleted_account_cannot_like(parley: Parley, alice: Viewer, bob: Viewer) -> None:
    """The request began before the deletion."""
    comment = await post_comment(parley, alice, "hello")
    await accounts.delete(parley, bob, PASSWORD, "keep")
    with pytest.raises(SignInFirst):
        await likes.like(parley, bob, comment.id)
    assert (await now(parley, comment)).likes_count == 0


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "BATCH_SIZE", 2)


@pytest.mark.usefixtures("small_batches")
@pytest.mark.both_databases
async def test_likes_are_deleted_with_the_account(parley: Parley, alice: Viewer, bob: Viewer) -> None:
    said = [await post_comment(parley, alice, f"number {n}", Topic("Article", str(n % 2))) for n in range(6)]
    for comment in said:
        await likes.like(parley, bob, comment.id)
        await likes.like(parley, alice, comment.id)
    await delete_comment(parley, alice, said[0])
    await accounts.delete(parley, bob, PASSWORD, "keep")
    assert [(await now(parley, comment)).likes_count for comment in said] == [0, 1, 1, 1, 1, 1]
    async with parley.reading() as reading:
        left = (await reading.scalars(select(Like).where(Like.user_id == bob.user_id))).all()
    assert len(left) == 6, "tombstones stay for open tabs"
    assert all(like.deleted_at for like in left)


@pytest.mark.usefixtures("small_batches")
@pytest.mark.both_databases
async def test_a_deletion_of_likes_that_a_killed_process_began_is_finished(
    parley: Parley, alice: Viewer, bob: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = [await post_comment(parley, alice, f"number {number}") for number in range(5)]
    for comment in said:
        await likes.like(parley, bob, comment.id)
    writing, writes = parley.writing, []

    def killed_at_the_third(*topics: Topic) -> Any:
        writes.append(topics)
        if len(writes) == 3:  # after the account and two likes
            raise SystemError("killed")
        return writing(*topics)

    with monkeypatch.context() as doomed:
        doomed.setattr(parley, "writing", killed_at_the_third)
        with pytest.raises(SystemError):
            await accounts.delete(parley, bob, PASSWORD, "keep")
    assert sum([(await now(parley, comment)).likes_count for comment in said]) == 3
    await maintenance.run_once(parley)
    assert sum([(await now(parley, comment)).likes_count for comment in said]) == 0
    assert not await wrongly_counted(parley)


@pytest.mark.both_databases
async def test_the_count_equals_the_number_of_likes_after_random_acts(
    parley: Parley, settings: Settings, seed: int
) -> None:
    """Four people act at once in two processes and on two topics, and one of them deletes their account meanwhile."""
    chance = random.Random(seed)
    people = [await create_viewer(parley, name) for name in ("alice", "bob", "carol", "dave")]
    places = [Topic("Article", "1"), Topic("Page", "about")]
    said = [await post_comment(parley, people[0], f"number {number}", places[number % 2]) for number in range(4)]
    async with Parley(settings, LIVE_MODELS, listening=False) as other:

        async def act(viewer: Viewer) -> None:
            for _ in range(12):
                process, comment = chance.choice((parley, other)), chance.choice(said)
                with suppress(Missing, SignInFirst):
                    await chance.choice((likes.like, likes.like, likes.unlike))(process, viewer, comment.id)

        async def meanwhile() -> None:
            await hide_comment(other, said[0].id)
            await edit_comment(parley, people[0], said[1], "another text")
            await delete_comment(other, people[0], said[2])
            await accounts.delete(parley, people[3], PASSWORD, "erase")
            await hide_comment(other, said[0].id, hidden=False)

        await asyncio.gather(*(act(viewer) for viewer in people * 2), meanwhile())
    assert not await wrongly_counted(parley)
    assert await liked_by(parley, people[3], places[0]) == await liked_by(parley, people[3], places[1]) == []
