"""Streams of one login look it up together, and none of them uses an answer that is older than its question."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from app.accounts import logins
from app.accounts.identity import viewer_with_login
from app.live.lanes import MAX_BATCH
from app.live.service import Parley
from app.live.viewers import LoginEnded, Viewer
from tests.support.people_without_http import create_viewer
from tests.support.waiting import cancel_tasks


class Reads:
    """Counts the reads of a process. After `hold`, a read returns only after `release`."""

    def __init__(self, parley: Parley, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.done = asyncio.Event()
        self._free = asyncio.Event()
        self._free.set()
        self._read = parley.database.read
        monkeypatch.setattr(parley.database, "read", self._read_and_count)

    def hold(self) -> None:
        self._free.clear()

    def release(self) -> None:
        self._free.set()

    async def _read_and_count(self, work: Any) -> Any:
        self.count += 1
        found = await self._read(work)
        self.done.set()
        await self._free.wait()
        return found


@pytest.fixture
async def alice(parley: Parley) -> Viewer:
    return await create_viewer(parley, "alice")


@pytest.fixture
def reads(parley: Parley, monkeypatch: pytest.MonkeyPatch, alice: Viewer) -> Reads:
    return Reads(parley, monkeypatch)


def login_of(viewer: Viewer) -> UUID:
    assert viewer.login_id
    return viewer.login_id


async def test_streams_that_check_their_logins_together_share_a_read(
    parley: Parley, alice: Viewer, reads: Reads
) -> None:
    bob = await create_viewer(parley, "bob")
    reads.count = 0
    people = [alice, bob] * MAX_BATCH
    assert await asyncio.gather(*(viewer_with_login(parley, login_of(viewer)) for viewer in people)) == people
    assert reads.count == 2


async def test_a_stream_does_not_use_a_read_that_began_before_the_end_of_its_login(
    parley: Parley, alice: Viewer, reads: Reads
) -> None:
    reads.hold()
    earlier = asyncio.create_task(viewer_with_login(parley, login_of(alice)))
    await reads.done.wait()
    await logins.sign_out(parley, alice)
    later = asyncio.create_task(viewer_with_login(parley, login_of(alice)))
    await asyncio.sleep(0)  # it has asked
    reads.release()
    with pytest.raises(LoginEnded):
        await later
    assert await earlier == alice


async def test_a_stream_that_disconnects_does_not_end_the_lookup_of_the_others(
    parley: Parley, alice: Viewer, reads: Reads
) -> None:
    reads.hold()
    gone, here = (asyncio.create_task(viewer_with_login(parley, login_of(alice))) for _ in range(2))
    await reads.done.wait()
    await cancel_tasks(gone)
    reads.release()
    await asyncio.wait([here])
    assert not here.cancelled()
    assert (await here, reads.count) == (alice, 1)


async def test_a_lookup_that_fails_is_not_used_again(
    parley: Parley, alice: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unavailable(_: object) -> None:
        raise OSError("no database")

    with monkeypatch.context() as patch:
        patch.setattr(parley.database, "read", unavailable)
        with pytest.raises(OSError, match="no database"):
            await viewer_with_login(parley, login_of(alice))
    assert await viewer_with_login(parley, login_of(alice)) == alice
