from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from redis import Redis

from app.doctor import redis
from app.redis import embedded
from tests.doctor.diagnosis import Diagnosis, collect_findings
from tests.support.redis import PASSWORD, QUOTED, under_sentinel

if TYPE_CHECKING:
    from app.settings import Settings
    from tests.support.redis import RedisServer


pytestmark = pytest.mark.sqlite_only


async def examined(settings: Settings, url: str) -> Diagnosis:
    return await collect_findings(redis.examine(settings.model_copy(update={"redis_url": url})))


async def test_a_message_arrives_on_both_channels(settings: Settings, redis_url: str) -> None:
    found = await examined(settings, redis_url)
    assert found.well, found
    assert len(found.findings) == 2
    quiet = settings.model_copy(update={"presence": False})
    assert len((await examined(quiet, redis_url)).findings) == 1


async def test_a_dead_one_and_one_that_says_nothing(
    settings: Settings, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis, "TIMEOUT_SECONDS", 0.5)
    redis_server.pause()
    (said,) = (await examined(settings, redis_server.url)).wrong
    assert "no answer in 0.5 s" in said
    redis_server.kill()
    (said,) = (await examined(settings, redis_server.url)).wrong
    assert "Error" in said


async def test_who_may_not_speak_on_a_channel(
    settings: Settings, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis, "TIMEOUT_SECONDS", 0.5)
    channel = settings.redis_channel_name
    socket = redis_server.url.removeprefix("unix://")
    with Redis.from_url(redis_server.url) as operator:
        operator.execute_command("ACL", "SETUSER", "parley", "on", ">hunter2", "+@all", f"&{channel}")
    url = f"unix://parley:hunter2@{socket}"
    found = await examined(settings, url)
    (said,) = found.wrong
    assert f"messages on '{channel}.presence' don't arrive" in said
    assert "permissions" in said
    assert "hunter2" not in str(found)


async def test_the_master_that_sentinels_name(settings: Settings) -> None:
    async with under_sentinel() as kind:
        found = await examined(settings, kind.url)
    assert found.well, found
    assert len(found.findings) == 2
    for secret in (PASSWORD, QUOTED, "guard"):
        assert secret not in str(found)


async def test_an_embedded_one_and_none(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await examined(settings, "embedded://")).well
    monkeypatch.setattr(embedded, "find_server", lambda: None)
    assert (await examined(settings, "embedded://")).warnings == ["no server is installed."]
