from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from sqlalchemy import event, select, text

from app.commentables.commentables import id_of
from app.comments import comments, posting
from app.comments.comments import Comment
from app.errors import Conflict
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import GUEST
from app.live.write.sequences import Counter
from tests.support.people_without_http import ARTICLE, create_viewer, delete_comment, edit_comment, post_comment
from tests.support.waiting import wait_until

pytestmark = pytest.mark.both_databases


PAGE = Topic("Page", "about")


async def seqs(parley: Parley, topic: Topic = ARTICLE) -> list[int]:
    async with parley.reading() as reading:
        found = await reading.scalars(select(Comment.seq).where(Comment.topic == str(topic)).order_by(Comment.seq))
        return list(found.all())


async def counter(parley: Parley, topic: Topic = ARTICLE) -> int | None:
    async with parley.reading() as reading:
        return await reading.scalar(select(Counter.seq).where(Counter.name == str(topic)))


async def test_twenty_people_who_write_at_once_leave_no_gap_in_the_seqs(parley: Parley) -> None:
    alice = await create_viewer(parley, "alice")
    await asyncio.gather(*(post_comment(parley, alice, f"number {number}") for number in range(20)))
    assert await seqs(parley) == list(range(1, 21))
    assert await counter(parley) == 20


async def test_a_write_that_fails_takes_no_seq(parley: Parley) -> None:
    alice = await create_viewer(parley, "alice")
    await post_comment(parley, alice, "hello")
    with pytest.raises(RuntimeError):
        async with parley.writing(ARTICLE):
            raise RuntimeError
    assert await counter(parley) == 1


async def test_a_refused_write_creates_no_topic(parley: Parley) -> None:
    with pytest.raises(RuntimeError):
        async with parley.writing(PAGE):
            raise RuntimeError
    assert await counter(parley, PAGE) is None


async def test_an_edit_without_a_change_takes_no_seq_and_no_time(parley: Parley) -> None:
    alice = await create_viewer(parley, "alice")
    comment = await post_comment(parley, alice, "hello")
    again = await edit_comment(parley, alice, comment, "hello")
    assert (again.seq, again.edited, again.updated_at) == (1, False, comment.updated_at)
    assert await counter(parley) == 1


async def test_one_write_may_change_several_objects_and_topics(parley: Parley) -> None:
    alice = await create_viewer(parley, "alice")
    here, there = await post_comment(parley, alice, "here"), await post_comment(parley, alice, "there", PAGE)
    async with parley.writing(PAGE, ARTICLE) as write:
        for comment, times in ((here, 3), (there, 1)):
            row = await write.get(Comment, comment.id)
            assert row
            for _ in range(times):
                write.update(row)
    assert (await counter(parley), await counter(parley, PAGE)) == (4, 2)
    assert (await seqs(parley), await seqs(parley, PAGE)) == ([4], [2])


async def test_a_topic_that_is_named_and_not_changed_keeps_its_counter(parley: Parley) -> None:
    alice = await create_viewer(parley, "alice")
    there = await post_comment(parley, alice, "there", PAGE)
    await post_comment(parley, alice, "here")
    async with parley.writing(ARTICLE, PAGE) as write:
        row = await write.get(Comment, there.id)
        assert row
        write.update(row)
    assert (await counter(parley), await counter(parley, PAGE)) == (1, 2)


async def test_each_topic_of_a_write_continues_from_its_own_counter(parley: Parley) -> None:
    alice = await create_viewer(parley, "alice")
    here, there = await post_comment(parley, alice, "here"), await post_comment(parley, alice, "there", PAGE)
    for _ in range(3):
        there = await edit_comment(parley, alice, there, there.body + "!")
    async with parley.writing(ARTICLE, PAGE) as write:
        for comment in (here, there):
            row = await write.get(Comment, comment.id)
            assert row
            write.update(row)
    assert (await seqs(parley), await seqs(parley, PAGE)) == ([2], [5])
    assert (await counter(parley), await counter(parley, PAGE)) == (2, 5)


async def test_a_write_that_changes_no_live_row_is_rolled_back(parley: Parley) -> None:
    alice = await create_viewer(parley, "alice")
    async with parley.writing(PAGE) as write:
        await write.session.execute(text("UPDATE users SET username = 'Mallory'"))
    async with parley.reading() as reading:
        names = list(await reading.scalars(text("SELECT username FROM users")))
    assert names == [alice.username]
    assert await counter(parley, PAGE) is None


@pytest.mark.parametrize("id_", ['a "quoted" \\ name', "漢字 / Übung / 😀", "100 % 'sure'; --", "{}"])
async def test_a_topic_may_have_any_printable_name(parley: Parley, id_: str) -> None:
    alice, topic = await create_viewer(parley, "alice"), Topic("Article", id_)
    for _ in range(2):
        await post_comment(parley, alice, "hello", topic)
    assert await seqs(parley, topic) == [1, 2]
    assert (await counter(parley, topic), await counter(parley, topic.about)) == (2, 2)


async def test_a_topic_that_was_not_named_cannot_be_changed(parley: Parley) -> None:
    alice = await create_viewer(parley, "alice")
    comment = await post_comment(parley, alice, "hello")
    async with parley.writing(PAGE) as write:
        row = await write.get(Comment, comment.id)
        assert row
        with pytest.raises(KeyError):
            write.update(row)


async def test_topics_in_opposite_order_do_not_deadlock(parley: Parley) -> None:
    alice = await create_viewer(parley, "alice")
    here, there = await post_comment(parley, alice, "here"), await post_comment(parley, alice, "there", PAGE)

    async def touch_both(*topics: Topic) -> None:
        async with parley.writing(*topics) as write:
            for comment in (here, there):
                row = await write.get(Comment, comment.id)
                assert row
                write.update(row)

    await asyncio.gather(*(touch_both(*pair) for pair in [(ARTICLE, PAGE), (PAGE, ARTICLE)] * 10))
    assert (await counter(parley), await counter(parley, PAGE)) == (21, 21)


async def test_a_write_whose_request_was_cancelled_is_committed(parley: Parley) -> None:
    alice = await create_viewer(parley, "alice")
    published: list[str] = []
    parley.hints.publish = published.append  # type: ignore[method-assign]
    writing = asyncio.create_task(posting.post(parley, alice, ARTICLE, "hello", uuid4()))
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    await wait_until(lambda: published, "the hint of a write whose request was cancelled")
    assert await seqs(parley) == [1]


async def test_the_shutdown_waits_for_writes_in_flight(parley: Parley) -> None:
    alice = await create_viewer(parley, "alice")
    writing = asyncio.create_task(posting.post(parley, alice, ARTICLE, "hello", uuid4()))
    await asyncio.sleep(0)
    await parley._work.drain(60)
    assert writing.done()
    assert await seqs(parley) == [1]


async def test_the_same_id_on_two_topics_at_once_is_one_comment(parley: Parley) -> None:
    alice, id_ = await create_viewer(parley, "alice"), uuid4()
    outcomes = await asyncio.gather(
        *(posting.post(parley, alice, topic, "hello", id_) for topic in (ARTICLE, PAGE)), return_exceptions=True
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == [Conflict.__name__, "tuple"]
    assert sorted([len(await seqs(parley)), len(await seqs(parley, PAGE))]) == [0, 1]


async def test_the_same_id_sent_ten_times_at_once_is_one_comment(parley: Parley) -> None:
    alice, id_ = await create_viewer(parley, "alice"), uuid4()
    outcomes = await asyncio.gather(*(posting.post(parley, alice, ARTICLE, "hello", id_) for _ in range(10)))
    assert sorted(is_new for _, is_new in outcomes) == [False] * 9 + [True]
    assert await seqs(parley) == [1]


async def test_the_text_of_a_deleted_comment_is_not_in_the_database(parley: Parley) -> None:
    alice = await create_viewer(parley, "alice")
    comment = await post_comment(parley, alice, "a secret")
    await delete_comment(parley, alice, comment)
    async with parley.reading() as reading:
        rows = (await reading.execute(text("SELECT * FROM comments"))).all()
    assert len(rows) == 1
    assert "secret" not in str(rows)
    assert await seqs(parley) == [2]


async def test_a_hint_names_the_object_its_topic_and_its_seq(parley: Parley) -> None:
    alice = await create_viewer(parley, "alice")
    published: list[str] = []
    parley.hints.publish = published.append  # type: ignore[method-assign]
    comment = await post_comment(parley, alice, "hello")
    assert published == [
        f"gid://parley/Comment/{comment.id}?topic=Article%2F1&seq=1",
        f"gid://parley/Commentable/{id_of(ARTICLE)}?topic=Commentable%2FArticle%2F1&seq=1",
    ]


async def test_hints_follow_the_commit_and_name_every_change(parley: Parley, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that a hint wakes finds the change in the database."""
    alice = await create_viewer(parley, "alice")
    here, there = await post_comment(parley, alice, "here"), await post_comment(parley, alice, "there", PAGE)
    happened: list[object] = []
    event.listen(parley.database._engine.sync_engine, "commit", lambda _: happened.append("commit"))
    monkeypatch.setattr(parley.writes, "_on_commit", happened.append)
    async with parley.writing(ARTICLE, PAGE) as write:
        for comment in (here, there):
            row = await write.get(Comment, comment.id)
            assert row
            write.update(row)
    assert [str(each) for each in happened] == [
        "commit",
        f"gid://parley/Comment/{here.id}?topic=Article%2F1&seq=2",
        f"gid://parley/Comment/{there.id}?topic=Page%2Fabout&seq=2",
    ]


async def test_a_row_that_is_read_twice_in_a_write_keeps_its_change(parley: Parley) -> None:
    alice = await create_viewer(parley, "alice")
    comment = await post_comment(parley, alice, "hello")
    async with parley.writing(ARTICLE) as write:
        row = await write.get(Comment, comment.id)
        assert row
        row.body = "changed"
        write.update(row)
        assert await write.get(Comment, comment.id) is row
    async with parley.reading() as reading:
        stored = await comments.find(reading, GUEST, comment.id)
    assert (stored.body, stored.seq) == ("changed", 2)
