"""Posting: comments of several people in one transaction. Each gets the outcome that it would get alone."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import false, func, select, text
from sqlalchemy.exc import OperationalError

from app.accounts import accounts, logins, roles
from app.accounts.logins import Login
from app.accounts.user import Role, User
from app.commentables import commentables
from app.commentables.commentables import Commentable, HostPage
from app.comments import comments, posting
from app.comments.comments import Comment
from app.errors import Conflict, Forbidden, Invalid, SignInFirst
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import Viewer
from app.live.write import group_commit
from app.live.write.group_commit import GroupWrite
from app.live.write.sequences import Counter
from app.models import LIVE_MODELS
from app.notifications import mutes, notifications
from app.notifications.notifications import Notification
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
from tests.support.serving import ROOT
from tests.support.waiting import wait_until

pytestmark = pytest.mark.both_databases

PAGE = Topic("Page", "about")
COLUMNS = [column.name for column in Comment.__table__.columns]


@pytest.fixture
async def other(settings: Settings) -> AsyncIterator[Parley]:
    """Another process on the same database."""
    async with Parley(settings, LIVE_MODELS, listening=False) as parley:
        yield parley


@pytest.fixture
async def alice(parley: Parley) -> Viewer:
    """She has commented on both topics."""
    alice = await create_viewer(parley, "alice")
    for topic in (ARTICLE, PAGE):
        await post_comment(parley, alice, "first", topic)
    return alice


@pytest.fixture
async def bob(parley: Parley) -> Viewer:
    return await create_viewer(parley, "bob")


def write(parley: Parley, author: Viewer, topic: Topic = ARTICLE, **more: Any) -> Any:
    return posting.post(parley, author, topic, **{"body": "hello", "id": uuid4(), **more})


async def write_alone(parley: Parley, author: Viewer, topic: Topic = ARTICLE, **more: Any) -> tuple[Comment, bool]:
    """Write as after a group that the database has refused."""
    draft = await posting._draft(parley, author, topic, **{"id": uuid4(), "parent_id": None, "page": None, **more})
    (outcome,) = await parley.writes._write(posting._store, [draft], is_alone=True)
    assert outcome is True
    return draft.comment, True


async def post_in_one_group(
    parley: Parley,
    *writing: Awaitable[tuple[Comment, bool]],
    meanwhile: Callable[[list[asyncio.Future[Any]]], Awaitable[object]] | None = None,
    alone: int = 0,
) -> list[Any]:
    """The outcomes of these calls, whose comments are in one group. `meanwhile` runs after the group is complete, and
    before its transaction begins. So many of the comments are then written alone."""
    run, may_run, groups = parley.database.run_transaction, asyncio.Event(), []

    async def run_later(work: Any) -> Any:
        await may_run.wait()
        groups.append(work)
        return await run(work)

    parley.database.run_transaction = run_later  # type: ignore[method-assign]
    nobody = await posting._draft(parley, Viewer(uuid4(), "nobody"), ARTICLE, "hello", uuid4(), None, None)
    before = asyncio.ensure_future(parley.write_together(posting._store, nobody))
    lane = parley.writes._groups._lanes[posting._store]
    await wait_until(lambda: lane._runs and not lane._waiting, "a group that the others wait for")
    tasks = [asyncio.ensure_future(one) for one in writing]
    await wait_until(lambda: len(lane._waiting) == len(tasks), "the comments of one group")
    if meanwhile:
        await meanwhile(tasks)
    may_run.set()
    assert isinstance(await before, SignInFirst)
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert len(groups) == 2 + alone
    parley.database.run_transaction = run  # type: ignore[method-assign]
    return outcomes


async def read_seqs(parley: Parley, topic: Topic = ARTICLE) -> list[int]:
    async with parley.reading() as reading:
        found = await reading.scalars(select(Comment.seq).where(Comment.topic == str(topic)).order_by(Comment.seq))
        return list(found.all())


async def expect_no_gaps(parley: Parley, topic: Topic = ARTICLE, *, comments: int) -> None:
    """So many comments, each with one seq, and each counted."""
    assert await read_seqs(parley, topic) == list(range(1, comments + 1))
    async with parley.reading() as reading:
        assert await reading.scalar(select(Counter.seq).where(Counter.name == str(topic))) == comments
        conversation = (await commentables.of(reading, [topic]))[topic]
        about = await reading.scalar(select(Counter.seq).where(Counter.name == str(topic.about)))
    assert (conversation.comments_count, conversation.seq) == (comments, about)


def kinds_of(outcomes: list[Any]) -> list[str]:
    """For each outcome: "new", "stored before", or the name of the error."""
    return [
        type(one).__name__ if isinstance(one, BaseException) else "new" if one[1] else "stored before"
        for one in outcomes
    ]


# -- what a group stores --------------------------------------------------------------------------------------


async def test_comments_of_one_group_are_stored_counted_and_announced(
    parley: Parley, alice: Viewer, bob: Viewer
) -> None:
    published: list[str] = []
    parley.hints.publish = published.append  # type: ignore[method-assign]
    outcomes = await post_in_one_group(
        parley, write(parley, alice), write(parley, bob), write(parley, bob, PAGE), write(parley, alice)
    )
    assert kinds_of(outcomes) == ["new"] * 4
    await expect_no_gaps(parley, ARTICLE, comments=4)
    await expect_no_gaps(parley, PAGE, comments=2)
    hinted = [hint.partition("?topic=")[2] for hint in published]
    assert sorted(hinted) == [
        "Article%2F1&seq=2",
        "Article%2F1&seq=3",
        "Article%2F1&seq=4",
        "Commentable%2FArticle%2F1&seq=2",
        "Commentable%2FPage%2Fabout&seq=2",
        "Page%2Fabout&seq=2",
    ]


async def test_a_row_of_a_group_equals_one_that_was_stored_alone(parley: Parley, alice: Viewer) -> None:
    parent = await post_comment(parley, alice, "parent")
    more = {"body": "*hello*", "parent_id": parent.id}
    ((grouped, _),) = await post_in_one_group(parley, write(parley, alice, **more))
    alone, _ = await write_alone(parley, alice, **more)
    own = {"id", "seq", "created_seq", "content_seq", "created_at", "updated_at"}
    async with parley.reading() as reading:
        rows = [await reading.get(Comment, comment.id) for comment in (grouped, alone)]
    first, second = ({name: getattr(row, name) for name in COLUMNS if name not in own} for row in rows)
    assert first == second
    assert all(row.created_seq == row.content_seq == row.seq for row in rows)
    assert comments.render(grouped) == comments.render(rows[0])


async def test_a_reply_in_a_group_is_below_its_parent(parley: Parley, alice: Viewer) -> None:
    parent = await post_comment(parley, alice, "parent")
    reply = await post_in_one_group(parley, write(parley, alice, parent_id=parent.id))
    assert reply[0][0].path == [str(parent.id)]


async def test_the_first_comments_of_conversations_are_stored_in_one_group(
    parley: Parley, alice: Viewer, bob: Viewer
) -> None:
    new, embedded = Topic("Article", "new"), Topic("Page", "embedded")
    page = HostPage("https://example.com/post", "A post")
    outcomes = await post_in_one_group(
        parley,
        write(parley, alice, new),
        write(parley, bob, new),
        write(parley, bob, embedded, page=page),
        write(parley, alice, embedded, page=HostPage("https://example.com/other")),
        write(parley, alice, PAGE, page=page),
        write(parley, alice, Topic("Article", "refused"), parent_id=uuid4()),
    )
    assert kinds_of(outcomes) == ["new"] * 5 + [Invalid.__name__]
    await expect_no_gaps(parley, new, comments=2)
    await expect_no_gaps(parley, embedded, comments=2)
    await expect_no_gaps(parley, PAGE, comments=2)
    async with parley.reading() as reading:
        found = await commentables.of(reading, [new, embedded, PAGE])
        assert await reading.get(Commentable, commentables.id_of(Topic("Article", "refused"))) is None
    assert [(each.url, each.title) for each in found.values()] == [
        ("", ""),
        (page.url, page.title),
        (page.url, page.title),
    ]


async def test_the_first_comments_of_a_conversation_at_two_processes_are_both_stored(
    parley: Parley, other: Parley, alice: Viewer, bob: Viewer
) -> None:
    new = Topic("Article", "new")
    posts = [write(process, author, new) for author in (alice, bob) for process in (parley, other)]
    assert kinds_of(await asyncio.gather(*posts)) == ["new"] * 4
    await expect_no_gaps(parley, new, comments=4)


async def test_groups_of_two_processes_and_single_writes_leave_no_gaps(
    parley: Parley, other: Parley, alice: Viewer, bob: Viewer
) -> None:
    """They take the same counters, in one order."""
    texts = {alice: "Well, @bob", bob: "Well, @alice"}
    posts = [
        post(process, author, topic, body=text)
        for post in (write, write_alone)
        for process in (parley, other)
        for author, text in texts.items()
        for topic in (ARTICLE, PAGE) * 2
    ]
    assert kinds_of(await asyncio.gather(*posts)) == ["new"] * 32
    await expect_no_gaps(parley, ARTICLE, comments=17)
    await expect_no_gaps(parley, PAGE, comments=17)
    assert len(await read_notifications(parley, alice)) == len(await read_notifications(parley, bob)) == 16


# -- notifications of a group ---------------------------------------------------------------------------------


async def read_notifications(parley: Parley, person: Viewer) -> list[tuple[str, str | None]]:
    """(reason, author) of this person's notifications. Their topic's counter has no gap below them."""
    topic = str(Topic.account(person.user_id))
    async with parley.reading() as reading:
        rows = (await reading.scalars(select(Notification).where(Notification.topic == topic))).all()
        last = await reading.scalar(select(Counter.seq).where(Counter.name == topic))
        others = [
            await reading.scalar(select(func.max(model.seq)).where(model.topic == topic)) for model in (User, Login)
        ]
    seqs = sorted(row.seq for row in rows)
    assert last == max(seqs + [seq for seq in others if seq])
    assert seqs == list(range(last - len(seqs) + 1, last + 1))
    return sorted((row.kind, row.actor_name) for row in rows)


async def test_replies_and_mentions_in_a_group_notify(parley: Parley, alice: Viewer, bob: Viewer) -> None:
    carol = await create_viewer(parley, "carol")
    parent = await post_comment(parley, bob, "parent")
    outcomes = await post_in_one_group(
        parley,
        write(parley, alice, body="I ask @carol and @bob", parent_id=parent.id),
        write(parley, carol, body="@alice @bob @carol"),
        write(parley, bob, body="I reply to myself", parent_id=parent.id),
    )
    assert kinds_of(outcomes) == ["new"] * 3
    assert await read_notifications(parley, alice) == [("mention", "carol")]
    assert await read_notifications(parley, bob) == [("mention", "carol"), ("reply", "alice")]
    assert await read_notifications(parley, carol) == [("mention", "alice")]
    await expect_no_gaps(parley, comments=5)


async def test_a_person_who_muted_the_author_or_left_meanwhile_is_not_notified(
    parley: Parley, other: Parley, alice: Viewer, bob: Viewer
) -> None:
    carol = await create_viewer(parley, "carol")

    async def mute_and_leave(_: object) -> None:
        assert alice.user_id
        await mutes.mute(other, bob, alice.user_id)
        await accounts.delete(other, carol, PASSWORD, "keep")

    outcomes = await post_in_one_group(
        parley, write(parley, alice, body="@bob @carol"), write(parley, bob, body="@alice"), meanwhile=mute_and_leave
    )
    assert kinds_of(outcomes) == ["new", "new"]
    assert await read_notifications(parley, alice) == [("mention", "bob")]
    assert await read_notifications(parley, bob) == []
    assert await read_notifications(parley, carol) == []


async def test_a_group_keeps_the_limit_of_notifications(
    parley: Parley, alice: Viewer, bob: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifications, "MAX_FROM_ONE_TO_ONE", 3)
    await write(parley, alice, body="@bob")
    outcomes = await post_in_one_group(parley, *(write(parley, alice, body="@bob") for _ in range(4)))
    assert kinds_of(outcomes) == ["new"] * 4
    assert await read_notifications(parley, bob) == [("mention", "alice")] * 3


# -- exactly once ---------------------------------------------------------------------------------------------


async def test_the_same_id_sent_sixteen_times_at_two_processes_is_one_comment(
    parley: Parley, other: Parley, alice: Viewer
) -> None:
    id_ = uuid4()
    outcomes = await asyncio.gather(*(write(process, alice, id=id_) for process in (parley, other) * 8))
    assert sorted(kinds_of(outcomes)) == ["new"] + ["stored before"] * 15
    assert {comment.id for comment, _ in outcomes} == {id_}
    await expect_no_gaps(parley, comments=2)


async def test_the_same_id_twice_in_one_group_is_one_comment(parley: Parley, alice: Viewer) -> None:
    id_ = uuid4()
    outcomes = await post_in_one_group(parley, *(write(parley, alice, id=id_) for _ in range(2)), write(parley, alice))
    assert kinds_of(outcomes) == ["new", "stored before", "new"]
    await expect_no_gaps(parley, comments=3)


async def test_an_id_that_is_taken_on_another_topic_is_a_conflict_for_one_person_only(
    parley: Parley, other: Parley, alice: Viewer, bob: Viewer
) -> None:
    id_ = uuid4()
    outcomes = await post_in_one_group(
        parley,
        write(parley, bob),
        write(parley, alice, id=id_),
        write(parley, bob),
        meanwhile=lambda _: write(other, alice, PAGE, id=id_),
    )
    assert kinds_of(outcomes) == ["new", Conflict.__name__, "new"]
    await expect_no_gaps(parley, comments=3)
    await expect_no_gaps(parley, PAGE, comments=2)


async def test_an_id_that_is_taken_while_the_group_is_stored_is_a_conflict_for_one_person_only(
    parley: Parley, alice: Viewer, bob: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The group's checks find the id free, and the database refuses the row. On SQLite no other process can write then,
    so here the checks are blind. Without a look at the id, her write alone fails, too."""
    taken = await post_comment(parley, alice, "elsewhere", PAGE)
    monkeypatch.setattr(posting, "_FIND", posting._FIND.where(false()))
    outcomes = await post_in_one_group(
        parley, write(parley, bob), write(parley, alice, id=taken.id), write(parley, bob), alone=3
    )
    assert kinds_of(outcomes) == ["new", Conflict.__name__, "new"]
    await expect_no_gaps(parley, comments=3)


# -- checks under the lock ------------------------------------------------------------------------------------


async def test_a_comment_after_a_sign_out_at_another_process_is_refused(
    parley: Parley, other: Parley, alice: Viewer, bob: Viewer
) -> None:
    outcomes = await post_in_one_group(
        parley,
        write(parley, bob),
        write(parley, alice),
        write(parley, bob),
        meanwhile=lambda _: logins.sign_out(other, alice),
    )
    assert kinds_of(outcomes) == ["new", SignInFirst.__name__, "new"]
    await expect_no_gaps(parley, comments=3)


async def test_a_comment_that_is_written_alone_after_its_group_is_refused_after_a_sign_out(
    parley: Parley, other: Parley, alice: Viewer, bob: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = await post_comment(parley, alice, "elsewhere", PAGE)
    monkeypatch.setattr(posting, "_FIND", posting._FIND.where(false()))
    outcomes = await post_in_one_group(
        parley,
        write(parley, bob, id=taken.id),
        write(parley, alice),
        write(parley, bob),
        meanwhile=lambda _: logins.sign_out(other, alice),
        alone=3,
    )
    assert kinds_of(outcomes) == [Conflict.__name__, SignInFirst.__name__, "new"]
    await expect_no_gaps(parley, comments=2)


async def test_other_writes_after_a_sign_out_are_refused_too(parley: Parley, other: Parley, alice: Viewer) -> None:
    comment = await post_comment(parley, alice, "hello")
    await logins.sign_out(other, alice)
    for refused in (
        write(parley, alice),
        edit_comment(parley, alice, comment, "late"),
    ):
        with pytest.raises(SignInFirst):
            await refused
    assert await read_seqs(parley) == [1, 2]


async def test_a_comment_of_somebody_who_was_blocked_meanwhile_is_refused(
    parley: Parley, other: Parley, alice: Viewer, bob: Viewer
) -> None:
    moderator = await create_viewer(parley, "moderator")
    await roles.assign_role(other, "moderator@example.com", Role.OWNER)

    async def block(_: object) -> None:
        assert alice.user_id
        await roles.block(other, moderator, alice.user_id)

    outcomes = await post_in_one_group(parley, write(parley, alice), write(parley, bob), meanwhile=block)
    assert kinds_of(outcomes) == [SignInFirst.__name__, "new"]


async def test_a_lock_of_one_conversation_refuses_its_comments_only(
    parley: Parley, other: Parley, alice: Viewer, bob: Viewer
) -> None:
    outcomes = await post_in_one_group(
        parley,
        write(parley, bob, PAGE),
        write(parley, alice),
        write(parley, bob, PAGE),
        meanwhile=lambda _: close_conversation(other),
    )
    assert kinds_of(outcomes) == ["new", Forbidden.__name__, "new"]
    await expect_no_gaps(parley, PAGE, comments=3)


async def close_conversation(parley: Parley) -> None:
    async with parley.writing(ARTICLE.about) as write, commentables.changing(write, ARTICLE) as commentable:
        commentable.locked = True


async def test_a_reply_to_a_comment_that_was_deleted_meanwhile_or_is_elsewhere_is_refused(
    parley: Parley, other: Parley, alice: Viewer, bob: Viewer
) -> None:
    parent, elsewhere = await post_comment(parley, alice, "parent"), await post_comment(parley, alice, "there", PAGE)
    outcomes = await post_in_one_group(
        parley,
        write(parley, bob),
        write(parley, alice, parent_id=parent.id),
        write(parley, alice, parent_id=elsewhere.id),
        write(parley, bob),
        meanwhile=lambda _: delete_comment(other, alice, parent),
    )
    assert kinds_of(outcomes) == ["new", Invalid.__name__, Invalid.__name__, "new"]
    assert await read_seqs(parley) == [1, 3, 4, 5]
    async with parley.reading() as reading:
        assert (await commentables.of(reading, [ARTICLE]))[ARTICLE].comments_count == 3


async def test_the_author_of_a_hidden_comment_may_reply_to_it(parley: Parley, other: Parley, alice: Viewer) -> None:
    parent = await post_comment(parley, alice, "parent")
    outcomes = await post_in_one_group(
        parley,
        write(parley, alice, parent_id=parent.id),
        meanwhile=lambda _: hide_comment(other, parent.id),
    )
    assert kinds_of(outcomes) == ["new"]


@pytest.mark.postgresql_only
async def test_a_lock_that_is_committed_while_the_group_waits_for_the_counter_counts(
    parley: Parley, other: Parley, alice: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "LOCK_TIMEOUT", "1min")
    async with other.writing(ARTICLE.about) as locking, commentables.changing(locking, ARTICLE) as commentable:
        commentable.locked = True
        late = asyncio.create_task(write(parley, alice))
        await wait_until(partial(is_waiting_for_a_lock, other), "the group to wait for the counter")
    with pytest.raises(Forbidden):
        await late
    await expect_no_gaps_in_comments(parley, 1)


async def is_waiting_for_a_lock(parley: Parley) -> bool:
    return bool(await parley.database.ask("SELECT count(*) FROM pg_locks WHERE NOT granted"))


async def expect_no_gaps_in_comments(parley: Parley, comments: int) -> None:
    assert await read_seqs(parley) == list(range(1, comments + 1))
    assert await parley.database.ask("SELECT seq FROM topics WHERE name = 'Article/1'") == comments


@pytest.mark.postgresql_only
async def test_a_slow_writer_of_one_topic_does_not_stop_comments_on_another(
    parley: Parley, other: Parley, alice: Viewer, bob: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "LOCK_TIMEOUT", "10ms")
    async with other.writing(ARTICLE):
        waiting = asyncio.create_task(write(parley, alice))
        elsewhere = asyncio.create_task(write(parley, bob, PAGE))
        await elsewhere
        assert not waiting.done()
    assert (await waiting)[1]
    await expect_no_gaps(parley, comments=2)
    await expect_no_gaps(parley, PAGE, comments=2)


# -- when something breaks ------------------------------------------------------------------------------------


async def test_a_comment_whose_request_was_cancelled_is_stored_with_its_group(
    parley: Parley, alice: Viewer, bob: Viewer
) -> None:
    async def cancel_first(requests: list[asyncio.Future[Any]]) -> None:
        requests[0].cancel()
        await asyncio.wait(requests[:1])

    outcomes = await post_in_one_group(parley, write(parley, alice), write(parley, bob), meanwhile=cancel_first)
    assert kinds_of(outcomes) == ["CancelledError", "new"]
    await expect_no_gaps(parley, comments=3)


async def test_the_shutdown_waits_for_groups(settings: Settings, parley: Parley, alice: Viewer) -> None:
    async with Parley(settings, LIVE_MODELS, listening=False) as leaving:
        posts = [asyncio.create_task(write(leaving, alice)) for _ in range(5)]
        await asyncio.sleep(0)
    assert all(post.done() for post in posts)
    await expect_no_gaps(parley, comments=6)


async def test_if_the_answer_to_a_commit_is_lost_everybody_gets_an_error_and_may_retry(
    parley: Parley, alice: Viewer, bob: Viewer
) -> None:
    run = parley.database.run_transaction

    async def lose_answer(work: Any) -> Any:
        await run(work)
        raise OperationalError("COMMIT", None, ConnectionError("lost"))

    parley.database.run_transaction = lose_answer  # type: ignore[method-assign]
    ids = [uuid4(), uuid4()]
    lost = await asyncio.gather(
        *(write(parley, author, id=id_) for author, id_ in zip((alice, bob), ids, strict=True)), return_exceptions=True
    )
    assert kinds_of(lost) == [OperationalError.__name__] * 2
    parley.database.run_transaction = run  # type: ignore[method-assign]
    again = [await write(parley, author, id=id_) for author, id_ in zip((alice, bob), ids, strict=True)]
    assert kinds_of(again) == ["stored before"] * 2
    await expect_no_gaps(parley, comments=3)


async def test_a_process_that_is_killed_inside_a_group_stores_all_of_it_or_nothing(
    parley: Parley, settings: Settings, alice: Viewer
) -> None:
    ids = [uuid4() for _ in range(3)]
    environment = {**os.environ, "PARLEY_TEST_URL": settings.database_url, "PYTHONPATH": str(ROOT)}
    arguments = [str(alice.user_id), str(alice.login_id), *map(str, ids)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, *arguments, env=environment, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert (process.returncode, out.decode()) == (-signal.SIGKILL, "in one group: 3\n")
    await expect_no_gaps(parley, comments=1)
    outcomes = [await write(parley, alice, id=id_) for id_ in ids]
    assert kinds_of(outcomes) == ["new"] * 3
    await expect_no_gaps(parley, comments=4)


async def be_killed(url: str, user_id: UUID, login_id: UUID, ids: list[UUID]) -> None:
    """Post these comments, and die before the commit of the group."""
    finish = GroupWrite.finish

    def finish_and_die(self: GroupWrite) -> None:
        finish(self)
        assert self.connection.scalar(text("SELECT count(*) FROM comments WHERE topic = 'Article/1'")) == 1 + len(ids)
        print("in one group:", len(ids), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

    GroupWrite.finish = finish_and_die  # type: ignore[method-assign]
    settings = Settings(_env_file=None, database_url=url)  # type: ignore[call-arg]
    author = Viewer(user_id, "alice", login_id=login_id)
    async with Parley(settings, LIVE_MODELS, listening=False) as parley:
        await asyncio.gather(*(write(parley, author, id=id_) for id_ in ids))


if __name__ == "__main__":
    user_id, login_id, *ids = map(UUID, sys.argv[1:])
    asyncio.run(be_killed(os.environ["PARLEY_TEST_URL"], user_id, login_id, ids))
