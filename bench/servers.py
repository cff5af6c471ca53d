"""The contestants: real servers that take a body for a topic and send it to all streams of that topic.

Each one is a separate process group with its own database and its own Redis, if it needs them. The bench uses it only
over HTTP. The modules `literal` and `floor` describe two of them. nchan is a module of nginx in C, and takes part if it
is installed.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.browser import request_headers
from bench.measure import family
from bench.poster import Poster
from tests.support.postgres import PostgresServer
from tests.support.processes import Process, remove
from tests.support.redis import RedisServer
from tests.support.serving import ROOT, free_port
from tests.support.waiting import wait_until

START_TIMEOUT_SECONDS = 40.0
MAX_FILES = 19_000  # open files of nginx
NCHAN = ("/usr/lib/nginx/modules/ngx_nchan_module.so", "/usr/lib64/nginx/modules/ngx_nchan_module.so")

DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}  # the kinds of `data`, and their names

# One address opens 10,000 streams. The other servers send no heartbeats.
ENVIRONMENT = {
    "RATE_LIMITS": "off",
    "MAX_STREAMS": "100000",
    "HEARTBEAT_SECONDS": "300",
}

BODY = "Where it runs smooth it runs deep, and other things the water tells you for nothing. " * 2


@dataclass(frozen=True)
class Account:
    """A signed-in person. `cookies`: the value of the `Cookie` header."""

    id: str
    name: str
    cookies: str

    def headers(self, port: int) -> dict[str, str]:
        """The headers of this person's browser, with those of Parley's script."""
        return {**request_headers(port), "Cookie": self.cookies, "Parley-User": self.id}


@dataclass
class Server:
    """A running contestant. `path`: the path of a stream of `{topic}`. `ready`: text in the first data of a stream."""

    name: str
    port: int
    path: str
    ready: str
    process: Process
    publish: Callable[[int], Awaitable[object]]
    redis: RedisServer | None = None
    account: Account | None = None  # that publishes

    def pids(self) -> list[int]:
        """The ids of its processes, including its Redis but not its PostgreSQL."""
        return [*family(self.process.pid), *([self.redis._process.pid] if self.redis else [])]


def checkouts(before: Path | None) -> dict[str, Path]:
    """The checkouts to compare by name: this one, after the older one if there is one."""
    return {**({"before": before} if before else {}), "here": ROOT}


def python_of(checkout: Path) -> str:
    """The Python of a checkout, with the packages of its own environment if it has one."""
    own = checkout / ".venv/bin/python"
    return str(own) if own.exists() else sys.executable


@asynccontextmanager
async def started(
    command: list[str], port: int, environment: Mapping[str, str] | None = None, checkout: Path = ROOT
) -> AsyncIterator[Process]:
    """A server process that listens on its port. It ends with the block."""
    directory = Path(tempfile.mkdtemp(prefix="parley-bench-"))
    own = {"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1", **(environment or {})}
    process = Process(
        command, checkout, directory / "log", stop_signal=signal.SIGTERM, trash=[directory], environment=own
    )
    try:
        await wait_until(lambda: _listens(port, process), f"{command[0]} on port {port}", START_TIMEOUT_SECONDS)
        yield process
    except BaseException as error:
        error.add_note(process.log[-2_000:])
        raise
    finally:
        await asyncio.to_thread(process.end)
        remove(directory)


def _listens(port: int, process: Process) -> bool:
    assert process.alive, process.log
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _uvicorn(app: str, port: int, *arguments: str, python: str = sys.executable) -> list[str]:
    quiet = ["--no-access-log", "--log-level", "warning", "--backlog", "4096", "--timeout-graceful-shutdown", "1"]
    quiet += ["--timeout-keep-alive", "3600"]  # for posters, which may pause between requests
    return [python, "-m", "uvicorn", app, "--port", str(port), *quiet, *arguments]


@asynccontextmanager
async def data(kind: str = "sqlite", checkout: Path = ROOT) -> AsyncIterator[str]:
    """The URL of a fresh database of this kind, one of DATABASES, migrated by this checkout."""
    if kind == "sqlite":
        directory = Path(tempfile.mkdtemp(prefix="parley-bench-"))
        url = f"sqlite+aiosqlite:///{directory / 'parley.db'}"
        try:
            await _migrate(url, checkout)
            yield url
        finally:
            remove(directory)
        return
    server = await asyncio.to_thread(PostgresServer)
    try:
        url = server.url(await asyncio.to_thread(server.create))
        await _migrate(url, checkout)
        yield url
    finally:
        await asyncio.to_thread(server.stop)


async def _migrate(url: str, checkout: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        python_of(checkout), "-m", "app", "migrate", cwd=checkout, env={"DATABASE_URL": url}, stdout=DEVNULL
    )
    assert await process.wait() == 0, f"{checkout} could not migrate {url}"


@asynccontextmanager
async def redis() -> AsyncIterator[RedisServer]:
    server = await asyncio.to_thread(RedisServer)
    try:
        yield server
    finally:
        await asyncio.to_thread(server.stop)


@asynccontextmanager
async def parley(
    database_url: str | None = None,
    *,
    app: str = "app.main:app",
    workers: int = 1,
    environment: Mapping[str, str] | None = None,
    checkout: Path = ROOT,
    name: str = "parley",
) -> AsyncIterator[Server]:
    """The app of a checkout under uvicorn, and a signed-in person who publishes comments."""
    async with AsyncExitStack() as stack:
        if database_url is None:
            database_url = await stack.enter_async_context(data(checkout=checkout))
        broker = await stack.enter_async_context(redis())
        port = free_port()
        own = {**ENVIRONMENT, "DATABASE_URL": database_url, "REDIS_URL": broker.url, **(environment or {})}
        more = ["--workers", str(workers)] if workers > 1 else []
        command = _uvicorn(app, port, *more, python=python_of(checkout))
        process = await stack.enter_async_context(started(command, port, own, checkout))
        account = await sign_up(port, f"Writer{port}")  # a name of its own, because the database may be shared
        poster = await stack.enter_async_context(Poster(port, account.headers(port)))

        async def publish(topic: int) -> None:
            await poster.post("/api/comments/", comment(topic))

        path = "/streams?topic=Article/{topic}"
        yield Server(name, port, path, "event: heartbeat", process, publish, broker, account)


_numbers = itertools.count()


def comment(topic: object, addition: str = "", parent_id: str | None = None) -> bytes:
    """The body of a POST of a comment. Its text is a new one, so that no cache of texts helps."""
    form = {"body": f"{next(_numbers):08}: {BODY}{addition}", "commentable_type": "Article"}
    return json.dumps({**form, "commentable_id": str(topic), "parent_id": parent_id}).encode()


async def sign_up(port: int, name: str) -> Account:
    form = {"email": f"{name.lower()}@example.com", "username": name, "password": "talk among friends"}
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=30) as client:
        answer = await client.post(f"http://127.0.0.1:{port}/api/users", json=form)
        assert answer.status_code == 201, answer.text
        cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        return Account(answer.json()["id"], name, cookies)


@asynccontextmanager
async def literal() -> AsyncIterator[Server]:
    async with data() as url, redis() as broker:
        port = free_port()
        environment = {**ENVIRONMENT, "DATABASE_URL": url, "REDIS_URL": broker.url}
        async with started(_uvicorn("bench.literal:app", port), port, environment) as process, Poster(port) as poster:

            async def publish(topic: int) -> None:
                await poster.post("/api/comments/", comment(topic))

            yield Server("literal", port, "/streams?topic=Article/{topic}", ": hi", process, publish, broker)


@asynccontextmanager
async def floor(block: str) -> AsyncIterator[Server]:
    """`block`: the bytes that it sends, as Parley would."""
    port = free_port()
    async with started(_uvicorn("bench.floor:app", port), port) as process, Poster(port) as poster:

        async def publish(topic: int) -> None:
            await poster.post(f"/?topic={topic}", block.encode())

        yield Server("floor", port, "/?topic={topic}", ": hi", process, publish)


CONFIGURATION = """
{load}
worker_processes 1;
worker_rlimit_nofile {files};
daemon off;
{user}
pid {directory}/pid;
error_log {directory}/error.log error;
events {{ worker_connections {files}; use epoll; multi_accept on; }}
http {{
  access_log off;
  keepalive_requests 1000000;
  keepalive_timeout 3600;
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
  nchan_shared_memory_size 256M;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location = /publish {{ nchan_publisher; nchan_channel_id $arg_topic; nchan_message_buffer_length 256; }}
    location = /streams {{
      nchan_subscriber eventsource; nchan_channel_id $arg_topic; nchan_subscriber_first_message newest;
      nchan_eventsource_ping_interval 0;
    }}
  }}
}}
"""


def nchan_module() -> str | None:
    return next((place for place in NCHAN if Path(place).exists()), None) if shutil.which("nginx") else None


@asynccontextmanager
async def nchan(block: str) -> AsyncIterator[Server]:
    """nginx with nchan and one worker. It sends `block` with its own id, padded to the same size."""
    event, text = _parts(block)
    port = free_port()
    directory = Path(tempfile.mkdtemp(prefix="parley-nginx-"))
    configuration = directory / "nginx.conf"
    configuration.write_text(
        CONFIGURATION.format(
            load=f"load_module {nchan_module()};",
            files=MAX_FILES,
            user="user root;" if os.geteuid() == 0 else "",
            directory=directory,
            port=port,
        )
    )
    command = [shutil.which("nginx") or "nginx", "-p", str(directory), "-c", str(configuration)]
    try:
        async with started(command, port) as process, Poster(port, {"X-EventSource-Event": event}) as poster:

            async def publish(topic: int) -> None:
                await poster.post(f"/publish?topic={topic}", text.encode())

            yield Server("nchan", port, "/streams?topic={topic}", ": hi", process, publish)
    finally:
        remove(directory)


def _parts(block: str) -> tuple[str, str]:
    """(event, data) of a block. The data is padded, because nchan's `id:` is shorter."""
    lines = dict(line.split(": ", 1) for line in block.strip().splitlines())
    id = "1234567890:0"
    return lines["event"], lines["data"] + " " * max(0, len(lines["id"].encode()) - len(id))
