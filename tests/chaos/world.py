"""The world: a real database, a real Redis and real workers, each behind a proxy that can inject faults.

    people ── door 1 ── worker 1 ──┬── road to PostgreSQL ── PostgreSQL
    people ── door 2 ── worker 2 ──┴── road to Redis ─────── Redis

A door keeps its address when the worker behind it is replaced, like a load balancer. SQLite is a file and has no proxy.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psutil
from redis.asyncio import Redis

from app.database import migrate
from tests.chaos.proxy import Proxy, to_port, to_socket
from tests.chaos.witness import Witness
from tests.support.postgres import PostgresServer
from tests.support.processes import Process, remove
from tests.support.redis import RedisServer
from tests.support.serving import Spawned, spawned

SWEEP = 1.0  # seconds
HEARTBEAT = 1.0  # seconds
GRACE = 10  # seconds for requests when uvicorn ends, as in the container
TERM_LIMIT = 20.0  # seconds from SIGTERM to the end, after which a container is killed

# Backlogs are small, so that slow clients are served from the database.
ENVIRONMENT = {
    "RATE_LIMITS": "off",
    "SWEEP_SECONDS": str(SWEEP),
    "HEARTBEAT_SECONDS": str(HEARTBEAT),
    "RING_FRAMES": "32",
    "RING_BYTES": "32768",
}


@dataclass
class Life:
    """The facts of one worker process, also after its end."""

    name: str
    files_at_first: int = 0
    log: str = ""
    seconds_to_end: float | None = None  # after SIGTERM; None if it was killed
    exit_code: int | None = None


class Worker:
    """A slot for a worker process behind a door. Each process in it has a `Life` of its own."""

    def __init__(self, number: int, environment: Mapping[str, str]) -> None:
        self.number = number
        self.lives: list[Life] = []
        self.door = Proxy(to_port(lambda: self._port), narrow=True)
        self._environment = environment
        self._port: int | None = None
        self._exit = AsyncExitStack()
        self._app: Spawned | None = None

    @property
    def url(self) -> str:
        """The URL of its door."""
        return f"http://127.0.0.1:{self.door.port}"

    @property
    def process(self) -> Process:
        assert self._app
        return self._app.process

    @property
    def ps(self) -> psutil.Process:
        return psutil.Process(self.process.pid)

    @property
    def port(self) -> int | None:
        """The worker's own port, behind its door."""
        return self._port

    async def start(self) -> None:
        arguments = ("--no-access-log", "--timeout-graceful-shutdown", str(GRACE))
        self._app = await self._exit.enter_async_context(spawned(self._environment, *arguments))
        self.lives.append(Life(f"worker {self.number}.{len(self.lives) + 1}", files_at_first=self.ps.num_fds()))
        self._port = int(self._app.url.rpartition(":")[2])

    async def terminate(self) -> None:
        """Send SIGTERM and wait for the end, longer than the limit, to measure the time."""
        began = time.monotonic()
        self.process.resume()
        self.process.signal(signal.SIGTERM)
        await self._ended()
        self.lives[-1].seconds_to_end = time.monotonic() - began

    async def kill(self) -> None:
        self.process.signal(signal.SIGKILL)
        await self._ended()

    async def stop(self) -> None:
        """End the process in any state, at the end of the trial."""
        if self._app is not None:
            self.process.resume()
            self.lives[-1].log = self.process.log
            self._port = None
            await self._exit.aclose()

    async def _ended(self) -> None:
        self._port = None
        try:
            self.lives[-1].exit_code = await asyncio.to_thread(self.process.wait, 2 * TERM_LIMIT)
        except subprocess.TimeoutExpired:
            await asyncio.to_thread(self.process.kill)
        self.lives[-1].log = self.process.log
        await self._exit.aclose()
        self._app = None


@dataclass
class World:
    """All servers and proxies. `world` creates them, and ends them with its block."""

    database_url: str  # without a proxy
    witness: Witness
    redis: RedisServer
    redis_road: Proxy
    postgres: PostgresServer | None = None
    database_road: Proxy | None = None
    workers: list[Worker] = field(default_factory=list)

    @property
    def urls(self) -> list[str]:
        return [worker.url for worker in self.workers]

    @property
    def roads(self) -> list[Proxy]:
        roads = [self.redis_road, *(worker.door for worker in self.workers)]
        return [*roads, self.database_road] if self.database_road else roads

    @property
    def lives(self) -> list[Life]:
        return [life for worker in self.workers for life in worker.lives]

    def postgres_processes(self) -> list[psutil.Process]:
        """The server and its processes for clients."""
        assert self.postgres
        server = psutil.Process(self.postgres._process.pid)
        return [server, *server.children(recursive=True)]

    async def redis_clients(self) -> list[str]:
        """The last command of each Redis client, without the client of this query."""
        async with Redis.from_url(self.redis.url) as redis:
            return [client["cmd"] for client in await redis.client_list() if client["cmd"] != "client|list"]


@asynccontextmanager
async def world(database: str, workers: int) -> AsyncIterator[World]:
    """Start everything, and end it after the block. `database` is postgresql or sqlite."""
    async with AsyncExitStack() as exit:
        made = await _servers(exit, database)
        await asyncio.to_thread(migrate, made.database_url)
        await made.witness.begin()
        environment = {**ENVIRONMENT, "REDIS_URL": f"redis://127.0.0.1:{made.redis_road.port}/0"}
        environment["DATABASE_URL"] = _seen_by_workers(made)
        for number in range(1, workers + 1):
            worker = Worker(number, environment)
            await exit.enter_async_context(worker.door)
            exit.push_async_callback(worker.stop)
            made.workers.append(worker)
        await asyncio.gather(*(worker.start() for worker in made.workers))
        yield made


async def _servers(exit: AsyncExitStack, database: str) -> World:
    redis = await asyncio.to_thread(RedisServer)
    exit.callback(redis.stop)
    redis_road = await exit.enter_async_context(Proxy(to_socket(redis.url.removeprefix("unix://"))))
    if database == "sqlite":
        directory = Path(tempfile.mkdtemp(prefix="parley-chaos-"))
        exit.callback(remove, directory)
        url = f"sqlite+aiosqlite:///{directory / 'parley.db'}"
        return World(url, Witness(url), redis, redis_road)
    postgres = await asyncio.to_thread(PostgresServer)
    exit.callback(postgres.stop)
    url = postgres.url(await asyncio.to_thread(postgres.create))
    place = parse_qs(urlsplit(url).query)["host"][0]
    road = await exit.enter_async_context(Proxy(to_socket(f"{place}/.s.PGSQL.5432")))
    return World(url, Witness(url), redis, redis_road, postgres, road)


def _seen_by_workers(made: World) -> str:
    if made.database_road is None:
        return made.database_url
    name = urlsplit(made.database_url).path
    return f"postgresql+asyncpg://postgres@127.0.0.1:{made.database_road.port}{name}?ssl=disable"
