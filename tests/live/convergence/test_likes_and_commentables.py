"""The law for likes, on the topic `User/<id>` of the person who likes, and for commentables.

Snapshots are those of pages and REST. Changes are read in small chunks, as for a client that was offline for long.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from pydantic_core import to_json
from sqlalchemy import select

from app.accounts import accounts
from app.commentables import commentables
from app.commentables.commentables import COMMENTABLE
from app.comments import comments, posting
from app.comments.comments import Comment
from app.errors import Forbidden, Missing
from app.likes import likes
from app.likes.likes import LIKE
from app.live.read.changes import read_changes
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import Viewer
from app.live.write.sequences import read_heads
from app.models import LIVE_MODELS
from tests.support.people import PASSWORD
from tests.support.people_without_http import ARTICLE, create_viewer, post_comment

States = dict[str, Any]
CHUNK_CHANGES = 3  # of each table

pytestmark = pytest.mark.both_databases


@pytest.fixture
async def people(parley: Parley) -> list[Viewer]:
    return [await create_viewer(parley, name) for name in ("alice", "bob")]


async def heads(parley: Parley, topic: Topic) -> int:
    async with parley.reading() as reading:
        return (await read_heads(reading, [topic]))[1][topic]


async def liked(parley: Parley, viewer: Viewer) -> States:
    async with parley.reading() as reading:
        found = (await likes.read_likes(reading, viewer, ARTICLE)).rows
    return {str(like.id): json.loads(to_json(likes.render(like))) for like in found}


async def commentable(parley: Parley) -> States:
    async with parley.reading() as reading:
        (found,) = (await commentables.of(reading, [ARTICLE])).values()
    return {str(found.id): json.loads(to_json(commentables.render(found)))}


async def follow(parley: Parley, topic: Topic, viewer: Viewer, name: str, states: States, after: int) -> States:
    """Apply the changes after `after` to `states`."""
    states, head = dict(states), await heads(parley, topic)
    while after < head:
        changes, after = await parley.database.read(
            partial(read_changes, models=LIVE_MODELS, topic=topic, after=after, upto=head, limit=CHUNK_CHANGES)
        )
        for change in changes:
            frame = change.frame(viewer.kind(change.author_id))
            if change.live.name != name:
                continue
            assert frame
            states.pop(str(change.id), None)
            if frame.shows:
                states[str(change.id)] = json.loads(frame.data.removeprefix(b"data: "))["payload"]["model"]
    return states


async def live(parley: Parley, people: list[Viewer], chance: random.Random, steps: int) -> None:
    """Both people like, take likes back, write, edit and delete, at random."""
    async with parley.reading() as reading:
        said = (await reading.scalars(select(Comment))).all()
    for _ in range(steps):
        viewer, comment = chance.choice(people), chance.choice(said)
        acts: list[Callable[[], Any]] = [
            partial(likes.like, parley, viewer, comment.id),
            partial(likes.unlike, parley, viewer, comment.id),
            partial(posting.post, parley, viewer, ARTICLE, "more", uuid4()),
            partial(comments.delete, parley, people[1], comment.id),
            lambda: set_title(parley, f"title {chance.random()}"),
        ]
        with suppress(Missing, Forbidden):
            await chance.choices(acts, weights=(5, 3, 2, 1, 1))[0]()


async def set_title(parley: Parley, title: str) -> None:
    async with parley.writing(ARTICLE.about) as write, commentables.changing(write, ARTICLE) as changed:
        changed.title = title


async def test_an_old_snapshot_and_later_changes_equal_a_fresh_snapshot(parley: Parley, people: list[Viewer]) -> None:
    chance, alice = random.Random(), people[0]
    own, about = Topic.account(alice.user_id), ARTICLE.about
    for number in range(4):
        await post_comment(parley, people[number % 2], f"number {number}")
    for _ in range(4):
        await live(parley, people, chance, 8)
        seqs = [await heads(parley, topic) for topic in (own, about)]
        old = [await liked(parley, alice), await commentable(parley)]
        await live(parley, people, chance, 12)
        assert await follow(parley, own, alice, LIKE.name, old[0], seqs[0]) == await liked(parley, alice)
        for viewer in people:
            fresh = await follow(parley, about, viewer, COMMENTABLE.name, old[1], seqs[1])
            assert fresh == await commentable(parley)


async def test_a_deleted_account_leaves_no_like_in_any_tab(parley: Parley, people: list[Viewer]) -> None:
    alice, own = people[0], Topic.account(people[0].user_id)
    for number in range(5):
        await likes.like(parley, alice, (await post_comment(parley, people[1], f"number {number}")).id)
    old, seq = await liked(parley, alice), await heads(parley, own)
    assert len(old) == 5
    await accounts.delete(parley, alice, PASSWORD, "keep")
    assert await follow(parley, own, alice, LIKE.name, old, seq) == {}
