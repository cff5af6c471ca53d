"""Guest cache: the page and the snapshot that guests get of a thread, valid until the thread changes.

1. All guests get the same, and every change that they can see takes a seq. So stored content is valid while the epoch,
   the counter of the topic and that of the topic about it are those that were read before it was rendered. Each request
   reads them from the database: nothing that is erased or hidden is shown, even if no hint has arrived.
2. Content for one key is rendered by one request at a time. The others wait, then read the counters again. If the
   request that renders is cancelled, the next one renders.
3. All content together has at most `MAX_BYTES`. The least recently used content is removed first. A thread without any
   write is not stored, because anybody can invent addresses.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Sized
from typing import Any, NamedTuple, TypeVar
from weakref import WeakValueDictionary

from app.comments.threads import Counters, read_counters
from app.live.service import Parley
from app.live.topics import Topic

MAX_BYTES = 16_000_000  # of one process; about 200 threads of 50 short comments

Content = TypeVar("Content", bound=Sized)  # its length is its size in bytes


class Key(NamedTuple):
    topic: Topic
    form: Hashable  # everything else that the content depends on


class GuestCache:
    """The content that one process has rendered for guests."""

    def __init__(self, parley: Parley) -> None:
        self._parley = parley
        self._stored: OrderedDict[Key, tuple[Counters, Any]] = OrderedDict()
        self._size = 0
        self._rendering: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()

    async def get(self, key: Key, render: Callable[[Counters], Awaitable[Content]]) -> Content:
        """The stored content, or that of `render`, which gets the counters that were read before it."""
        counters = await self._read_counters(key)
        if not any(counters[1].values()):
            return await render(counters)  # (3)
        content: Content | None = self._find(key, counters)
        if content is None:
            turn = self._rendering.setdefault(key, asyncio.Lock())
            has_waited = turn.locked()
            async with turn:  # (2)
                if has_waited:
                    counters = await self._read_counters(key)
                    content = self._find(key, counters)
                if content is None:
                    content = await render(counters)
                    self._store(key, counters, content)
        return content

    async def _read_counters(self, key: Key) -> Counters:
        return await self._parley.database.read(lambda connection: read_counters(connection, key.topic))

    def _find(self, key: Key, counters: Counters) -> Any:
        known, content = self._stored.get(key, (None, None))
        if known != counters:
            return None
        self._stored.move_to_end(key)
        return content

    def _store(self, key: Key, counters: Counters, content: Sized) -> None:
        self._remove(key)
        self._stored[key] = counters, content
        self._size += len(content)
        while self._size > MAX_BYTES:
            self._remove(next(iter(self._stored)))

    def _remove(self, key: Key) -> None:
        if key in self._stored:
            self._size -= len(self._stored.pop(key)[1])
