"""The servers survive being paused and killed by tests, and end with the test process, however it ends."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import asyncpg
import psutil
import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from tests.support.postgres import PostgresServer
from tests.support.redis import RedisServer
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]


async def answers(server: RedisServer) -> bool:
    async with Redis.from_url(server.url, socket_timeout=0.2, retry=None) as redis:
        try:
            return bool(await redis.ping())
        except RedisError:
            return False


async def test_redis_can_be_paused_killed_and_restarted(redis_server: RedisServer) -> None:
    assert await answers(redis_server)
    redis_server.pause()
    assert not await answers(redis_server)
    redis_server.resume()
    assert await answers(redis_server)
    redis_server.kill()
    assert not await answers(redis_server)
    redis_server.restart()
    assert await answers(redis_server)


async def test_every_test_has_a_database_of_its_own(postgres_server: PostgresServer) -> None:
    first = postgres_server.create()
    second = postgres_server.create(first)
    try:
        connection = await asyncpg.connect(postgres_server.url(first).replace("+asyncpg", ""))
        await connection.execute("CREATE TABLE alices (id int)")
        await connection.close()
        connection = await asyncpg.connect(postgres_server.url(second).replace("+asyncpg", ""))
        assert await connection.fetchval("SELECT to_regclass('alices')") is None
        await connection.close()
    finally:
        postgres_server.drop(second)
        postgres_server.drop(first)


@pytest.mark.parametrize("kind", [RedisServer, PostgresServer])
async def test_killed_tests_leave_no_server_behind(kind: Callable[[], RedisServer | PostgresServer]) -> None:
    script = f"""
import time
from {kind.__module__} import {kind.__name__} as Server
server = Server()
print(server._process.pid, server._directory, flush=True)
time.sleep(60)
"""
    tests = await asyncio.create_subprocess_exec(sys.executable, "-c", script, cwd=ROOT, stdout=subprocess.PIPE)
    assert tests.stdout
    pid, directory = (await tests.stdout.readline()).split()
    server = psutil.Process(int(pid))
    tests.kill()
    await tests.communicate()
    await wait_until(lambda: not server.is_running(), "the server to end")
    await wait_until(lambda: not Path(directory.decode()).exists(), "the server's directory to be removed")
