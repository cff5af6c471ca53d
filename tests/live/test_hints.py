from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.live.gids import Gid
from app.live.hints import BadHint, Hint
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import Viewer
from app.redis.client import client
from tests.support.people_without_http import ARTICLE, create_viewer, post_comment
from tests.support.session_reader import open_session
from tests.support.waiting import wait_until

HINT = Hint(Gid("Comment", "1"), ARTICLE, 57)


@pytest.fixture
async def alice(parley: Parley) -> Viewer:
    return await create_viewer(parley, "alice")


def test_redis_carries_a_hint_as_a_gid_with_topic_and_seq() -> None:
    assert str(HINT) == "gid://parley/Comment/1?topic=Article%2F1&seq=57"
    assert Hint.parse(str(HINT)) == HINT


@pytest.mark.parametrize(
    "text",
    ["", "rubbish", "gid://parley/Comment/1", "gid://parley/Comment/1?topic=x&seq=1",
     "gid://parley/Comment/1?topic=Article%2F1&seq=x", "gid://parley/Comment/1?topic=Article%2F1"],
)  # fmt: skip
def test_a_text_that_is_not_a_hint_is_refused(text: str) -> None:
    with pytest.raises(BadHint):
        Hint.parse(text)


@given(st.text())
def test_any_text_is_a_hint_or_refused(text: str) -> None:
    with suppress(BadHint):
        Hint.parse(text)


async def test_a_message_that_is_not_a_hint_is_logged_and_later_hints_arrive(
    parley: Parley, alice: Viewer, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_session(parley.feeds) as reader:
        await reader.until("heartbeat")
        async with client(parley.settings.redis_url, 5) as redis:
            await redis.publish(parley.settings.redis_channel_name, b"rubbish \xff")
        await wait_until(lambda: "ignored a message on the hints channel" in caplog.text, "the warning")
        await post_comment(parley, alice, "hello")
        assert (await reader.until("create.success")).model["body"] == "hello"


async def test_a_hint_of_a_topic_that_nobody_watches_costs_no_read(parley: Parley) -> None:
    async with open_session(parley.feeds) as reader:
        await reader.until("heartbeat")
        reads = parley.reader.reads
        parley.feeds.hint(Hint(Gid("Comment", "1"), Topic("Page", "nobody"), 9))
        assert not parley.feeds[ARTICLE].dirty
        assert parley.reader.reads == reads
