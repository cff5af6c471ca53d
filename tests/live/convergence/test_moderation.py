"""The law for acts of moderators: an old snapshot and later changes equal a fresh snapshot, for every viewer."""

from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import Any

import pytest

from app.accounts import roles
from app.accounts.user import Role
from app.comments import comments, threads
from app.comments.comments import Comment
from app.errors import Invalid, Missing
from app.live.read.changes import encode
from app.live.read.pages import read_page
from app.live.service import Parley
from app.live.topics import QUEUE, Topic
from app.live.viewers import GUEST, Kind, Viewer
from app.moderation import moderation
from app.moderation.audit_log import DECISION, Decision
from app.moderation.reports import REPORT, Reason, Report
from tests.live.convergence.replicas import plain_row
from tests.support.moderators import create_moderator, reload_viewer, set_role
from tests.support.people_without_http import ARTICLE, create_viewer, delete_comment, edit_comment, post_comment
from tests.support.session_reader import Reader, open_session

Rows = dict[str, dict[str, Any]]


pytestmark = pytest.mark.sqlite_only  # other tests cover the live engine on both databases


class Conversation:
    """Random acts of members and a moderator."""

    ACTS = ("write", "write", "edit", "delete", "report", "report", "hide", "restore", "dismiss", "erase")

    def __init__(self, parley: Parley, members: list[Viewer], carol: Viewer, seed: int) -> None:
        self.parley = parley
        self.members = members
        self.carol = carol
        self.chance = Random(seed)
        self.written: list[Comment] = []

    async def run(self, steps: int) -> None:
        for _ in range(steps):
            act = self.chance.choice(self.ACTS) if self.written else "write"
            with suppress(Missing, Invalid):  # the comment is deleted or hidden, or belongs to the same person
                await self._do(act)

    async def _do(self, act: str) -> None:
        if act == "write":
            self.written.append(
                await post_comment(self.parley, self.chance.choice(self.members), f"number {len(self.written)}")
            )
            return
        comment = self.chance.choice(self.written)
        author = next(member for member in self.members if member.user_id == comment.user_id)
        if act == "edit":
            await edit_comment(self.parley, author, comment, f"again {self.chance.random()}")
        elif act == "delete":
            await delete_comment(self.parley, author, comment)
        elif act == "report":
            reporter = self.chance.choice([*self.members, self.carol])
            await moderation.report(self.parley, reporter, comment.id, self.chance.choice(list(Reason)))
        else:
            await getattr(moderation, act)(self.parley, self.carol, comment.id)


async def load_queue(parley: Parley) -> tuple[str, Rows]:
    async with parley.reading() as look:
        reports = await read_page(look, Report, QUEUE, limit=100)
        decisions = await read_page(look, Decision, QUEUE, limit=100)
    shown = [(REPORT, row) for row in reports.rows] + [(DECISION, row) for row in decisions.rows]
    return reports.cursor, {str(row.id): plain_row(live.render_for(row, Kind.MODERATOR)) for live, row in shown}


async def load_thread(parley: Parley, viewer: Viewer) -> tuple[str, Rows]:
    async with parley.reading() as look:
        page = await threads.page(look, viewer, ARTICLE, limit=100)
    rows = {str(row.id): plain_row(threads.render(row, viewer)) for row in page.comments}
    return page.cursor, rows


async def follow(reader: Reader, rows: Rows, cursor: str) -> Rows:
    """Apply the stream's changes to these rows until the reader has reached the cursor."""
    while reader.position != cursor:
        block = await reader.next()
        if not block.event.startswith("global."):
            continue
        if block.event.split(".")[2] == "destroy":
            said = block.model.keys() - {"id", "commentable_type", "commentable_id", "seq", "created_seq"}
            assert said == set() or block.model["removed_by"] == "moderator"
            rows.pop(block.model["id"], None)
        elif block.model["seq"] > rows.get(block.model["id"], {"seq": 0})["seq"]:
            rows[block.model["id"]] = block.model
    return rows


@pytest.mark.parametrize("seed", range(3))
async def test_the_queue_and_the_thread_converge_for_everybody(parley: Parley, seed: int) -> None:
    alice, bob = [await create_viewer(parley, name) for name in ("alice", "bob")]
    people = [alice, bob, await create_moderator(parley, "carol", Role.OWNER)]
    talk = Conversation(parley, people[:2], people[2], seed)
    await talk.run(16)
    before = [(viewer, *await load_thread(parley, viewer)) for viewer in (GUEST, *people)]
    cursor, rows = await load_queue(parley)
    await talk.run(40)

    now, fresh = await load_queue(parley)
    async with open_session(parley.feeds, QUEUE, viewer=people[2], cursors=[cursor]) as reader:
        assert await follow(reader, rows, now) == fresh
    for viewer, cursor, rows in before:
        now, fresh = await load_thread(parley, viewer)
        async with open_session(parley.feeds, ARTICLE, viewer=viewer, cursors=[cursor]) as reader:
            assert await follow(reader, rows, now) == fresh, viewer.username


async def test_only_the_author_and_moderators_get_frames_of_a_hidden_comment(parley: Parley) -> None:
    alice, carol = await create_viewer(parley, "alice"), await create_moderator(parley, "carol")
    comment = await post_comment(parley, alice, "Almonds")
    for kind in Kind:
        assert _frame(comment, kind).shows
    hidden = await moderation.hide(parley, carol, comment.id)
    for kind in Kind:
        frame = _frame(hidden, kind)
        assert frame.shows == (kind is not Kind.PUBLIC)
        assert (b"Almonds" in frame.data) == frame.shows


async def test_only_moderators_get_frames_of_the_queue(parley: Parley) -> None:
    alice, bob = [await create_viewer(parley, name) for name in ("alice", "bob")]
    carol = await create_moderator(parley, "carol")
    comment = await post_comment(parley, alice, "Almonds")
    await moderation.report(parley, bob, comment.id, Reason.SPAM, "almonds!")
    await roles.block(parley, carol, alice.user_id, "almonds again")  # type: ignore[arg-type]
    async with parley.reading() as look:
        report, decision = [(await read_page(look, model, QUEUE)).rows[0] for model in (Report, Decision)]
    for live, row in ((REPORT, report), (DECISION, decision)):
        change = encode(live, row)
        for kind in Kind:
            frame = change.frame(kind)
            assert frame
            assert frame.shows == (kind is Kind.MODERATOR)
            assert (b"almonds" in frame.data) == frame.shows
            assert (str(ARTICLE).encode() in frame.data) == (frame.shows and live is REPORT)


@pytest.mark.parametrize("to", [Role.MEMBER, Role.OWNER])
async def test_a_moderators_stream_is_reset_when_they_lose_the_role(parley: Parley, to: Role) -> None:
    alice, carol = await create_viewer(parley, "alice"), await create_moderator(parley, "carol")
    account = Topic.account(carol.user_id)
    comment = await post_comment(parley, alice, "Almonds")
    topics = (ARTICLE, QUEUE, account)
    async with open_session(
        parley.feeds, *topics, viewer=carol, authorise=lambda: reload_viewer(parley, carol)
    ) as reader:
        await reader.until("heartbeat")
        await moderation.hide(parley, carol, comment.id)
        assert {(await reader.until("success")).event.split(".")[1] for _ in range(2)} == {"comment", "decision"}
        await set_role(parley, carol, to)
        if to is Role.OWNER:
            assert (await reader.until("success")).model["role"] == "owner"
            return
        reset = await reader.until("reset")
        assert reset.json() == {"topics": [str(topic) for topic in topics], "reason": "viewer"}
        assert not [block for block in await reader.rest() if block.data is not None]


def _frame(comment: Comment, kind: Kind) -> Any:
    return encode(comments.COMMENT, comment).frame(kind)
