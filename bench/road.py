"""A TCP relay between a browser and a server. It counts requests and bytes, and can be as slow as a mobile network.

1. Each request has the latency: half of it towards the server and half of it back. A new connection costs no more, as
   in Chromium's own emulation of a network.
2. All connections of the relay share its rate. So the rate also limits service workers and iframes, which an emulation
   in one page's DevTools does not.
3. A request is counted by its first line. Browsers do not pipeline, so each request begins a segment.
"""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from tests.support.listeners import Listener

PIECE_BYTES = 4_096  # after which another connection may send
REQUEST = re.compile(rb"(?P<method>[A-Z]+) (?P<target>\S+) HTTP/1\.1\r\n")

Pieces = asyncio.Queue[tuple[float, bytes]]


@dataclass(frozen=True)
class Network:
    """`latency`: seconds of a round trip. `rate`: bytes a second in each direction; None: unlimited."""

    latency: float = 0.0
    rate: float | None = None


FAST = Network()
MOBILE = Network(0.3, 700_000 / 8)  # 3G: 300 ms, 700 kbit/s


@dataclass
class Direction:
    """One direction of a network, shared by all connections."""

    free_at: float = 0.0

    def send(self, size: int, network: Network, now: float) -> tuple[float, float]:
        """When the sender may send the next piece, and when this piece arrives."""
        self.free_at = max(self.free_at, now) + size / network.rate if network.rate else now
        return self.free_at, self.free_at + network.latency / 2


@dataclass
class Road(Listener):
    """Listens on `port`, and relays to the server on `to`."""

    to: int
    network: Network = FAST
    requests: list[bytes] = field(default_factory=list)  # the heads, in the order in which they were sent
    received: int = 0  # bytes that came from the server
    used_at: float = 0.0

    async def __aenter__(self) -> Self:
        self._up, self._down = Direction(), Direction()
        return await super().__aenter__()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def reset_counts(self) -> None:
        self.requests, self.received = [], 0

    async def quiet(self, seconds: float = 2.0) -> None:
        """Wait until no data has passed for so many seconds."""
        self.used_at = time.monotonic()
        while (left := self.used_at + seconds - time.monotonic()) > 0:
            await asyncio.sleep(left)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.to)
            try:
                async with asyncio.TaskGroup() as group:
                    self._pump(group, reader, server_writer, self._up, counted=True)
                    self._pump(group, server_reader, writer, self._down, counted=False)
            finally:
                server_writer.close()
        except* (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    def _pump(
        self, group: asyncio.TaskGroup, reader: asyncio.StreamReader, writer: asyncio.StreamWriter,
        direction: Direction, counted: bool,
    ) -> None:  # fmt: skip
        pieces: Pieces = asyncio.Queue()
        group.create_task(self._take(reader, pieces, direction, counted))
        group.create_task(_deliver(pieces, writer))

    async def _take(self, reader: asyncio.StreamReader, pieces: Pieces, direction: Direction, up: bool) -> None:
        with suppress(OSError):
            while piece := await reader.read(65_536 if up else PIECE_BYTES):
                self._count(piece, up)
                free_at, arrives_at = direction.send(len(piece), self.network, time.monotonic())
                pieces.put_nowait((arrives_at, piece))
                await asyncio.sleep(free_at - time.monotonic())
        pieces.put_nowait((time.monotonic() + self.network.latency / 2, b""))

    def _count(self, piece: bytes, up: bool) -> None:
        self.used_at = time.monotonic()
        if not up:
            self.received += len(piece)
        elif REQUEST.match(piece):
            self.requests.append(piece.partition(b"\r\n\r\n")[0])


async def _deliver(pieces: Pieces, writer: asyncio.StreamWriter) -> None:
    """Write each piece at its time of arrival. An empty piece is the end."""
    with suppress(OSError):
        while True:
            arrives_at, piece = await pieces.get()
            await asyncio.sleep(arrives_at - time.monotonic())
            if not piece:
                break
            writer.write(piece)
            await writer.drain()
        if not writer.is_closing():
            writer.write_eof()
