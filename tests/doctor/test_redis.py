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


async def diagnose(settings: Settings, url: str) -> Diagnosis:
    return await collect_findings(redis.examine(settings.model_copy(update={"redis_url": url})))


async def test_a_message_arrives_on_both_channels(settings: Settings, redis_url: str) -> None:
    found = await diagnose(settings, redis_url)
    assert found.is_ok, found
    assert len(found.findings) == 2
    quiet = settings.model_copy(update={"presence": False})
    assert len((await diagnose(quiet, redis_url)).findings) == 1


async def test_a_redis_that_is_dead_or_does_not_respond_is_reported(
    settings: Settings, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis, "TIMEOUT_SECONDS", 0.5)
    redis_server.pause()
    (message,) = (await diagnose(settings, redis_server.url)).problems
    assert "no answer in 0.5 s" in message
    redis_server.kill()
    (message,) = (await diagnose(settings, redis_server.url)).problems
    assert "Error" in message


async def test_missing_permissions_for_a_channel_are_reported(
    settings: Settings, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis, "TIMEOUT_SECONDS", 0.5)
    channel = settings.redis_channel_name
    socket = redis_server.url.removeprefix("unix://")
    with Redis.from_url(redis_server.url) as operator:
        operator.execute_command("ACL", "SETUSER", "parley", "on", ">hunter2", "+@all", f"&{channel}")
    url = f"unix://parley:hunter2@{socket}"
    found = await diagnose(settings, url)
    (message,) = found.problems
    assert f"messages on '{channel}.presence' don't arrive" in message
    assert "permissions" in message
    assert "hunter2" not in str(found)


async def test_a_master_behind_sentinels_is_examined(settings: Settings) -> None:
    async with under_sentinel() as kind:
        found = await diagnose(settings, kind.url)
    assert found.is_ok, found
    assert len(found.findings) == 2
    for secret in (PASSWORD, QUOTED, "guard"):
        assert secret not in str(found)


async def test_the_embedded_redis_is_ok_unless_no_server_is_installed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await diagnose(settings, "embedded://")).is_ok
    monkeypatch.setattr(embedded, "find_server", lambda: None)
    assert (await diagnose(settings, "embedded://")).warnings == ["no server is installed."]
