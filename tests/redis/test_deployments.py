"""Deployments of Redis: each keeps the same promises. `tests/live/test_pubsub.py` tests what they share."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from uuid import uuid4

import pytest
from limits import parse

from app.errors import TooMany
from app.http import rate_limits
from app.http.rate_limits import Limit, Limits
from app.live.service import Parley
from app.models import LIVE_MODELS
from app.settings import Settings
from tests.support.people_without_http import create_viewer, post_comment
from tests.support.redis import Kind, in_a_cluster, over_tls, under_sentinel, with_a_password
from tests.support.session_reader import open_session
from tests.support.waiting import wait_until

KINDS = [with_a_password, over_tls, under_sentinel, in_a_cluster]
FAILOVER_TIMEOUT_SECONDS = 40  # a failover takes two seconds, and longer on a busy machine
FEW = Limit("few", parse("100 per hour"), parse("4 per hour"))


pytestmark = pytest.mark.sqlite_only


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
async def test_hints_and_counts_work_after_a_failover_and_nothing_is_lost(
    kind: Callable[[], AbstractAsyncContextManager[Kind]], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limits, "REDIS_PAUSE_SECONDS", 0.1)
    async with kind() as redis:
        # While hints flow, no sweep finds a change whose hint was lost.
        own = settings.model_copy(
            update={"redis_url": Settings(_env_file=None, redis_url=redis.url).redis_url, "sweep_seconds": 60}
        )
        async with (
            Parley(own, LIVE_MODELS) as here,
            Parley(own, LIVE_MODELS) as there,
            Limits(here) as one,
            Limits(there) as two,
        ):
            alice = await create_viewer(here, "alice")
            await flow(here, there)
            async with open_session(there.feeds) as reader:
                await reader.until("heartbeat")
                await post_comment(here, alice, "before")
                assert (await reader.until("create.success")).model["body"] == "before"
                await wait_until(lambda: count_together(one, two), "one count for both")

                await redis.fall(own.redis_channel_name)
                await post_comment(here, alice, "meanwhile")
                assert (await reader.until("create.success")).model["body"] == "meanwhile"

                await flow(here, there)
                await post_comment(here, alice, "after")
                assert (await reader.until("create.success")).model["body"] == "after"
                if kind is not in_a_cluster:  # without replicas, no node counts instead of a dead one
                    await wait_until(lambda: count_together(one, two), "one count for both again")


async def flow(*parleys: Parley) -> None:
    for parley in parleys:
        await wait_until(lambda parley=parley: parley.hints.flowing, "hints to flow", FAILOVER_TIMEOUT_SECONDS)


async def count_together(one: Limits, two: Limits) -> bool:
    """Whether four from both are all that there may be for somebody who has not asked yet."""
    somebody = uuid4().hex
    for limit in (one, two, one, two):
        await limit.take_for(FEW, somebody)
    try:
        await one.take_for(FEW, somebody)
    except TooMany:
        return True
    return False
