"""The nemesis: a table of named faults. Each is injected when its block begins, and removed when it ends.

A fault chooses its worker or its door with a random generator of its own, so that the seed decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from redis.asyncio import Redis

from tests.chaos.proxy import Proxy, Weather
from tests.chaos.world import Worker, World

Cause = Callable[[World, Random], AbstractAsyncContextManager[None]]


class Family(StrEnum):
    REDIS = "Redis"
    POSTGRES = "PostgreSQL"
    WORKER = "worker"
    NETWORK = "network"


@dataclass(frozen=True)
class Fault:
    name: str
    family: Family
    lasts: tuple[float, float]  # seconds, from the injection to the removal
    cause: Cause


FAULTS: list[Fault] = []


def fault(name: str, family: Family, least: float = 1.0, most: float = 6.0) -> Callable[[Cause], Cause]:
    """Add the decorated function to the table."""

    def enter(cause: Cause) -> Cause:
        FAULTS.append(Fault(name, family, (least, most), cause))
        return cause

    return enter


def faults_for(database: str) -> list[Fault]:
    """The faults of this kind of database. SQLite has no server and no connections to it."""
    return [fault for fault in FAULTS if database == "postgresql" or fault.family != Family.POSTGRES]


# -- Redis --------------------------------------------------------------------------------------------------


@fault("Redis is killed, and comes back empty", Family.REDIS)
@asynccontextmanager
async def redis_killed(world: World, dice: Random) -> AsyncIterator[None]:
    await asyncio.to_thread(world.redis.kill)
    yield
    await asyncio.to_thread(world.redis.restart)


@fault("Redis is paused", Family.REDIS, 1, 8)
@asynccontextmanager
async def redis_paused(world: World, dice: Random) -> AsyncIterator[None]:
    world.redis.pause()
    yield
    world.redis.resume()


@fault("Redis's connections are cut", Family.REDIS, 0, 2)
@asynccontextmanager
async def redis_cut(world: World, dice: Random) -> AsyncIterator[None]:
    world.redis_road.weather = Weather(refusing=True)
    world.redis_road.cut()
    yield
    world.redis_road.mend()


@fault("Redis is slow", Family.REDIS)
@asynccontextmanager
async def redis_slow(world: World, dice: Random) -> AsyncIterator[None]:
    with weather(world.redis_road, Weather(delay=dice.uniform(0.2, 2.0))):
        yield


@fault("Redis is in a black hole", Family.REDIS, 1, 8)
@asynccontextmanager
async def redis_unreachable(world: World, dice: Random) -> AsyncIterator[None]:
    with black_hole(world.redis_road):
        yield


@fault("Redis's connections are half open", Family.REDIS, 1, 8)
@asynccontextmanager
async def redis_half_open(world: World, dice: Random) -> AsyncIterator[None]:
    world.redis_road.half_open()
    yield
    world.redis_road.mend()


@fault("Redis throws its subscribers out", Family.REDIS, 0, 1)
@asynccontextmanager
async def redis_throws_out(world: World, dice: Random) -> AsyncIterator[None]:
    """Redis drops its subscribers, as it does when the limit of an output buffer is exceeded."""
    async with Redis.from_url(world.redis.url) as redis:
        await redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    yield


# -- PostgreSQL ---------------------------------------------------------------------------------------------


@fault("PostgreSQL crashes, and is started again", Family.POSTGRES, 0, 5)
@asynccontextmanager
async def postgres_crashed(world: World, dice: Random) -> AsyncIterator[None]:
    assert world.postgres
    await asyncio.to_thread(world.postgres.kill)
    yield
    await asyncio.to_thread(world.postgres.restart)


@fault("PostgreSQL ends all connections", Family.POSTGRES, 0, 1)
@asynccontextmanager
async def postgres_terminates(world: World, dice: Random) -> AsyncIterator[None]:
    await world.witness.terminate_connections()
    yield


@fault("PostgreSQL is paused", Family.POSTGRES, 1, 8)
@asynccontextmanager
async def postgres_paused(world: World, dice: Random) -> AsyncIterator[None]:
    processes = world.postgres_processes()
    for process in processes:
        process.suspend()
    yield
    for process in processes:
        process.resume()


@fault("PostgreSQL is slow", Family.POSTGRES)
@asynccontextmanager
async def postgres_slow(world: World, dice: Random) -> AsyncIterator[None]:
    with weather(_database_road(world), Weather(delay=dice.uniform(0.02, 0.3))):
        yield


@fault("PostgreSQL's connections are cut", Family.POSTGRES, 0, 2)
@asynccontextmanager
async def postgres_cut(world: World, dice: Random) -> AsyncIterator[None]:
    road = _database_road(world)
    road.weather = Weather(refusing=True)
    road.cut()
    yield
    road.mend()


@fault("PostgreSQL's connections are cut in the middle of commits", Family.POSTGRES, 2, 6)
@asynccontextmanager
async def postgres_cut_in_commits(world: World, dice: Random) -> AsyncIterator[None]:
    """Cut connections before PostgreSQL reads the COMMIT, or after it, so that only the response is lost."""
    with weather(_database_road(world), Weather(trap=b"COMMIT")):
        yield


@fault("PostgreSQL's connections are half open", Family.POSTGRES, 1, 6)
@asynccontextmanager
async def postgres_half_open(world: World, dice: Random) -> AsyncIterator[None]:
    road = _database_road(world)
    road.half_open()
    yield
    road.mend()


# -- workers ------------------------------------------------------------------------------------------------


@fault("a worker gets SIGTERM, and is replaced", Family.WORKER, 0, 3)
@asynccontextmanager
async def worker_terminated(world: World, dice: Random) -> AsyncIterator[None]:
    worker = dice.choice(world.workers)
    await worker.terminate()
    yield
    await worker.start()


@fault("a worker gets SIGKILL, and is replaced", Family.WORKER, 0, 3)
@asynccontextmanager
async def worker_killed(world: World, dice: Random) -> AsyncIterator[None]:
    worker = dice.choice(world.workers)
    await worker.kill()
    yield
    await worker.start()


@fault("a worker is stopped for two seconds", Family.WORKER, 2, 2)
@asynccontextmanager
async def worker_stopped(world: World, dice: Random) -> AsyncIterator[None]:
    """Suspend a worker, which looks like a blocked event loop."""
    process = dice.choice(world.workers).process
    process.pause()
    yield
    process.resume()


@fault("all workers are replaced, one after the other", Family.WORKER, 0, 1)
@asynccontextmanager
async def workers_replaced(world: World, dice: Random) -> AsyncIterator[None]:
    for worker in world.workers:
        await worker.terminate()
        await worker.start()
    yield


# -- network ------------------------------------------------------------------------------------------------


@fault("people's connections are cut", Family.NETWORK, 0, 2)
@asynccontextmanager
async def people_cut(world: World, dice: Random) -> AsyncIterator[None]:
    with cut_off(_door(world, dice), Weather(refusing=True)):
        yield


@fault("people's connections are half open", Family.NETWORK, 2, 6)
@asynccontextmanager
async def people_half_open(world: World, dice: Random) -> AsyncIterator[None]:
    door = _door(world, dice)
    door.half_open()
    yield
    door.mend()


@fault("people are in a black hole", Family.NETWORK, 1, 8)
@asynccontextmanager
async def people_unreachable(world: World, dice: Random) -> AsyncIterator[None]:
    with black_hole(_door(world, dice)):
        yield


@fault("people get one byte at a time", Family.NETWORK, 2, 5)
@asynccontextmanager
async def people_dribble(world: World, dice: Random) -> AsyncIterator[None]:
    with weather(_door(world, dice), Weather(dribble=True)):
        yield


@fault("people are far away", Family.NETWORK, 2, 6)
@asynccontextmanager
async def people_far_away(world: World, dice: Random) -> AsyncIterator[None]:
    with weather(_door(world, dice), Weather(delay=dice.uniform(0.1, 0.8))):
        yield


@fault("a proxy in between buffers", Family.NETWORK, 3, 8)
@asynccontextmanager
async def people_buffered(world: World, dice: Random) -> AsyncIterator[None]:
    with weather(_door(world, dice), Weather(buffering=True)):
        yield


@fault("the gateway answers 502", Family.NETWORK, 2, 6)
@asynccontextmanager
async def people_get_502(world: World, dice: Random) -> AsyncIterator[None]:
    with cut_off(_door(world, dice), Weather(gateway=True)):
        yield


# -- how --------------------------------------------------------------------------------------------------


@contextmanager
def weather(road: Proxy, weather: Weather) -> Iterator[None]:
    road.weather = weather
    yield
    road.mend()


@contextmanager
def cut_off(road: Proxy, how: Weather) -> Iterator[None]:
    """Cut all connections, and apply this weather to new ones."""
    with weather(road, how):
        road.cut()
        yield


@contextmanager
def black_hole(road: Proxy) -> Iterator[None]:
    road.stop()
    yield
    road.mend()


def _door(world: World, dice: Random) -> Proxy:
    worker: Worker = dice.choice(world.workers)
    return worker.door


def _database_road(world: World) -> Proxy:
    assert world.database_road
    return world.database_road
