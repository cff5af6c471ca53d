"""Crowds, from the bench's side: starts `bench.crowd` and talks to it over its pipes."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from bench.servers import Server
from tests.support.serving import ROOT

LONGEST_ANSWER = 1 << 26  # bytes: 20,000 times are a few hundred thousand


class Crowd:
    """The streams of one process, of one server."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def open(self, server: Server, sessions: int, topics: int = 1, **more: Any) -> dict[str, Any]:
        """Open so many streams of so many topics, and wait until all of them follow."""
        paths = [server.path.format(topic=topic) for topic in range(topics)]
        return await self.open_at(server, sessions, paths, **more)

    async def open_at(self, server: Server, sessions: int, paths: Sequence[str], **more: Any) -> dict[str, Any]:
        """Open so many streams of these paths, in turn."""
        return await self.ask(do="open", port=server.port, paths=paths, sessions=sessions, ready=server.ready, **more)

    async def watch(self, frames: int, seconds: float = 60, quiet: float = 0) -> None:
        """From now on wait for so many frames; `seen` tells of them."""
        await self.ask(do="watch", deliveries=frames, seconds=seconds, quiet=quiet)

    async def seen(self) -> dict[str, Any]:
        return await self._answer()

    async def ask(self, **command: Any) -> dict[str, Any]:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        return await self._answer()

    async def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        answer: dict[str, Any] = json.loads(await self._process.stdout.readline() or '{"error": "it has ended"}')
        assert "error" not in answer, f"a crowd: {answer['error']}"
        return answer


@asynccontextmanager
async def crowd() -> AsyncIterator[Crowd]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.crowd", cwd=ROOT,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=LONGEST_ANSWER,
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
