"""Growth: how the server's CPU time for one operation grows with the amount of data, and the exponent of that growth.

1. `comments`: a page, a POST and a catch-up of 100 changes, in topics of 10, 1,000 and 100,000 comments.
2. `behind`: one stream that is 10 to 10,000 changes behind.
3. `topics`: idle streams of more and more topics, which shows the cost of sweeps.
4. `workers`: comments per second in many topics, and the CPU time of each, with 1, 2 and 4 watched processes.

The fan-out scenario measures the growth with sessions. An exponent of 1 is linear, 0 is no growth, and above 1 is a
defect.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import httpx

from app.live.topics import Topic
from bench import servers
from bench.crowds import crowd
from bench.filling import fill
from bench.measure import cpu, median
from bench.poster import Poster
from bench.servers import Server
from bench.storm import cursor_at

COMMENTS = (10, 1_000, 100_000)
CATCH_UP = 100  # changes, or all if there are fewer
REPEATS = 20
BEHIND = (10, 100, 1_000, 10_000)
TOPICS = (20, 200, 2_000)
IDLE_SESSIONS = 2_000
IDLE_SECONDS = 6.0
WORKERS = (1, 2, 4)
POSTERS = 16
POSTED_TOPICS = 200
POSTING_SECONDS = 4.0  # of a turn


async def run(rounds: int, log: Any = print) -> dict[str, Any]:
    found: dict[str, Any] = {"rounds": rounds, "comments": {}, "behind": {}}
    for kind in servers.DATABASES:
        async with servers.data(kind) as url:
            for size in COMMENTS:
                await fill(url, [Topic("Article", str(size))], size)
            async with servers.parley(url, app="bench.counted:app") as server:
                found["comments"][kind] = await against_comments(server, url, rounds)
                found["behind"][kind] = await against_changes(server, url, rounds)
        log(f"growth: {kind}: {found['comments'][kind]} {found['behind'][kind]}")
    found["topics"] = await against_topics()
    log(f"growth: topics: {found['topics']}")
    found["workers"] = await against_workers(rounds)
    log(f"growth: workers: {found['workers']}")
    return found


async def _cost(server: Server, act: Callable[[], Awaitable[object]], times: int) -> float:
    """The server's CPU time for one call of `act`, in milliseconds."""
    await act()
    pids = server.pids()
    used = cpu(pids)
    for _ in range(times):
        await act()
    return (cpu(pids) - used) / times * 1e3


async def against_comments(server: Server, url: str, rounds: int) -> dict[str, dict[str, float]]:
    """CPU time by operation and by the number of comments."""
    costs: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{server.port}", trust_env=False, verify=False, timeout=60
    ) as client:
        for _, size in itertools.product(range(rounds), COMMENTS):
            topic = Topic("Article", str(size))
            page = f"/api/comments/?commentable_type=Article&commentable_id={size}"
            costs["page"][size].append(await _cost(server, partial(_get, client, page), REPEATS))
            costs["post"][size].append(await _cost(server, partial(server.publish, size), REPEATS))
            cursor = await cursor_at(url, topic, max(0, (await _head(client, page)) - CATCH_UP))
            stream = f"/streams?topic={topic}&cursor={cursor}&once=1"
            costs["catch_up"][size].append(await _cost(server, partial(_get, client, stream), REPEATS // 2))
    return {what: {str(size): median(all) for size, all in by_size.items()} for what, by_size in costs.items()}


async def _get(client: httpx.AsyncClient, path: str) -> httpx.Response:
    response = await client.get(path)
    assert response.status_code == 200, response.text
    return response


async def _head(client: httpx.AsyncClient, page: str) -> int:
    head: int = (await _get(client, page)).json()["commentable"]["seq"]
    return head


async def against_changes(server: Server, url: str, rounds: int) -> dict[str, float]:
    """CPU time until one stream of a long topic has caught up, by the number of changes that it is behind."""
    costs: dict[int, list[float]] = defaultdict(list)
    topic = Topic("Article", str(COMMENTS[-1]))
    page = f"/api/comments/?commentable_type=Article&commentable_id={topic.id}"
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{server.port}", trust_env=False, verify=False, timeout=60
    ) as client:
        head = await _head(client, page)
    for _, behind in itertools.product(range(rounds), BEHIND):
        path = f"/streams?topic={topic}&cursor={await cursor_at(url, topic, head - behind)}"
        async with crowd() as one:
            pids = server.pids()
            used = cpu(pids)
            opened = await one.open_at(server, 1, [path])
            await one.watch(behind - opened["frames"], 60)
            assert (await one.seen())["frames"] + opened["frames"] == behind
            costs[behind].append((cpu(pids) - used) * 1e3)
    return {str(behind): median(all) for behind, all in costs.items()}


async def against_topics() -> dict[str, float]:
    """CPU time (ms) per second of an idle process with one sweep a second, by the number of watched topics."""
    async with AsyncExitStack() as stack:
        pids = []
        for place, topics in enumerate(TOPICS):
            environment = {"SWEEP_SECONDS": "1"}
            server = await stack.enter_async_context(servers.parley(environment=environment))
            await (await stack.enter_async_context(crowd())).open(server, IDLE_SESSIONS, topics, address=20 * place)
            pids.append(server.pids())
        await asyncio.sleep(IDLE_SECONDS / 2)
        used = [cpu(each) for each in pids]
        began = time.monotonic()
        await asyncio.sleep(IDLE_SECONDS)
        took = time.monotonic() - began
        costs = [(cpu(each) - before) / took * 1e3 for each, before in zip(pids, used, strict=True)]
    return {str(topics): cost for topics, cost in zip(TOPICS, costs, strict=True)}


async def against_workers(rounds: int) -> dict[str, dict[str, float]]:
    """Comments per second and CPU time (ms) per comment, by the number of workers. Each worker has streams."""
    rates: dict[int, list[dict[str, float]]] = defaultdict(list)
    async with AsyncExitStack() as stack:
        sites = []
        for place, workers in enumerate(WORKERS):
            url = await stack.enter_async_context(servers.data("postgresql"))
            server = await stack.enter_async_context(servers.parley(url, workers=workers))
            await (await stack.enter_async_context(crowd())).open(
                server, POSTED_TOPICS * 5, POSTED_TOPICS, address=20 * place
            )
            assert server.account
            headers = server.account.headers(server.port)
            posters = [await stack.enter_async_context(Poster(server.port, headers)) for _ in range(POSTERS)]
            sites.append((workers, server, posters))
        for _, (workers, server, posters) in itertools.product(range(rounds), sites):
            rates[workers].append(await _write_for_a_while(server, posters))
    return {str(workers): {key: median(one[key] for one in all) for key in all[0]} for workers, all in rates.items()}


async def _write_for_a_while(server: Server, posters: Sequence[Poster]) -> dict[str, float]:
    turns, done, pids = itertools.count(), 0, server.pids()
    began, used = time.monotonic(), cpu(pids)

    async def keep_posting(poster: Poster) -> None:
        nonlocal done
        while time.monotonic() < began + POSTING_SECONDS:
            await poster.post("/api/comments/", servers.comment(next(turns) % POSTED_TOPICS))
            done += 1

    await asyncio.gather(*map(keep_posting, posters))
    took = time.monotonic() - began
    return {"per_second": done / took, "cpu_ms": (cpu(pids) - used) / done * 1e3}
