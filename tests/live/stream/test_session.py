from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from app.accounts import logins
from app.accounts.logins import viewer_of
from app.likes import likes
from app.live import wire
from app.live.cursors import write_cursor
from app.live.read.feeds import Feeds
from app.live.read.reader import News
from app.live.read.runs import Chunk
from app.live.service import Parley
from app.live.stream.batch import BATCH_BYTES
from app.live.stream.session import Session, State
from app.live.topics import Topic
from app.live.viewers import GUEST, LoginEnded, Viewer
from app.live.write.sequences import renew_epoch
from tests.support.people_without_http import ARTICLE, create_viewer, delete_comment, edit_comment, post_comment
from tests.support.session_reader import open_session, parts_of
from tests.support.sse import Parser
from tests.support.waiting import cancel_tasks, wait_until

PAGE = Topic("Page", "about")


@pytest.fixture
async def alice(parley: Parley) -> Viewer:
    return await create_viewer(parley, "alice")


async def read_epoch(parley: Parley) -> str:
    async with parley.reading() as session:
        epoch: str = (await session.execute(text("SELECT value FROM epochs"))).scalar_one()
    return epoch


async def test_a_stream_begins_with_a_heartbeat_that_has_its_position(parley: Parley, alice: Viewer) -> None:
    await post_comment(parley, alice, "hello")
    async with open_session(parley.feeds) as reader:
        first = await reader.next()
    assert first.event == "heartbeat"
    assert first.id == first.json()["cursor"] == write_cursor(await read_epoch(parley), {ARTICLE: 1})
    assert first.retry


async def test_heartbeats_continue_while_nothing_changes(parley: Parley) -> None:
    async with open_session(parley.feeds, heartbeat=0.02) as reader:
        assert [(await reader.next()).event for _ in range(4)] == ["heartbeat"] * 4


async def test_a_heartbeat_shows_that_a_client_missed_changes(parley: Parley, alice: Viewer) -> None:
    async with open_session(parley.feeds, PAGE) as reader:
        beginning = (await reader.next()).id or ""
    await post_comment(parley, alice, "hello", PAGE)
    async with open_session(parley.feeds, PAGE, cursors=[beginning]) as reader:
        first = await reader.next()
        assert first.id == beginning
        assert first.json()["cursor"] == (await reader.until("create.success")).id


async def test_missed_changes_of_a_comment_arrive_as_one_change(parley: Parley, alice: Viewer) -> None:
    first = await post_comment(parley, alice, "first")
    async with open_session(parley.feeds) as reader:
        beginning = (await reader.next()).id or ""
    second, third = await post_comment(parley, alice, "second"), await post_comment(parley, alice, "third")
    await edit_comment(parley, alice, second, "second thoughts")
    await edit_comment(parley, alice, first, "first things first")
    await delete_comment(parley, alice, third)
    async with open_session(parley.feeds, cursors=[beginning]) as reader:
        await reader.next()
        blocks = [await reader.next() for _ in range(3)]
    assert [(block.event, block.model.get("body")) for block in blocks] == [
        ("global.comment.create.success", "second thoughts"),
        ("global.comment.update.success", "first things first"),
        ("global.comment.destroy.success", None),
    ]


async def test_a_client_that_may_lack_the_text_gets_it_with_the_likes(parley: Parley, alice: Viewer) -> None:
    """Its stream broke after the second comment, and had not sent the first one, which somebody had liked since."""
    first, _ = await post_comment(parley, alice, "first"), await post_comment(parley, alice, "second")
    await likes.like(parley, alice, first.id)
    cursor = write_cursor(await read_epoch(parley), {ARTICLE: 2})
    async with open_session(parley.feeds, cursors=[cursor]) as reader:
        assert (await reader.until("update.success")).model["body"] == "first"
        await post_comment(parley, alice, "third")
        await reader.until("create.success")
        await likes.unlike(parley, alice, first.id)
        assert (await reader.until("update.success")).model.keys() == {
            "id", "commentable_type", "commentable_id", "seq", "created_seq", "likes_count",
        }  # fmt: skip


async def test_each_viewer_gets_their_own_rendering(parley: Parley, alice: Viewer) -> None:
    async with open_session(parley.feeds, viewer=alice) as hers, open_session(parley.feeds) as guests:
        await hers.next()
        await guests.next()
        await post_comment(parley, alice, "hello")
        assert (await hers.until("create.success")).model["current_user_can_edit"] is True
        assert (await guests.until("create.success")).model["current_user_can_edit"] is False


async def test_two_topics_share_a_stream_and_a_cursor(parley: Parley, alice: Viewer) -> None:
    async with open_session(parley.feeds, ARTICLE, PAGE) as reader:
        await reader.next()
        await post_comment(parley, alice, "here")
        await reader.until("create.success")
        await post_comment(parley, alice, "there", PAGE)
        await reader.until("create.success")
    assert reader.position == write_cursor(await read_epoch(parley), {ARTICLE: 1, PAGE: 1})


async def test_a_stream_resumes_at_the_smallest_of_several_cursors(parley: Parley, alice: Viewer) -> None:
    epoch = await read_epoch(parley)
    for number in range(4):
        await post_comment(parley, alice, f"number {number}")
    cursors = [write_cursor(epoch, {ARTICLE: 3}), write_cursor(epoch, {ARTICLE: 2, PAGE: 0})]
    async with open_session(parley.feeds, cursors=cursors) as reader:
        assert (await reader.until("create.success")).model["body"] == "number 2"


@pytest.mark.parametrize(
    ("cursor", "reason"), [("rubbish", "malformed"), ("", "malformed"), ("{other}", "epoch"), ("{ahead}", "ahead")]
)
async def test_a_cursor_that_a_stream_cannot_resume_from_is_a_reset(
    parley: Parley, alice: Viewer, cursor: str, reason: str
) -> None:
    await post_comment(parley, alice, "hello")
    epoch = await read_epoch(parley)
    cursor = cursor.format(other=write_cursor("other", {ARTICLE: 1}), ahead=write_cursor(epoch, {ARTICLE: 2}))
    async with open_session(parley.feeds, cursors=[cursor]) as reader:
        first, reset = await reader.next(), await reader.next()
        assert (first.event, reset.event) == ("heartbeat", "reset")
        assert reset.json() == {"topics": ["Article/1"], "reason": reason}
        assert reset.id == first.json()["cursor"]
        await post_comment(parley, alice, "hello again")
        assert (await reader.until("create.success")).model["body"] == "hello again"


async def test_a_reset_of_one_topic_skips_no_change_of_another(parley: Parley, alice: Viewer) -> None:
    await post_comment(parley, alice, "hello")
    cursor = write_cursor(await read_epoch(parley), {ARTICLE: 0, PAGE: 9})
    async with open_session(parley.feeds, ARTICLE, PAGE, cursors=[cursor]) as reader:
        assert (await reader.until("reset")).json()["topics"] == ["Page/about"]
        assert (await reader.until("create.success")).model["body"] == "hello"


async def test_a_reset_that_did_not_arrive_is_sent_again(parley: Parley) -> None:
    async with open_session(parley.feeds, cursors=["rubbish"]) as reader:
        torn_after = (await reader.next()).id or ""
    async with open_session(parley.feeds, cursors=[torn_after]) as reader:
        assert (await reader.until("reset")).json()["reason"] == "malformed"


async def test_a_cursor_of_a_process_that_knows_more_is_no_reset(parley: Parley, alice: Viewer) -> None:
    """The cursor is not ahead of the database; only this process has not received the hint yet."""
    parley.feeds.hint = lambda text: None  # type: ignore[method-assign]
    async with open_session(parley.feeds) as slow:
        await slow.next()
        await post_comment(parley, alice, "hello")
        assert parley.feeds[ARTICLE].head == 0
        async with open_session(parley.feeds, cursors=[write_cursor(await read_epoch(parley), {ARTICLE: 1})]) as reader:
            assert (await reader.next()).event == "heartbeat"
            await post_comment(parley, alice, "hello again")
            parley.feeds.resync()
            assert (await reader.next()).model["body"] == "hello again"


async def test_a_change_that_nobody_may_see_moves_the_cursor(parley: Parley, alice: Viewer) -> None:
    account = Topic.account(alice.user_id)
    async with open_session(parley.feeds, account, viewer=alice) as reader:
        before = (await reader.next()).id
        await logins.sign_in(parley, "alice@example.com", "talk among friends", remember=False)
        block = await reader.next()
    assert (block.data, block.event) == (None, "message")
    assert block.id == write_cursor(await read_epoch(parley), {account: 3}) != before


async def test_the_end_of_a_login_ends_its_streams_and_no_others(parley: Parley, alice: Viewer) -> None:
    account = Topic.account(alice.user_id)
    signed_in = await logins.sign_in(parley, "alice@example.com", "talk among friends", remember=False)
    assert signed_in
    phone = replace(alice, login_id=signed_in[1].id)

    async def authorise(viewer: Viewer) -> Viewer:
        assert viewer.login_id
        async with parley.reading() as session:
            return (await viewer_of(session, viewer.login_id))[0]

    async with (
        open_session(parley.feeds, ARTICLE, account, viewer=alice, authorise=lambda: authorise(alice)) as desk,
        open_session(parley.feeds, ARTICLE, account, viewer=phone, authorise=lambda: authorise(phone)) as pocket,
    ):
        await desk.next()
        await pocket.next()
        await logins.sign_out(parley, phone)
        (told,) = [block for block in await pocket.rest() if block.event == "auth"]
        assert told.json() == {"reason": "signed_out"}
        await post_comment(parley, alice, "still here")
        assert (await desk.until("create.success")).model["body"] == "still here"


async def test_a_login_that_ends_before_the_stream_begins_gets_nothing(parley: Parley, alice: Viewer) -> None:
    async def ended() -> Viewer:
        raise LoginEnded("expired")

    account = Topic.account(alice.user_id)
    async with open_session(parley.feeds, ARTICLE, account, viewer=alice, cursors=[], authorise=ended) as reader:
        heartbeat, told = (await reader.rest())[:2]
        assert (heartbeat.event, told.event, told.json()) == ("heartbeat", "auth", {"reason": "expired"})


async def test_a_login_that_ends_while_it_is_checked_is_checked_again(parley: Parley, alice: Viewer) -> None:
    account = Topic.account(alice.user_id)
    checks: list[str] = []

    async def authorise() -> Viewer:
        checks.append("checked")
        if len(checks) > 1:
            raise LoginEnded("signed_out")
        await logins.sign_in(parley, "alice@example.com", "talk among friends", remember=False)
        await parley.feeds[account].refresh()  # the account's topic has changed since the check began
        return alice

    async with open_session(parley.feeds, ARTICLE, account, viewer=alice, authorise=authorise) as reader:
        assert (await reader.until("auth")).json() == {"reason": "signed_out"}


async def test_changes_that_were_read_while_a_login_ended_are_not_sent(
    parley: Parley, alice: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = Topic.account(alice.user_id)
    for number in range(6):
        await post_comment(parley, alice, f"number {number}")
    read, ended = parley.reader.chunk, False

    async def slow(*args: Any, **options: Any) -> Chunk | None:
        nonlocal ended
        chunk = await read(*args, **options)
        await logins.sign_in(parley, "alice@example.com", "talk among friends", remember=False)
        await parley.feeds[account].refresh()
        ended = True
        return chunk

    async def authorise() -> Viewer:
        if ended:
            raise LoginEnded("signed_out")
        return alice

    monkeypatch.setattr(parley.reader, "chunk", slow)
    beginning = write_cursor(await read_epoch(parley), {ARTICLE: 0})
    async with open_session(
        parley.feeds, ARTICLE, account, viewer=alice, cursors=[beginning], authorise=authorise
    ) as reader:
        events = [block.event for block in await reader.rest() if block.data]
    assert events == ["heartbeat", "auth"]


async def test_a_new_role_is_a_reset(parley: Parley, alice: Viewer) -> None:
    now = [alice]

    async def authorise() -> Viewer:
        return now[0]

    account = Topic.account(alice.user_id)
    async with open_session(parley.feeds, ARTICLE, account, viewer=alice, authorise=authorise) as reader:
        await reader.next()
        now[0] = replace(alice, moderator=True)
        await logins.sign_in(parley, "alice@example.com", "talk among friends", remember=False)
        assert (await reader.until("reset")).json()["reason"] == "viewer"


async def test_long_polling_ends_after_the_first_batch(parley: Parley, alice: Viewer) -> None:
    async with open_session(parley.feeds, once=True) as reader:
        beginning = (await reader.next()).id or ""
        await post_comment(parley, alice, "hello")
        events = [block.event for block in await reader.rest()]
        assert events[0] == "global.comment.create.success"
        assert "heartbeat" not in events
    async with open_session(parley.feeds, once=True, cursors=[beginning]) as reader:
        assert len([block for block in await reader.rest() if block.event.endswith("create.success")]) == 1
    async with open_session(parley.feeds, once=True, heartbeat=0.02) as reader:
        assert [block.event for block in await reader.rest()][:2] == ["heartbeat", "heartbeat"]


async def test_a_client_that_does_not_read_holds_one_batch_at_most(parley: Parley, alice: Viewer) -> None:
    async with open_session(parley.feeds) as slow:
        await slow.next()
        for number in range(30):
            await post_comment(parley, alice, f"{number} " + "x" * 9_000)
        chunk = await anext(slow._stream)
        assert len(chunk) < BATCH_BYTES + 11_000
        slow._waiting += slow._parser.feed(chunk)
        bodies = [(await slow.until("create.success")).model["body"].split()[0] for _ in range(30)]
        assert bodies == [str(number) for number in range(30)]


async def test_a_session_that_ends_sends_a_retry_time(parley: Parley) -> None:
    async with open_session(parley.feeds) as reader:
        await reader.next()
        asyncio.get_running_loop().call_soon(reader.session.end)
        (last,) = await reader.rest()
    assert last.retry


async def test_a_session_that_is_ended_while_it_checks_its_login_ends(parley: Parley, alice: Viewer) -> None:
    async def authorise() -> Viewer:
        reader.session.end()
        return alice

    account = Topic.account(alice.user_id)
    async with open_session(parley.feeds, account, viewer=alice, authorise=authorise) as reader:
        assert (await reader.rest())[-1].retry


async def test_a_cancelled_stream_leaves_nothing_behind(parley: Parley) -> None:
    async with open_session(parley.feeds) as reader:
        await reader.next()
        waiting = asyncio.create_task(reader.next())
        await wait_until(lambda: reader.session.state is State.LIVE, "the session to wait")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert len(parley.feeds) == 0


async def test_a_session_may_be_woken_while_it_is_cancelled(parley: Parley) -> None:
    async with open_session(parley.feeds) as reader:
        await reader.next()
        waiting = asyncio.create_task(reader.next())
        await wait_until(lambda: reader.session.state is State.LIVE, "the session to wait")
        waiting.cancel()  # cancels its future; the session does not know it yet
        reader.session.wake()
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_a_stream_ends_with_a_retry_time_if_the_database_is_away(
    parley: Parley, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(parley.reader, "heads", away)
    async with open_session(parley.feeds, viewer=GUEST) as reader:
        (last,) = await reader.rest()
    assert last.retry
    assert last.retry >= 3_000


async def test_a_session_without_a_certain_epoch_does_not_loop(parley: Parley, monkeypatch: pytest.MonkeyPatch) -> None:
    """One feed knows of a new epoch, and the other one cannot read it, because the database is away."""
    reads = []

    async def away(*_: object, **__: object) -> None:
        reads.append(1)
        await asyncio.sleep(0)
        raise ConnectionError

    await wait_until(lambda: parley.hints.flowing, "Redis, whose subscription makes the feeds read")
    async with open_session(parley.feeds, ARTICLE, PAGE) as reader:
        await reader.next()
        monkeypatch.setattr(parley.reader, "news", away)
        parley.feeds[ARTICLE]._apply(News("another", 0, None))
        assert (await reader.next()).retry
    assert len(reads) < 5


async def test_a_cursor_causes_no_reset_while_the_database_is_away(
    parley: Parley, alice: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise ConnectionError

    parley.feeds.hint = lambda text: None  # type: ignore[method-assign]
    async with open_session(parley.feeds) as slow:
        await slow.next()
        await post_comment(parley, alice, "hello")
        monkeypatch.setattr(parley.reader, "news", away)
        async with open_session(parley.feeds, cursors=[write_cursor(await read_epoch(parley), {ARTICLE: 1})]) as reader:
            assert [block.event for block in await reader.rest()] == ["message"], (
                "a the end of the stream, and no reset"
            )


async def test_a_new_epoch_that_another_process_learned_first_is_no_reset(parley: Parley, alice: Viewer) -> None:
    await post_comment(parley, alice, "hello")
    async with open_session(parley.feeds) as slow:
        await slow.next()
        async with parley.database.transaction() as session, session.begin():
            new = await renew_epoch(session, await read_epoch(parley), "brandnew")
        async with open_session(parley.feeds, cursors=[write_cursor(new, {ARTICLE: 1})], heartbeat=0.02) as reader:
            assert [(await reader.next()).event for _ in range(2)] == ["heartbeat"] * 2


async def test_a_busy_topic_does_not_delay_other_topics(parley: Parley, alice: Viewer) -> None:
    async with open_session(parley.feeds, ARTICLE, PAGE) as reader:
        cursor = (await reader.next()).id or ""
    await post_comment(parley, alice, "for the page", PAGE)
    bodies: list[str] = []
    for number in range(40):
        await post_comment(parley, alice, f"busy {number}")
        async with open_session(parley.feeds, ARTICLE, PAGE, once=True, cursors=[cursor]) as poll:
            blocks = await poll.rest()
            cursor = poll.position or cursor
            bodies += [block.model["body"] for block in blocks if block.event.endswith("create.success")]
    assert "for the page" in bodies


async def test_a_long_poll_that_begins_with_a_reset_ends_with_it(parley: Parley) -> None:
    async with open_session(parley.feeds, once=True, cursors=["rubbish"]) as poll:
        assert [block.event for block in await poll.rest()][:2] == ["heartbeat", "reset"]


@pytest.mark.parametrize("more", [0, 6], ids=["the backlog has the deletion", "the backlog has only later changes"])
async def test_a_comment_that_is_erased_while_it_is_read_is_not_sent(
    parley: Parley, alice: Viewer, monkeypatch: pytest.MonkeyPatch, more: int
) -> None:
    secret = await post_comment(parley, alice, "a secret")
    read, was_read, go_on = parley.reader.chunk, asyncio.Event(), asyncio.Event()

    async def slow(*args: Any, **options: Any) -> Chunk | None:
        chunk = await read(*args, **options)
        was_read.set()
        await go_on.wait()
        return chunk

    monkeypatch.setattr(parley.reader, "chunk", slow)
    monkeypatch.setattr(parley.feeds, "_bounds", (2, 10_000))
    beginning = write_cursor(await read_epoch(parley), {ARTICLE: 0})
    async with open_session(parley.feeds) as other, open_session(parley.feeds, cursors=[beginning]) as reader:
        await other.next()
        await reader.next()
        waiting = asyncio.create_task(reader.next())
        await was_read.wait()
        await delete_comment(parley, alice, secret)
        for number in range(more):
            await post_comment(parley, alice, f"number {number}")
        await parley.feeds[ARTICLE].refresh()
        go_on.set()
        blocks = [await waiting] + [await reader.next() for _ in range(more)]
    assert not [block for block in blocks if "a secret" in (block.data or "")]


async def test_hints_reach_topics_with_the_longest_names(parley: Parley, alice: Viewer) -> None:
    topic = Topic("Article", "😀" * 200)
    async with open_session(parley.feeds, topic) as reader:
        await reader.next()
        await post_comment(parley, alice, "hello", topic)
        assert (await reader.until("create.success")).model["body"] == "hello"


class Outlet:
    """An outlet that sends each block at once, or keeps it if `sends` is False."""

    def __init__(self) -> None:
        self.free = True
        self.sends = True
        self.blocks: list[bytes] = []

    def put(self, block: bytes) -> bool:
        assert self.free
        self.blocks.append(block)
        self.free = self.sends
        return self.free


@asynccontextmanager
async def open_waiting_session(
    feeds: Feeds, **options: Any
) -> AsyncIterator[tuple[Outlet, list[bytes], asyncio.Task[None]]]:
    """Open a guest's session and wait until it waits: (outlet, blocks of the generator, task that reads them)."""

    async def authorise() -> Viewer:
        return GUEST

    outlet, given = Outlet(), list[bytes]()
    session = Session(feeds, [ARTICLE, PAGE], GUEST, authorise=authorise, **parts_of(feeds), **options)

    async def read() -> None:
        async for block in session.stream(outlet):
            outlet.free = True
            given.append(block)

    reader = asyncio.create_task(read())
    try:
        await wait_until(lambda: session.state is State.LIVE, "the session to wait")
        given.clear()
        yield outlet, given, reader
    finally:
        await cancel_tasks(reader)


async def test_a_waker_writes_new_changes_straight_to_a_waiting_session(parley: Parley, alice: Viewer) -> None:
    async with open_waiting_session(parley.feeds) as (outlet, given, _):
        for body in ("one", "two"):
            await post_comment(parley, alice, body)
            await wait_until(lambda body=body: body.encode() in b"".join(outlet.blocks), "the comment")
    assert len(outlet.blocks) == 2
    assert not given


async def test_heartbeats_are_written_straight_to_a_waiting_session(parley: Parley) -> None:
    async with open_waiting_session(parley.feeds, heartbeat=0.02) as (outlet, given, _):
        await wait_until(lambda: len(outlet.blocks) > 2, "three heartbeats")
    assert all(b"event: heartbeat" in block for block in outlet.blocks)
    assert not given


async def test_a_generator_waits_for_its_outlet_and_loses_nothing(parley: Parley, alice: Viewer) -> None:
    async with open_waiting_session(parley.feeds) as (outlet, given, _):
        outlet.sends = False
        for number in range(6):
            await post_comment(parley, alice, f"number {number}", ARTICLE if number % 2 else PAGE)
        await wait_until(lambda: b"number 5" in b"".join(outlet.blocks + given), "the last comment")
        await wait_until(lambda: b"" in given, "the generator to yield an empty block")
    blocks = Parser().feed(b"".join(outlet.blocks + given))
    assert sorted(block.model["body"] for block in blocks) == [f"number {number}" for number in range(6)]


async def test_an_error_in_a_block_ends_the_stream_and_moves_no_cursor(
    parley: Parley, alice: Viewer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> bytes:
        raise ZeroDivisionError

    async with open_waiting_session(parley.feeds) as (outlet, given, reader):
        monkeypatch.setattr(wire, "change", fail)
        await post_comment(parley, alice, "hello")
        await wait_until(reader.done, "the stream to end")
    assert not outlet.blocks
    assert given[-1].startswith(b"retry:")
    assert "ZeroDivisionError" in caplog.text


async def test_guests_with_equal_positions_get_the_same_bytes(parley: Parley, alice: Viewer) -> None:
    """A guest of other topics gets an `id:` of its own, and a member a rendering of her own."""
    async with AsyncExitStack() as stack:
        opened = [(GUEST, [ARTICLE]), (GUEST, [ARTICLE, PAGE]), (GUEST, [ARTICLE]), (alice, [ARTICLE])]
        outlets = [
            await stack.enter_async_context(open_live(parley.feeds, viewer, topics)) for viewer, topics in opened
        ]
        comment = await post_comment(parley, alice, "hello")
        await wait_until(lambda: all(outlet.blocks for outlet in outlets), "the comment")
    one, both, other, hers = [outlet.blocks[0] for outlet in outlets]
    assert one is other
    ids = [next(iter(Parser().feed(sent))).id for sent in (one, both)]
    epoch = await read_epoch(parley)
    assert ids == [write_cursor(epoch, {ARTICLE: comment.seq}), write_cursor(epoch, {ARTICLE: comment.seq, PAGE: 0})]
    assert [b'"current_user_can_edit":true' in sent for sent in (one, hers)] == [False, True]


async def test_a_guest_that_may_lack_the_text_shares_no_bytes_with_one_that_has_it(
    parley: Parley, alice: Viewer
) -> None:
    """Both are at the same seq. Only the stream of the second began before the comment, and so has sent it."""
    comment = await post_comment(parley, alice, "first")
    await post_comment(parley, alice, "second")
    cursor = write_cursor(await read_epoch(parley), {ARTICLE: 2})
    async with (
        open_live(parley.feeds, GUEST, [ARTICLE]) as level,
        open_live(parley.feeds, GUEST, [ARTICLE], [cursor]) as resumed,
    ):
        await likes.like(parley, alice, comment.id)
        await wait_until(lambda: level.blocks and resumed.blocks, "the like")
    assert [b'"body"' in outlet.blocks[0] for outlet in (level, resumed)] == [False, True]


async def test_a_guest_who_resumes_gets_no_bytes_from_before_a_comment_was_erased(
    parley: Parley, alice: Viewer
) -> None:
    beginning = write_cursor(await read_epoch(parley), {ARTICLE: 0})
    async with (
        open_live(parley.feeds, GUEST, [ARTICLE]),
        open_live(parley.feeds, GUEST, [ARTICLE], [beginning]) as resumed,
    ):
        comment = await post_comment(parley, alice, "a secret")
        await wait_until(lambda: b"a secret" in b"".join(resumed.blocks), "the comment")
        await delete_comment(parley, alice, comment)
        await wait_until(lambda: b"destroy.success" in b"".join(resumed.blocks), "its deletion")
        async with open_session(parley.feeds, cursors=[beginning]) as later:
            await later.until("destroy.success")
            assert not [block for block in later.blocks if "a secret" in (block.data or "")]


@asynccontextmanager
async def open_live(
    feeds: Feeds, viewer: Viewer, topics: list[Topic], cursors: Sequence[str] = ()
) -> AsyncIterator[Outlet]:
    """The outlet of a session that waits."""

    async def authorise() -> Viewer:
        return viewer

    async def read() -> None:
        async for _ in session.stream(outlet):
            pass

    outlet = Outlet()
    session = Session(feeds, topics, viewer, cursors, authorise=authorise, **parts_of(feeds))
    reading = asyncio.create_task(read())
    try:
        await wait_until(lambda: session.state is State.LIVE, "the session to wait")
        yield outlet
    finally:
        await cancel_tasks(reading)
