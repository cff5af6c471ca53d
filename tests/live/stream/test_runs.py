"""Runs: clients that are far behind get many changes with one `id:`. A connection may break anywhere in a run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from app.comments.comments import COMMENT, Comment
from app.live import wire
from app.live.cursors import write_cursor
from app.live.read.changes import Change
from app.live.read.runs import Chunk, encode_run
from app.live.service import Parley
from app.live.stream.session import Session
from app.live.viewers import GUEST, Kind, Viewer
from app.live.write.sequences import read_heads
from tests.support.people_without_http import ARTICLE, create_viewer, delete_comment, edit_comment, post_comment
from tests.support.session_reader import open_session, parts_of
from tests.support.sse import Block, Parser

COMMENTS = 8

Rows = dict[str, dict[str, Any]]


@pytest.fixture(autouse=True)
def early_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin runs after the first change, and not after 16 KB."""
    monkeypatch.setattr("app.live.stream.session.FIRST_BATCH_BYTES", 0)


@pytest.fixture
async def people(parley: Parley) -> list[Viewer]:
    """Alice, Bob, and Carol, a moderator."""
    alice, bob, carol = [await create_viewer(parley, name) for name in ("alice", "bob", "carol")]
    return [alice, bob, replace(carol, moderator=True)]


async def write_comments(parley: Parley, people: list[Viewer]) -> list[Comment]:
    """Comments of Alice and Bob, one of them edited and one hidden."""
    written = [await post_comment(parley, people[number % 2], f"number {number}") for number in range(COMMENTS)]
    await edit_comment(parley, people[0], written[2], "again")
    await hide(parley, written[3])
    return written


async def hide(parley: Parley, comment: Comment) -> None:
    async with parley.writing(ARTICLE) as write:
        row = await write.get(Comment, comment.id)
        assert row
        row.hidden_at = datetime.now(UTC)
        write.update(row)


async def cursor_at(parley: Parley, seq: int) -> str:
    async with parley.reading() as reading:
        epoch, _ = await read_heads(reading, [])
    return write_cursor(epoch, {ARTICLE: seq})


async def head_cursor(parley: Parley) -> str:
    async with parley.reading() as reading:
        return write_cursor(*await read_heads(reading, [ARTICLE]))


@asynccontextmanager
async def batches(parley: Parley, viewer: Viewer, cursor: str) -> AsyncIterator[AsyncIterator[bytes]]:
    """The batches of a stream that resumes from a cursor."""

    async def authorise() -> Viewer:
        return viewer

    session = Session(parley.feeds, [ARTICLE], viewer, [cursor], authorise=authorise, **parts_of(parley.feeds))
    async with aclosing(session.stream()) as stream:
        yield stream


async def read_to_head(parley: Parley, viewer: Viewer, cursor: str) -> bytes:
    """The bytes of a stream until it has caught up."""
    end, sent = f"id: {await head_cursor(parley)}".encode(), b""
    async with batches(parley, viewer, cursor) as stream:
        async for batch in stream:
            sent += batch
            if end in sent:
                return sent
    raise AssertionError("the stream ended")


def take(blocks: list[Block], cursor: str, rows: Rows) -> tuple[str, Rows]:
    """(the position, the rows) of a client that had these rows at `cursor` and has received these blocks."""
    rows = dict(rows)
    for block in blocks:
        cursor = block.id or cursor
        if block.event.startswith("global."):
            known = rows.get(block.model["id"])
            if known is None or known["seq"] < block.model["seq"]:
                rows[block.model["id"]] = block.model
    return cursor, rows


async def test_the_changes_of_a_run_have_one_id_and_the_last_one_has_it(parley: Parley, people: list[Viewer]) -> None:
    await write_comments(parley, people)
    sent = await read_to_head(parley, GUEST, await cursor_at(parley, 0))
    _, first, *run = list(Parser().feed(sent))
    assert first.id == await cursor_at(parley, 1), "a client that is cut off in every run advances"
    assert [block.id for block in run] == [None] * (len(run) - 1) + [await head_cursor(parley)]
    assert len(run) == COMMENTS - 1


@pytest.mark.parametrize("who", ["guest", "author", "moderator"])
async def test_a_client_whose_connection_breaks_anywhere_in_a_run_has_the_same_rows_in_the_end(
    parley: Parley, people: list[Viewer], who: str
) -> None:
    """Between the break and the next connection, comments of the run are edited, hidden and deleted."""
    viewer = {"guest": GUEST, "author": people[0], "moderator": people[2]}[who]
    beginning = await cursor_at(parley, 0)
    written = await write_comments(parley, people)
    sent = await read_to_head(parley, viewer, beginning)
    cut = [take(list(Parser().feed(sent[:offset])), beginning, {}) for offset in range(len(sent) + 1)]
    states = {(cursor, tuple(rows)): (cursor, rows) for cursor, rows in cut}
    assert len(states) > COMMENTS, "each change of the run is the last one for a client"
    await edit_comment(parley, people[0], written[0], "edited meanwhile")
    await hide(parley, written[5])
    await delete_comment(parley, people[0], written[4])
    _, fresh = take(list(Parser().feed(await read_to_head(parley, viewer, beginning))), beginning, {})
    for cursor, rows in states.values():
        resumed = await read_to_head(parley, viewer, cursor)
        assert take(list(Parser().feed(resumed)), cursor, rows) == (await head_cursor(parley), fresh)


async def test_sessions_with_the_same_rendering_share_a_run_and_no_others_do(
    parley: Parley, people: list[Viewer], monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, _, carol = people
    dave = await create_viewer(parley, "dave")
    beginning = await cursor_at(parley, 0)
    await write_comments(parley, people)
    runs = count_runs(monkeypatch)
    async with open_session(parley.feeds) as reader:  # keeps the chunk in memory
        await reader.next()
        for _ in range(2):
            for viewer in (GUEST, dave):
                await read_to_head(parley, viewer, beginning)
        assert runs == ["shared"]
        await read_to_head(parley, carol, beginning)
        assert runs == ["shared", "shared"], "a moderator sees the hidden comment"
        hers = list(Parser().feed(await read_to_head(parley, alice, beginning)))
        assert runs == ["shared", "shared", "own"]
    mine = [block.model for block in hers if block.event.startswith("global.")]
    assert sorted(model["username"] for model in mine if model.get("current_user_can_edit")) == ["alice"] * 4


def count_runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The list to which each encoded run is added."""
    runs: list[str] = []
    encode: Callable[..., Any] = Chunk._encode_run

    def counted(chunk: Chunk, after: int, viewer: Viewer, caught_up_at: int) -> Any:
        runs.append("own" if viewer.user_id in chunk._authors else "shared")
        return encode(chunk, after, viewer, caught_up_at)

    monkeypatch.setattr(Chunk, "_encode_run", counted)
    return runs


async def test_a_run_creates_the_objects_that_are_new_to_a_client_and_updates_the_others(
    parley: Parley, people: list[Viewer]
) -> None:
    written = await write_comments(parley, people)
    for comment in (written[0], written[4], written[7]):
        author = people[written.index(comment) % 2]
        await edit_comment(parley, author, comment, "later")
    last = written[-1].created_seq
    async with open_session(parley.feeds) as reader:  # keeps the chunk in memory
        await reader.next()
        for had, seqs in ((2, range(3, last + 1)), (5, range(6, last + 1))):
            sent = await read_to_head(parley, GUEST, await cursor_at(parley, had))
            events = [block for block in Parser().feed(sent) if block.event.startswith("global.comment.")]
            created = {block.model["created_seq"] for block in events if "create" in block.event}
            updated = {block.model["created_seq"] for block in events if "update" in block.event}
            assert created == {*seqs} - {written[3].created_seq}
            assert updated == {written[number].created_seq for number in (0, 2, 4)} - created


async def test_a_run_that_was_read_before_a_comment_was_erased_is_not_sent(
    parley: Parley, people: list[Viewer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comment is deleted after the session got its chunk, and before its turn to send."""
    beginning = await cursor_at(parley, 0)
    written = await write_comments(parley, people)
    pacing = parts_of(parley.feeds)["pacing"]
    turns = 0
    wait_turn = pacing.wait_turn

    async def slow(network: str | None = None) -> None:
        nonlocal turns
        turns += 1
        await wait_turn(network)
        if turns == 3:  # to open, for the first batch, and for the run
            await delete_comment(parley, people[0], written[4])
            await parley.feeds[ARTICLE].refresh()

    monkeypatch.setattr(pacing, "wait_turn", slow)
    async with open_session(parley.feeds, cursors=[beginning]) as reader:
        blocks = [await reader.next() for _ in range(COMMENTS + 1)]
    assert turns >= 3
    shown = [block.model.get("body") for block in blocks if block.event.startswith("global.")]
    assert "number 4" not in shown
    assert "number 5" in shown


def test_a_run_of_changes_that_its_viewer_may_not_see_moves_the_position() -> None:
    hidden = Change(COMMENT, uuid4(), 5, 5, None, dict.fromkeys(Kind, None))
    run = encode_run([hidden], 7, GUEST, 0)
    assert (run.with_id(b"here"), run.reached) == (wire.position(b"here"), 7)
