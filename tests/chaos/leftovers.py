"""Leftovers after all people have disconnected: file descriptors, connections, Redis clients, feeds."""

from __future__ import annotations

import asyncio

import psutil

from app.database import POOL_SIZE
from tests.chaos.world import SWEEP, Worker, World
from tests.support.waiting import wait_until

SETTLE_TIMEOUT_SECONDS = 20.0  # for resources that are closing
SWEEPS = 3  # a feed that is still open would be read in one of them
REDIS_CLIENTS = 2  # of a worker: one subscribes, one publishes
FILES_A_CONNECTION = {"postgresql": 1, "sqlite": 3}  # the file, its log and the log's index
OTHER_FILES = 4  # modules that are read late, the other ends of pipes


async def left_over(world: World, database: str) -> list[str]:
    """The resources that are still open after `SETTLE_TIMEOUT_SECONDS`."""
    found: list[str] = []

    async def settled() -> bool:
        found[:] = await _too_much(world, database)
        return not found

    try:
        await wait_until(settled, "the workers to be idle", SETTLE_TIMEOUT_SECONDS)
    except AssertionError:
        return [f"left over: {what}" for what in found]
    return [] if await _nobody_sweeps(world) else ["left over: a session, which keeps a feed open"]


async def _nobody_sweeps(world: World) -> bool:
    """Whether the workers stop reading heads."""
    looks = await world.witness.looks_at_heads()
    for _ in range(int(SETTLE_TIMEOUT_SECONDS / (SWEEPS * SWEEP))):
        await asyncio.sleep(SWEEPS * SWEEP)
        before, looks = looks, await world.witness.looks_at_heads()
        if looks == before:
            return True
    return False


async def _too_much(world: World, database: str) -> list[str]:
    found = [what for worker in world.workers for what in _of_worker(worker, FILES_A_CONNECTION[database])]
    clients = await world.redis_clients()
    if len(clients) > REDIS_CLIENTS * len(world.workers):
        found.append(f"{len(clients)} Redis clients: {clients}")
    states = await world.witness.connections()
    if len(states) > POOL_SIZE * len(world.workers) or set(states) - {"idle"}:
        found.append(f"{len(states)} connections to PostgreSQL: {states}")
    return found


def _of_worker(worker: Worker, files_a_connection: int) -> list[str]:
    name, found = worker.lives[-1].name, []
    files, at_first = worker.ps.num_fds(), worker.lives[-1].files_at_first
    if files > at_first + POOL_SIZE * files_a_connection + OTHER_FILES:
        found.append(f"{name} has {files} open files, {at_first} at first")
    if people := people_of(worker):
        found.append(f"{name} has {people} connections of people")
    if len(worker.door):
        found.append(f"the door of {name} has {len(worker.door)} connections")
    return found


def people_of(worker: Worker) -> int:
    connections = worker.ps.net_connections("tcp")
    return sum(one.laddr.port == worker.port and one.status != psutil.CONN_LISTEN for one in connections)
