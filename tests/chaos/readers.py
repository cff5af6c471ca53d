"""Readers: each person has a replica and follows streams over a faulty network.

They behave like a browser with shorter times. They reconnect with `Last-Event-ID` after the stream's `retry` time. They
give up a stream that is silent for three heartbeats, and use another door. They poll (`once=1`) if the first block does
not arrive, and load again on a `reset`. Their habits differ.
"""

from __future__ import annotations

import asyncio
import copy
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from random import Random
from typing import Any

import httpx

from app.live.cursors import BadCursor, Cursor, write_cursor
from app.live.topics import Topic
from tests.chaos.replica import Replica
from tests.chaos.world import HEARTBEAT
from tests.support.serving import browser
from tests.support.sse import Block, Parser

SILENCE = 3 * HEARTBEAT  # seconds after which a silent stream counts as dead
FIRST_BLOCK = 3.0  # seconds for the first block to arrive
POLLING = 6.0  # seconds until the next attempt to stream
SNAPSHOT = 4.0  # seconds for a page
RETRY = 1.0  # seconds, unless the stream sent another `retry`
BACKOFF = (0.3, 3.0)  # seconds: the first pause after a failed request, doubled up to the second
NARROW = 4_096  # bytes that the system buffers for a reader who does not read
FORGERIES = ("epoch", "future", "malformed")


@dataclass(frozen=True)
class Habit:
    """How a person reads. Times are in seconds; None is never."""

    name: str = "steady"
    page: int = 50  # comments loaded first
    pause: float = 0.0  # after each piece
    nap: tuple[float, float] | None = None  # sometimes reads nothing for so long
    stays: tuple[float, float] | None = None  # before disconnecting
    relapses: float = 0.0  # probability to reconnect with an old replica
    forges: float = 0.0  # probability to reconnect with an invalid cursor

    @property
    def slow(self) -> bool:
        return bool(self.pause or self.nap)

    @property
    def steady(self) -> bool:
        """Whether no habit keeps this reader from catching up."""
        return not (self.slow or self.stays)


STEADY = Habit()
WINDOW = Habit("window", page=5)
SLOW = Habit("slow", pause=0.5)
NAPPING = Habit("napping", nap=(2, 12))
HASTY = Habit("hasty", stays=(0.05, 2))
RETURNING = Habit("returning", stays=(2, 8), relapses=0.6)
FORGING = Habit("forging", stays=(2, 6), forges=0.6)


class Left(Exception):
    """The reader has disconnected by habit."""


class Reader:
    """One person's page. `urls` are the doors. Without `cookies` the reader is a guest."""

    def __init__(
        self, name: str, habit: Habit, topics: Sequence[str], urls: Sequence[str], seed: int,
        cookies: httpx.Cookies | None = None,
    ) -> None:  # fmt: skip
        self.name = f"{name} ({habit.name})"
        self.habit = habit
        self.cookies = cookies
        self.replica = Replica(topics)
        self.counts: Counter[str] = Counter()
        self.complaints: list[str] = []
        self.calm = False  # set at the end, when habits stop
        self._former: Replica | None = None
        self._dice = Random(f"{seed} {self.name}")
        self._urls = urls
        self._door = self._dice.randrange(len(urls))
        self._failures = 0
        self._retry = RETRY
        self._polling_until = 0.0
        self._heard = False
        self._positions: Mapping[str, int] = {}
        self._heartbeats = 0
        self._told_to_reset: str | None = None
        self._woken = asyncio.Event()

    def calm_down(self) -> None:
        """Continue to read without habits."""
        self.calm = True
        self._woken.set()

    def level(self, heads: Mapping[Topic, int]) -> bool:
        """Whether this page has all changes up to these seqs."""
        if self.replica.unloaded:
            return False
        return all(self._reached(topic) >= heads.get(Topic.parse(topic), 0) for topic in self.replica.topics)

    def _reached(self, topic: str) -> int:
        text = self.replica.position or self.replica.cursors.get(topic, "")
        try:
            return Cursor.parse(text).of(Topic.parse(topic)) or 0
        except BadCursor:
            return 0

    async def follow(self) -> None:
        """Follow the topics for ever."""
        while True:
            try:
                await self._load()
                await self._stream()
                wait = self._retry
            except Left:
                wait = self._dice.uniform(0, 0.5)
            except (httpx.TransportError, TimeoutError):
                self._door += 1
                wait = self._retry
            self.counts["reconnects"] += 1
            await asyncio.sleep(wait)

    async def _load(self) -> None:
        """Load a page of each topic that is not loaded."""
        for topic in sorted(self.replica.unloaded):
            async with asyncio.timeout(SNAPSHOT), self._client() as client:
                type_, id_ = topic.split("/")
                query: dict[str, str | int] = {
                    "commentable_type": type_,
                    "commentable_id": id_,
                    "limit": self.habit.page,
                }
                response = await client.get(f"{self._url}/api/comments/", params=query)
            if await self._is_answer(response.status_code):
                self.replica.load(topic, response.json())
                self.counts["snapshots"] += 1

    async def _is_answer(self, status: int) -> bool:
        """Whether this is a response of the service; otherwise back off, and use another door."""
        if status == httpx.codes.OK:
            self._failures = 0
            return True
        if status not in (502, 503):
            self.complaints.append(f"{self.name} was answered {status}")
        self._door += 1
        self._failures += 1
        most = min(BACKOFF[1], BACKOFF[0] * 2**self._failures)
        await asyncio.sleep(self._dice.uniform(most / 2, most))
        return False

    async def _stream(self) -> None:
        if self.replica.unloaded:
            return
        if self._dice.random() < self.habit.relapses and self._former and not self.calm:
            self.replica.come_back_as(self._former)
            self.counts["relapses"] += 1
        elif self.habit.relapses and (self._former is None or self._dice.random() < 0.1):
            self._former = copy.deepcopy(self.replica)
        self._told_to_reset = self._forge()
        self._heard, self._positions, self._heartbeats = False, {}, 0
        try:
            async with self._open() as response:
                if await self._is_answer(response.status_code):
                    await self._read(response)
        except TimeoutError:
            # A proxy that buffers shows nothing before the response ends.
            self._polling_until = 0.0 if self._heard or self._polls else time.monotonic() + POLLING
            self.counts["given up"] += 1
            raise

    def _forge(self) -> str | None:
        """Choose an error for the cursor of this connection, or none."""
        if self.calm or self._dice.random() >= self.habit.forges:
            return None
        self.counts["forgeries"] += 1
        return self._dice.choice(FORGERIES)

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[httpx.Response]:
        query: list[tuple[str, Any]] = [("topic", topic) for topic in self.replica.topics]
        headers = {"Accept": "text/event-stream"}
        if forgery := self._told_to_reset:
            headers["Last-Event-ID"] = self._forged(forgery)
        elif self.replica.position is None:
            query += [("cursor", cursor) for cursor in self.replica.cursors.values()]
        elif self._dice.random() < 0.5:  # the same EventSource
            query += [("cursor", cursor) for cursor in self.replica.cursors.values()]
            headers["Last-Event-ID"] = self.replica.position
        else:  # a new EventSource
            query.append(("cursor", self.replica.position))
        if self._polls:
            query.append(("once", "1"))
            self.counts["polls"] += 1
        async with self._client() as client:
            request = client.build_request(
                "GET", f"{self._url}/streams", params=httpx.QueryParams(query), headers=headers
            )
            async with asyncio.timeout(FIRST_BLOCK):
                response = await client.send(request, stream=True)
            try:
                yield response
            finally:
                await response.aclose()

    def _forged(self, forgery: str) -> str:
        if forgery == "malformed":
            return "lost"
        epoch = "elsewhere"
        if forgery == "future":
            epoch = Cursor.parse(next(iter(self.replica.cursors.values()))).epoch
        ahead = {Topic.parse(topic): 10**9 for topic in self.replica.topics}
        return write_cursor(epoch, ahead)

    async def _read(self, response: httpx.Response) -> None:
        parser, chunks, calm = Parser(), response.aiter_bytes(), self.calm
        leaves = time.monotonic() + self._dice.uniform(*self.habit.stays) if self.habit.stays else None
        while (chunk := await self._next(chunks, leaves)) is not None:
            self._heard = True
            for block in parser.feed(chunk):
                await self._take(block)
            await self._dawdle(calm)

    async def _next(self, chunks: AsyncIterator[bytes], leaves: float | None) -> bytes | None:
        """The next chunk, or None at the end of the stream. Raises Left, and TimeoutError after silence."""
        silence = SILENCE if self._heard else FIRST_BLOCK
        leaving = leaves is not None and not self.calm
        patience = min(silence, max(0.0, leaves - time.monotonic())) if leaving and leaves else silence
        try:
            async with asyncio.timeout(patience):
                return await anext(chunks, None)
        except TimeoutError:
            if patience < silence:
                raise Left from None
            raise

    async def _take(self, block: Block) -> None:
        if block.retry is not None:
            self._retry = block.retry / 1_000
        self._failures = 0
        self._judge(block)
        self.counts[block.event if block.event in ("reset", "heartbeat", "auth") else "frames"] += 1
        self.replica.take(block)
        while self.replica.unloaded:
            await self._load_now()

    def _judge(self, block: Block) -> None:
        self._judge_position(block)
        if block.event == "auth":
            self.complaints.append(f"{self.name} was told that a login had ended")
        if self._told_to_reset:
            self._expect_reset(block, self._told_to_reset)

    def _expect_reset(self, block: Block, forgery: str) -> None:
        """The `reset` comes right after the first heartbeat."""
        self._heartbeats += block.event == "heartbeat"
        if block.event == "reset":
            self._told_to_reset = None
        elif block.event.startswith("global.") or self._heartbeats > 1:
            self._told_to_reset = None
            self.complaints.append(f"{self.name}: a cursor ({forgery}) that cannot be honoured was followed")

    def _judge_position(self, block: Block) -> None:
        """On one connection a position never decreases, except after a reset."""
        try:
            now = Cursor.parse(block.id or "").positions
        except BadCursor:
            return
        if block.event != "reset" and any(seq < self._positions.get(key, 0) for key, seq in now.items()):
            self.complaints.append(f"{self.name}'s position went back from {self._positions} to {now}")
        self._positions = now

    async def _load_now(self) -> None:
        """Load a page while the stream continues."""
        try:
            await self._load()
        except (httpx.TransportError, TimeoutError):
            self._door += 1
            await asyncio.sleep(self._dice.uniform(*BACKOFF))

    async def _dawdle(self, calm: bool) -> None:
        """Do not read for a while. A reader that has calmed down since it connected opens a better connection."""
        if self.calm and self.habit.slow and not calm:
            raise Left
        if self.calm:
            return
        if self.habit.pause:
            await asyncio.sleep(self.habit.pause)
        if self.habit.nap and self._dice.random() < 0.1:
            self.counts["naps"] += 1
            await _either(self._woken, self._dice.uniform(*self.habit.nap))

    @property
    def _polls(self) -> bool:
        return time.monotonic() < self._polling_until

    @property
    def _url(self) -> str:
        return self._urls[self._door % len(self._urls)]

    def _client(self) -> httpx.AsyncClient:
        """A new connection each time, independent of the last one."""
        small = [(socket.SOL_SOCKET, socket.SO_RCVBUF, NARROW)] if self.habit.slow and not self.calm else []
        transport = httpx.AsyncHTTPTransport(verify=False, socket_options=small)
        timeout = httpx.Timeout(SNAPSHOT, read=None)
        return browser("", transport=transport, cookies=self.cookies, timeout=timeout)


async def _either(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)


def all_level(readers: Collection[Reader], heads: Mapping[Topic, int]) -> bool:
    return all(reader.level(heads) for reader in readers)
