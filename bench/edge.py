"""Edge: nginx in front of one process answers the long polls of many guests (`READERS=collapsed`, docs/scaling.md).

For each change: the requests that nginx sends to Parley, the CPU time of both, and the time from before the POST until
the last guest has it. As many streams of the same process, without nginx, are measured in turn.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bench import servers
from bench.crowds import MAX_LINE, crowd
from bench.measure import cpu, exponent, family, median, percentile
from bench.poster import Poster
from bench.servers import Server
from tests.support import proxies
from tests.support.processes import remove
from tests.support.serving import ROOT, free_port

SIZES = (1_000, 5_000, 15_000)  # more with more open files: 20,000 guests need 20,000 of nginx and of the client
CHANGES = 5  # for each size
PAUSE_SECONDS = 1.0  # for the next long polls to reach nginx

CONFIGURATION = """
worker_processes 1; worker_rlimit_nofile {files}; daemon off; {user} pid {directory}/pid;
error_log {directory}/error.log error;
events {{ worker_connections {files}; }}
http {{
  keepalive_requests 1000000; keepalive_timeout 3600;
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
  map $upstream_status $is_asked {{ default 1; "" 0; }}
  log_format asked $request_uri;
  access_log {directory}/asked asked if=$is_asked;
  proxy_cache_path {directory}/cache keys_zone=changes:10m max_size=256m inactive=1m use_temp_path=off;
  upstream parley {{ server 127.0.0.1:{origin}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location /changes/ {{
      proxy_pass http://parley; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_cache changes; proxy_cache_lock on; proxy_cache_lock_timeout 40s; proxy_cache_lock_age 40s;
      proxy_cache_min_uses 0;
    }}
  }}
}}
"""


@asynccontextmanager
async def nginx(origin: int) -> AsyncIterator[tuple[int, list[int], Path]]:
    """(the port, the ids of the processes, the log of the requests that went to Parley)."""
    port, directory = free_port(), Path(tempfile.mkdtemp(prefix="parley-edge-"))
    user = "user root;" if os.geteuid() == 0 else ""
    files = {"files": servers.MAX_FILES, "user": user, "directory": directory, "port": port, "origin": origin}
    (directory / "nginx.conf").write_text(CONFIGURATION.format(**files))
    binary = str(proxies.find("nginx") or "nginx")
    try:
        async with servers.started(
            [binary, "-p", str(directory), "-c", str(directory / "nginx.conf")], port
        ) as process:
            yield port, family(process.pid), directory / "asked"
    finally:
        remove(directory)


async def run(sizes: Sequence[int] = SIZES, log: Any = print) -> dict[str, Any]:
    found: list[dict[str, Any]] = []
    async with servers.parley() as server:
        for readers in sizes:
            measured = {
                "readers": readers,
                "edge": await _edge(server, readers),
                "streams": await _streams(server, readers),
            }
            log(f"edge: {measured}")
            found.append(measured)
    asked = [float(one["edge"]["requests"]) for one in found]
    return {"sizes": found, "exponent": exponent(list(sizes), asked) if len(found) > 1 else None}


async def _edge(server: Server, readers: int) -> dict[str, float]:
    async with nginx(server.port) as (port, pids, log), Poster(server.port) as guest:
        query = json.loads(await guest.get("/changes/Article/0"))["next"]
        client = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.pollers", str(port), str(readers), query, cwd=ROOT,
            stdout=asyncio.subprocess.PIPE, limit=MAX_LINE,
        )  # fmt: skip
        assert client.stdout
        try:
            await client.stdout.readline()
            rounds = []
            for _ in range(CHANGES):
                await asyncio.sleep(PAUSE_SECONDS)
                began, asked = time.monotonic(), _lines(log)
                used = cpu(pids), cpu(server.pids())
                await server.publish(0)
                result = json.loads(await client.stdout.readline())
                waits = [at - began for at in result["times"]]
                after = cpu(pids), cpu(server.pids())
                await asyncio.sleep(PAUSE_SECONDS)
                rounds.append({
                    "requests": _lines(log) - asked,  # those that have ended: the new long poll is not among them
                    "nginx_us": (after[0] - used[0]) / readers * 1e6,
                    "parley_ms": (after[1] - used[1]) * 1e3,
                    "client_us": result["cpu"] / readers * 1e6,
                    "p50_ms": percentile(waits, 50) * 1e3,
                    "p99_ms": percentile(waits, 99) * 1e3,
                    "last_ms": max(waits) * 1e3,
                })  # fmt: skip
        finally:
            client.kill()
            await client.wait()
    return {name: median([one[name] for one in rounds]) for name in rounds[0]}


async def _streams(server: Server, readers: int) -> dict[str, float]:
    async with crowd() as streams:
        await streams.open(server, readers)
        rounds = []
        for _ in range(CHANGES):
            await asyncio.sleep(PAUSE_SECONDS)
            await streams.watch(readers)
            began, used = time.monotonic(), cpu(server.pids())
            await server.publish(0)
            result = await streams.seen()
            waits = [at - began for at in result["times"]]
            spent = (cpu(server.pids()) - used) * 1e3
            rounds.append({"parley_ms": spent, "p99_ms": percentile(waits, 99) * 1e3, "last_ms": max(waits) * 1e3})
    return {name: median([one[name] for one in rounds]) for name in rounds[0]}


def _lines(log: Path) -> int:
    return log.read_text().count("\n") if log.exists() else 0
