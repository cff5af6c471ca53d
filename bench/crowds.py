"""The bench's side of a crowd: it starts `bench.crowd` and sends it commands over pipes."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from bench.servers import Server
from tests.support.serving import ROOT

MAX_LINE = 1 << 26  # bytes; a result with 20,000 times takes a few hundred thousand


class Crowd:
    """Streams of one server, opened by one client process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def open(self, server: Server, sessions: int, topics: int = 1, **more: Any) -> dict[str, Any]:
        """Open so many streams of so many topics, and wait until all of them are ready."""
        paths = [server.path.format(topic=topic) for topic in range(topics)]
        return await self.open_at(server, sessions, paths, **more)

    async def open_at(self, server: Server, sessions: int, paths: Sequence[str], **more: Any) -> dict[str, Any]:
        """Open so many streams, of these paths in turn."""
        return await self.command(
            do="open", port=server.port, paths=paths, sessions=sessions, ready=server.ready, **more
        )

    async def watch(self, frames: int, seconds: float = 60, quiet: float = 0) -> None:
        """Start to count frames. `seen` returns the result after so many of them."""
        await self.command(do="watch", deliveries=frames, seconds=seconds, quiet=quiet)

    async def seen(self) -> dict[str, Any]:
        return await self._result()

    async def command(self, **command: Any) -> dict[str, Any]:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        return await self._result()

    async def _result(self) -> dict[str, Any]:
        assert self._process.stdout
        result: dict[str, Any] = json.loads(await self._process.stdout.readline() or '{"error": "the process ended"}')
        assert "error" not in result, f"crowd: {result['error']}"
        return result


@asynccontextmanager
async def crowd() -> AsyncIterator[Crowd]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.crowd", cwd=ROOT,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=MAX_LINE,
    )  # fmt: skip
    try:
        yield Crowd(process)
    finally:
        assert process.stdin
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()
