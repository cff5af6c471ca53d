"""Reads a person's stream session block by block, without HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakKeyDictionary

from app.live.heartbeats import Heartbeats
from app.live.pacing import Pacing
from app.live.read.feeds import Feeds
from app.live.stats import StreamStats
from app.live.stream.session import Session
from app.live.topics import Topic
from app.live.viewers import GUEST, Viewer
from tests.support.people_without_http import ARTICLE
from tests.support.sse import Block, Parser
from tests.support.waiting import WAIT_TIMEOUT_SECONDS

_PARTS: WeakKeyDictionary[Feeds, dict[str, Any]] = WeakKeyDictionary()


def parts_of(feeds: Feeds) -> dict[str, Any]:
    """The parts of a process, beside its feeds, that all its sessions share."""
    return _PARTS.setdefault(feeds, {"pacing": Pacing(), "heartbeats": Heartbeats(), "stats": StreamStats()})


class Reader:
    """Parses the chunks of `session` into blocks."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.blocks: list[Block] = []
        self.position: str | None = None
        self._waiting: list[Block] = []
        self._parser = Parser()
        self._stream = session.stream()

    async def next(self, timeout: float = WAIT_TIMEOUT_SECONDS) -> Block:
        while not self._waiting:
            async with asyncio.timeout(timeout):
                self._waiting += self._parser.feed(await anext(self._stream))
        block = self._waiting.pop(0)
        self.blocks.append(block)
        self.position = block.id or self.position
        return block

    async def until(self, event: str, timeout: float = WAIT_TIMEOUT_SECONDS) -> Block:
        while not (block := await self.next(timeout)).event.endswith(event):
            pass
        return block

    async def rest(self) -> list[Block]:
        """All blocks until the stream ends."""
        seen = len(self.blocks)
        try:
            while True:
                await self.next()
        except StopAsyncIteration:
            return self.blocks[seen:]

    async def close(self) -> None:
        await self._stream.aclose()


@asynccontextmanager
async def open_session(
    feeds: Feeds,
    *topics: Topic,
    viewer: Viewer = GUEST,
    cursors: Sequence[str] = (),
    authorise: Callable[[], Awaitable[Viewer]] | None = None,
    **options: Any,
) -> AsyncIterator[Reader]:
    """Open a session of `viewer` on these topics, Article/1 by default."""

    async def unchanged() -> Viewer:
        return viewer

    options |= {"authorise": authorise or unchanged, **parts_of(feeds)}
    session = Session(feeds, topics or (ARTICLE,), viewer, cursors, **options)
    reader = Reader(session)
    try:
        yield reader
    finally:
        await reader.close()
