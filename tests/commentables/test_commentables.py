"""Commentables: a title, a lock, and the number of comments that everybody sees."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import delete, func, select, update

from app.accounts import accounts
from app.commentables import commentables
from app.commentables.commentables import Commentable
from app.comments import comments, posting
from app.comments.comments import Comment
from app.errors import Forbidden, Missing, SignInFirst
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import Viewer
from app.models import LIVE_MODELS
from app.settings import Settings
from tests.support.people import PASSWORD
from tests.support.people_without_http import ARTICLE, create_viewer, delete_comment, post_comment

pytestmark = pytest.mark.both_databases


PAGE = Topic("Page", "about")


@pytest.fixture
async def alice(parley: Parley) -> Viewer:
    return await create_viewer(parley, "alice")


async def look(parley: Parley, topic: Topic = ARTICLE) -> Commentable:
    async with parley.reading() as reading:
        return (await commentables.of(reading, [topic]))[topic]


async def counted(parley: Parley, topic: Topic) -> tuple[int, int]:
    """(the count of the commentable, the number of its comments)."""
    shown = (Comment.topic == str(topic), Comment.deleted_at.is_(None), Comment.hidden_at.is_(None))
    async with parley.reading() as reading:
        there = await reading.scalar(select(func.count()).select_from(Comment).where(*shown))
    return (await look(parley, topic)).comments_count, there or 0


async def hide_and_count(parley: Parley, comment: Comment, hidden: bool = True) -> None:
    """As moderators do."""
    topic = Topic.parse(comment.topic)
    async with parley.writing(topic, topic.about) as write:
        row = await write.get(Comment, comment.id)
        if row is None or row.deleted_at or (row.hidden_at is not None) == hidden:
            return
        row.hidden_at = datetime.now(UTC) if hidden else None
        write.update(row)
        await commentables.count(write, topic, -1 if hidden else 1)


async def test_a_commentable_without_a_row_can_be_read(parley: Parley) -> None:
    blank = await look(parley)
    assert (blank.seq, blank.title, blank.locked, blank.comments_count) == (0, "", False, 0)
    assert blank.id == commentables.id_of(ARTICLE)
    async with parley.reading() as reading:
        assert await reading.scalar(select(func.count()).select_from(Commentable)) == 0


async def test_a_commentable_has_a_topic_of_its_own(parley: Parley, alice: Viewer) -> None:
    first, second = await post_comment(parley, alice, "one"), await post_comment(parley, alice, "two")
    assert (first.seq, second.seq) == (1, 2), "a comment takes one seq of its topic"
    commentable = await look(parley)
    assert commentable.topic == "Commentable/Article/1"
    assert (commentable.created_seq, commentable.seq, commentable.comments_count) == (1, 2, 2)
    await delete_comment(parley, alice, first)
    assert (await look(parley)).comments_count == 1


async def test_comments_older_than_their_commentables_row_are_counted(parley: Parley, alice: Viewer) -> None:
    """After the migration, there are comments and no row of their commentable."""
    first = await post_comment(parley, alice, "one")
    await post_comment(parley, alice, "two")

    async def forget() -> None:
        async with parley.database.transaction() as writing, writing.begin():
            await writing.execute(delete(Commentable))

    await forget()
    blank = await look(parley)
    assert (blank.seq, blank.comments_count) == (0, 2)
    await delete_comment(parley, alice, first)
    assert (await look(parley)).comments_count == 1
    await forget()
    await post_comment(parley, alice, "three")
    assert await counted(parley, ARTICLE) == (2, 2)


async def test_a_locked_commentable_takes_no_comments(parley: Parley, alice: Viewer) -> None:
    await post_comment(parley, alice, "in time")
    async with parley.writing(ARTICLE.about) as write, commentables.changing(write, ARTICLE) as commentable:
        commentable.locked, commentable.title = True, "A title"
    with pytest.raises(Forbidden):
        await post_comment(parley, alice, "too late")
    locked = await look(parley)
    assert (locked.locked, locked.title, locked.comments_count) == (True, "A title", 1)
    await post_comment(parley, alice, "elsewhere", PAGE)


async def test_comments_that_are_erased_at_once_are_subtracted_once(parley: Parley, alice: Viewer) -> None:
    bob = await create_viewer(parley, "bob")
    await post_comment(parley, bob, "stays")
    for number in range(5):
        await post_comment(parley, alice, f"number {number}")
    before = await look(parley)
    await accounts.delete(parley, alice, PASSWORD, "erase")
    after = await look(parley)
    assert (after.comments_count, after.seq) == (1, before.seq + 1)


async def test_the_count_equals_the_number_of_comments_after_random_acts(
    parley: Parley, settings: Settings, seed: int
) -> None:
    """Three people act at once in two processes and on two topics: write, hide, delete, restore, leave."""
    chance = random.Random(seed)
    people = [await create_viewer(parley, name) for name in ("alice", "bob", "carol")]
    said: list[Comment] = [await post_comment(parley, people[0], "first", place) for place in (ARTICLE, PAGE)]
    async with Parley(settings, LIVE_MODELS, listening=False) as other:

        async def act(viewer: Viewer) -> None:
            for _ in range(10):
                process, comment = chance.choice((parley, other)), chance.choice(said)
                with suppress(Missing, SignInFirst, Forbidden):
                    match chance.randrange(4):
                        case 0 | 1:
                            place = chance.choice((ARTICLE, PAGE))
                            said.append((await posting.post(process, viewer, place, "more", uuid4()))[0])
                        case 2:
                            await hide_and_count(process, comment, chance.random() < 0.6)
                        case 3:
                            await comments.delete(process, viewer, comment.id)

        leaving = accounts.delete(other, people[2], PASSWORD, "erase")
        await asyncio.gather(*(act(viewer) for viewer in people * 2), leaving)
    for place in (ARTICLE, PAGE):
        says, there = await counted(parley, place)
        assert says == there, place


async def test_a_recount_includes_comments_that_are_written_meanwhile(parley: Parley, alice: Viewer) -> None:
    for place in (ARTICLE, PAGE):
        await post_comment(parley, alice, "first", place)
    await drift(parley, ARTICLE, 7)
    written = [post_comment(parley, alice, "more", place) for place in (ARTICLE, PAGE) * 5]
    wrong, *_ = await asyncio.gather(commentables.recount(parley), *written)
    assert [place for place, _, _ in wrong] == [ARTICLE]
    assert await counted(parley, ARTICLE) == (6, 6)
    assert await counted(parley, PAGE) == (6, 6)
    assert await commentables.recount(parley) == []


async def drift(parley: Parley, place: Topic, to: int) -> None:
    """Change the count as an operator would, without a notification."""
    async with parley.database.transaction() as writing, writing.begin():
        await writing.execute(
            update(Commentable).where(Commentable.topic == str(place.about)).values(comments_count=to)
        )
