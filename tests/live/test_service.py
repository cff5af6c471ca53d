from __future__ import annotations

import asyncio
import os
import sys

import pytest

from app.accounts.user import User
from app.live.gids import Gid
from app.live.service import Parley
from app.live.topics import Topic
from app.models import LIVE_MODELS
from app.settings import ROOT, Settings
from tests.support.people_without_http import ARTICLE, create_viewer, post_comment
from tests.support.redis import RedisServer
from tests.support.session_reader import open_session
from tests.support.waiting import wait_until

SCRIPT = """
import asyncio, sys
from app.live.gids import Gid
from app.live.service import Parley
from app.models import LIVE_MODELS
from app.settings import Settings

async def main():
    async with Parley(Settings.load(), LIVE_MODELS, listening=False) as parley:
        await parley.touch(Gid.parse(sys.argv[1]))

asyncio.run(main())
"""


async def test_people_get_a_change_that_a_script_in_another_process_made(parley: Parley, settings: Settings) -> None:
    alice = await create_viewer(parley, "alice")
    comment = await post_comment(parley, alice, "hello")
    await wait_until(lambda: parley.hints.flowing, "Redis")
    async with open_session(parley.feeds) as reader:
        await reader.until("heartbeat")
        environment = {
            "DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url,
            "REDIS_CHANNEL_NAME": settings.redis_channel_name, "PATH": os.environ["PATH"],
        }  # fmt: skip
        script = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SCRIPT, f"gid://parley/Comment/{comment.id}", cwd=ROOT, env=environment
        )
        update = await reader.until("update.success")
        assert (update.model["body"], update.model["seq"]) == ("hello", 2)
        assert await script.wait() == 0


async def test_without_redis_changes_arrive_by_sweep(settings: Settings, redis_server: RedisServer) -> None:
    settings = settings.model_copy(update={"redis_url": redis_server.url, "sweep_seconds": 300})
    async with Parley(settings, LIVE_MODELS) as here, Parley(settings, LIVE_MODELS) as there:
        alice = await create_viewer(here, "alice")
        await wait_until(lambda: here.hints.flowing and there.hints.flowing, "Redis")
        async with open_session(there.feeds) as reader:
            await reader.until("heartbeat")
            await post_comment(here, alice, "by hint")
            await reader.until("create.success")
            redis_server.kill()
            await wait_until(lambda: not there.hints.flowing, "the break to be noticed")
            await post_comment(
                here, alice, "by sweep"
            )  # Redis stays down, so a writer that waits for it would wait for ever
            assert (await reader.until("create.success")).model["body"] == "by sweep"


async def test_touching_an_object_that_does_not_exist_is_an_error(parley: Parley) -> None:
    with pytest.raises(LookupError):
        await parley.touch(Gid("Comment", "0b7f5e0e-6f0c-4c4a-9d51-2f6d8f6f1c11"))


async def test_a_change_of_an_account_reaches_the_streams_of_its_owner(parley: Parley) -> None:
    alice = await create_viewer(parley, "alice")
    assert alice.user_id
    account = Topic.account(alice.user_id)
    async with open_session(parley.feeds, account, viewer=alice) as hers, open_session(parley.feeds, ARTICLE) as theirs:
        await hers.until("heartbeat")
        await theirs.until("heartbeat")
        async with parley.writing(account) as write:
            user = await write.get(User, alice.user_id)
            assert user
            user.username = "Alice Liddell"
            write.update(user)
        assert (await hers.until("user.update.success")).model["username"] == "Alice Liddell"
