"""Clocks that are set back or differ: counters decide the order, and a few seconds sign nobody out."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Self

import pytest

from app.comments import comments
from tests.support.people import me, snapshot, write
from tests.support.sse import open_stream

if TYPE_CHECKING:
    import httpx

CREATED = "create.success"


pytestmark = pytest.mark.sqlite_only


class AnHourAgo(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return super().now(tz) - timedelta(hours=1)


async def test_a_clock_that_is_set_back_changes_no_order(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_stream(bob, "Article/1") as stream:
        await stream.next()
        await write(alice, "one")
        with monkeypatch.context() as earlier:
            earlier.setattr(comments, "datetime", AnHourAgo)
            await write(alice, "two")
        await write(alice, "three")
        for body in ("one", "two", "three"):
            assert (await stream.until(CREATED)).model["body"] == body
    assert [comment["body"] for comment in (await snapshot(bob))["comments"]] == ["one", "two", "three"]


async def test_a_cookie_from_a_machine_whose_clock_is_ahead_is_valid_here(
    bob: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from itsdangerous import TimestampSigner

    now = TimestampSigner("any").get_timestamp()
    with monkeypatch.context() as there:
        there.setattr(TimestampSigner, "get_timestamp", lambda self: now + 5)
        await bob.post("/api/session", json={"email": "bob@example.com", "password": "talk among friends"})
    assert await me(bob)
