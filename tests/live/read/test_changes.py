from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from app.accounts.logins import LOGIN
from app.comments.comments import COMMENT, Comment
from app.database import Reading
from app.live.model import LiveModel
from app.live.read.changes import Changes, encode, read_changes, read_news
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import Kind
from app.live.write.sequences import read_heads
from app.models import LIVE_MODELS
from tests.live.convergence.replicas import add_notes
from tests.live.note import NOTE, post_note
from tests.support.people_without_http import ARTICLE, create_viewer, delete_comment, edit_comment, post_comment

pytestmark = pytest.mark.both_databases


async def read_all(parley: Parley, topic: Topic, upto: int) -> tuple[Changes, int]:
    return await parley.database.read(
        lambda connection: read_changes(connection, LIVE_MODELS, topic, 0, upto, limit=100)
    )


async def test_a_topic_without_writes_has_no_changes(parley: Parley) -> None:
    await create_viewer(parley, "alice")
    async with parley.reading() as reading:
        epoch, heads = await read_heads(reading, [ARTICLE, Topic("Page", "x")])
        assert (await read_heads(reading, []))[0] == epoch
    assert heads == {ARTICLE: 0, Topic("Page", "x"): 0}
    assert epoch


async def test_twenty_edits_of_a_comment_are_one_change(parley: Parley) -> None:
    alice = await create_viewer(parley, "alice")
    first, second = await post_comment(parley, alice, "first"), await post_comment(parley, alice, "second")
    for number in range(20):
        await edit_comment(parley, alice, first, f"edit {number}")
    await delete_comment(parley, alice, second)
    changes, reached = await read_all(parley, ARTICLE, 23)
    assert [(change.id, change.seq) for change in changes] == [(first.id, 22), (second.id, 23)]
    assert reached == 23


async def test_all_kinds_of_viewer_share_one_frame_in_memory(parley: Parley) -> None:
    alice = await create_viewer(parley, "alice")
    await post_comment(parley, alice, "hello")
    (change,), _ = await read_all(parley, ARTICLE, 1)
    public, author = change.frame(Kind.PUBLIC), change.frame(Kind.AUTHOR)
    assert public
    assert author
    assert change.frame(Kind.MODERATOR) is public
    assert change.size == len(public.data)
    for_others, for_alice = (json.loads(frame.data.removeprefix(b"data: ")) for frame in (public, author))
    assert not for_others["payload"]["model"]["current_user_can_edit"]
    for_others["payload"]["model"]["current_user_can_edit"] = True
    assert for_alice == for_others


async def test_a_tombstone_has_only_its_place_and_its_seqs(parley: Parley) -> None:
    alice = await create_viewer(parley, "alice")
    comment = await post_comment(parley, alice, "a secret")
    await delete_comment(parley, alice, comment)
    (change,), _ = await read_all(parley, ARTICLE, 2)
    frame = change.frames[Kind.PUBLIC]
    assert frame
    assert not frame.shows
    assert json.loads(frame.data.removeprefix(b"data: ")) == {
        "payload": {
            "model": {
                "id": str(comment.id), "commentable_type": "Article", "commentable_id": "1", "seq": 2, "created_seq": 1,
            }
        }
    }  # fmt: skip


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_a_limit_never_skips_a_row_of_any_table(parley: Parley, limit: int) -> None:
    await add_notes(parley.settings.database_url)
    models = (COMMENT, NOTE)
    parley.writes._models |= {NOTE.model: NOTE}
    alice = await create_viewer(parley, "alice")
    assert alice.user_id
    for number in range(9):
        if number % 3:
            await post_note(parley, ARTICLE, alice.user_id, "a note")
        else:
            await post_comment(parley, alice, "a comment")
    found: list[int] = []
    after = 0
    while after < 9:
        changes, after = await parley.database.read(
            lambda connection, after=after: read_changes(connection, models, ARTICLE, after, 9, limit)
        )
        found += [change.seq for change in changes]
    assert found == list(range(1, 10))


async def test_logins_are_sent_to_nobody(parley: Parley) -> None:
    alice = await create_viewer(parley, "alice")
    changes, _ = await read_all(parley, Topic.account(alice.user_id), 2)
    (login,) = [change for change in changes if change.live is LOGIN]
    assert set(login.frames.values()) == {None}
    assert login.size == 0


@pytest.mark.parametrize("models", [(COMMENT,), (COMMENT, NOTE)], ids=["one table", "two tables"])
async def test_a_comment_that_is_posted_while_a_topic_is_read_is_not_lost(
    parley: Parley, models: tuple[LiveModel, ...]
) -> None:
    """Somebody posts a comment after each statement of a read. The next read continues at the counter of this one."""
    await add_notes(parley.settings.database_url)
    alice = await create_viewer(parley, "alice")
    await post_comment(parley, alice, "the first")
    found, after = [], 0
    for _ in range(5):
        async with parley.reading() as reading:
            busy: Any = BusyConnection(reading, lambda: post_comment(parley, alice, "meanwhile"))
            _, after, changes = await read_news(busy, models, ARTICLE, after, 100)
        found += [change.seq for change in changes]
    assert found == list(range(1, after + 1))


class BusyConnection:
    """Something happens after each of its statements."""

    def __init__(self, connection: Reading, happens: Callable[[], Awaitable[object]]) -> None:
        self._connection = connection
        self._happens = happens

    async def execute(self, *arguments: Any) -> Any:
        found = await self._connection.execute(*arguments)
        await self._happens()
        return found


async def test_more_news_than_a_backlog_holds_are_not_read(parley: Parley) -> None:
    alice = await create_viewer(parley, "alice")
    for _ in range(4):
        await post_comment(parley, alice, "hello")
    for most, seqs in ((3, []), (4, [1, 2, 3, 4])):
        _, head, changes = await parley.database.read(
            lambda connection, most=most: read_news(connection, LIVE_MODELS, ARTICLE, 0, most)
        )
        assert (head, [change.seq for change in changes]) == (4, seqs)


async def test_a_change_is_the_same_as_that_of_a_loaded_row(parley: Parley) -> None:
    alice = await create_viewer(parley, "alice")
    comment = await post_comment(parley, alice, "hello, @alice, and *everybody*")
    _, _, changes = await parley.database.read(lambda connection: read_news(connection, LIVE_MODELS, ARTICLE, 0, 10))
    async with parley.reading() as reading:
        loaded = await reading.get(Comment, comment.id)
    assert loaded
    assert changes == [encode(COMMENT, loaded)]
