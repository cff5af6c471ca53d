"""Sign-out: the time until all streams of a login have ended after its person has signed out.

One person has 250 open streams with the same login. The time runs from before the request until the last stream has
received its `auth` event. With `--before`, another checkout takes turns.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import defaultdict
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx

from bench import servers
from bench.browser import request_head, stream_headers
from bench.measure import median
from bench.servers import Account

STREAMS = 250


async def run(rounds: int, before: Path | None = None, log: Any = print) -> dict[str, Any]:
    found = {}
    for kind in servers.DATABASES:
        times: dict[str, list[float]] = defaultdict(list)
        async with AsyncExitStack() as stack:
            sites = {}
            for name, place in servers.checkouts(before).items():
                url = await stack.enter_async_context(servers.data(kind, place))
                sites[name] = await stack.enter_async_context(servers.parley(url, checkout=place))
            for number, (name, server) in itertools.product(range(rounds), sites.items()):
                times[name].append(await _sign_out(server.port, f"Leaver{number}"))
        found[kind] = {name: median(all) * 1e3 for name, all in times.items()}
        log(f"sign-out: {kind}: {found[kind]}")
    return {"streams": STREAMS, "rounds": rounds, "databases": found}


async def _sign_out(port: int, name: str) -> float:
    """The seconds until all streams of a new account have ended."""
    account = await servers.sign_up(port, name)
    streams = await asyncio.gather(*(_open(port, account) for _ in range(STREAMS)))
    began = time.monotonic()
    ended = asyncio.gather(*(reader.readuntil(b"event: auth") for reader, _ in streams))
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=60) as client:
        url, headers = f"http://127.0.0.1:{port}/api/session", account.headers(port)
        (await client.delete(url, headers=headers)).raise_for_status()
    await ended
    took = time.monotonic() - began
    for _, writer in streams:
        writer.close()
    return took


async def _open(port: int, account: Account) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    headers = {**stream_headers(port), "Cookie": account.cookies}
    writer.write(request_head("GET", "/streams?topic=Article/1", port, headers))
    await reader.readuntil(b"event: heartbeat")
    return reader, writer
