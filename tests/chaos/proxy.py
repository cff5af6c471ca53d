"""A TCP proxy that injects network faults: between people and workers, and between workers and servers.

1. It forwards bytes, and interprets two things: it can respond as a gateway without a server behind it, and it
   recognizes event streams, which a buffering proxy delays.
2. A black hole delays bytes and never loses them, because TCP would send them again. They arrive after the fault, when
   nobody waits for them any more. That is the worse case for a client that writes.
3. A narrow proxy has small buffers. Otherwise the buffers of the system, megabytes on a loopback, would take all bytes
   that a slow client does not read.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from tests.support.listeners import Listener

CHUNK = 65_536  # bytes
NARROW = 16_384  # bytes of each buffer of a narrow proxy (3); with fewer, TCP itself stalls
PER_BYTE = 0.002  # seconds for each byte while dribbling
HELD_BACK = 4_096  # bytes that a buffering proxy waits for
BETWEEN = 0.05  # seconds in which a server can read a piece before its connection is cut

EVENT_STREAM = b"content-type: text/event-stream"
LAST_CHUNK = b"0\r\n\r\n"
BAD_GATEWAY = (
    b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 4\r\nConnection: close\r\n\r\n502\n"
)

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Weather:
    """The faults that a proxy applies to bytes. By default it applies none."""

    delay: float = 0.0  # seconds for each piece
    dribble: bool = False  # one byte at a time
    buffering: bool = False  # event streams are delayed until there are enough bytes to send
    gateway: bool = False  # a new connection gets a 502
    refusing: bool = False  # a new connection is refused
    losing: bool = False  # one of three pieces to the client is lost, and its connection with it
    trap: bytes = (
        b""  # every third piece upwards that holds this costs its connection, before or after it was passed on
    )


class Proxy(Listener):
    """Listens on a port of its own and forwards to the target of `connect`. `weather = Weather()` removes faults."""

    def __init__(self, connect: Callable[[], Awaitable[Ends]], narrow: bool = False) -> None:
        self.weather = Weather()
        self.narrow = narrow
        self.limit = NARROW if narrow else CHUNK
        self.trapped = 0
        self.lost = 0
        self.connect = connect
        self._passable = asyncio.Event()
        self._passable.set()
        self._links: dict[Link, None] = {}  # in the order of their arrival
        self.connected = 0  # connections that have reached the server since the start; the server may know it first
        self._trap_turns = itertools.count()
        self._chance = random.Random(
            3
        )  # random, because a regular choice could lose the same block of a stream each time

    def __len__(self) -> int:
        """The number of open connections."""
        return len(self._links)

    def mend(self) -> None:
        """Forward everything again, and close half-open connections on both sides."""
        self.weather = Weather()
        self._passable.set()
        for link in filter(lambda link: link.half_open, list(self._links)):
            link.break_off()

    def stop(self) -> None:
        """Become a black hole: forward nothing, and close nothing (2)."""
        self._passable.clear()

    def cut(self) -> None:
        """Reset every connection on both sides."""
        for link in list(self._links):
            link.break_off()

    def half_open(self) -> None:
        """Close one side of every connection, the near and the far one in turn. The other side does not notice it."""
        for near, link in zip(itertools.cycle((True, False)), list(self._links), strict=False):
            link.lose(near)

    def fall_silent(self) -> None:
        """Close the far side of every connection. The client does not notice it."""
        for link in list(self._links):
            link.lose(near=False)

    async def passable(self) -> None:
        await self._passable.wait()

    def loses(self) -> bool:
        """Whether the current piece to the client is lost."""
        if not self.weather.losing or self._chance.randrange(3):
            return False
        self.lost += 1
        return True

    def springs(self, piece: bytes) -> bool | None:
        """None if this piece triggers no trap, else whether it is forwarded before the connection is cut."""
        if not self.weather.trap or self.weather.trap not in piece:
            return None
        turn = next(self._trap_turns)
        if turn % 3:
            return None
        self.trapped += 1
        return turn % 2 == 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(self, (reader, writer))
        self._links[link] = None
        try:
            await link.run()
        finally:
            link.break_off()
            self._links.pop(link, None)


class Link:
    """One connection through a proxy: the near side is the client's, the far side is the server's."""

    def __init__(self, proxy: Proxy, near: Ends) -> None:
        self.half_open = False
        self._proxy = proxy
        self._near = near
        self._far: Ends | None = None
        self._over = asyncio.Event()
        self._pumps: list[asyncio.Task[None]] = []
        self._held = b""
        self._streams = False
        if proxy.narrow:
            _narrow(near[1], socket.SO_SNDBUF)

    async def run(self) -> None:
        with suppress(OSError):
            if self._proxy.weather.gateway:
                await self._answer_502()
            elif not self._proxy.weather.refusing:
                await self._proxy.passable()
                self._far = await self._proxy.connect()
                self._proxy.connected += 1
                if self._proxy.narrow:
                    _narrow(self._far[1], socket.SO_RCVBUF)
                await self._pass_both_ways(self._far)

    def break_off(self) -> None:
        """Reset both sides."""
        for _, writer in filter(None, (self._near, self._far)):
            writer.transport.abort()
        self._stop_pumping()
        self._over.set()

    def lose(self, near: bool) -> None:
        """Reset one side, and leave the other one open without reading from it."""
        if self._far is not None:
            self.half_open = True
            _reset((self._near if near else self._far)[1])
            self._stop_pumping()

    async def _answer_502(self) -> None:
        reader, writer = self._near
        await reader.read(CHUNK)
        writer.write(BAD_GATEWAY)
        await writer.drain()
        writer.write_eof()
        await reader.read()

    async def _pass_both_ways(self, far: Ends) -> None:
        up = self._pump(self._near[0], far[1], upwards=True)
        down = self._pump(far[0], self._near[1], upwards=False)
        self._pumps = [asyncio.create_task(up), asyncio.create_task(down)]
        try:
            await asyncio.wait(self._pumps)
            if self.half_open:
                await self._over.wait()
        finally:
            self._stop_pumping()
            await asyncio.gather(*self._pumps, return_exceptions=True)

    def _stop_pumping(self) -> None:
        for pump in self._pumps:
            pump.cancel()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, upwards: bool) -> None:
        try:
            while piece := await reader.read(NARROW if self._proxy.narrow else CHUNK):
                await self._pass_on(piece, writer, upwards)
            await self._write(writer, b"" if upwards else self._held)
            writer.write_eof()
        except OSError:
            self.break_off()

    async def _pass_on(self, piece: bytes, writer: asyncio.StreamWriter, upwards: bool) -> None:
        if not upwards and self._proxy.loses():
            self.break_off()
            return
        passed_on = self._proxy.springs(piece) if upwards else None
        if passed_on is not None:
            await self._spring(writer, piece if passed_on else b"")
        if self._proxy.weather.delay:
            await asyncio.sleep(self._proxy.weather.delay)
        await self._write(writer, piece if upwards else self._hold_back(piece))

    async def _spring(self, writer: asyncio.StreamWriter, piece: bytes) -> None:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(BETWEEN)
        self.break_off()

    async def _write(self, writer: asyncio.StreamWriter, piece: bytes) -> None:
        while piece and self._proxy.weather.dribble:
            await self._proxy.passable()
            writer.write(piece[:1])
            await writer.drain()
            piece = piece[1:]
            await asyncio.sleep(PER_BYTE)
        await self._proxy.passable()
        writer.write(piece)
        await writer.drain()

    def _hold_back(self, piece: bytes) -> bytes:
        """The bytes that a buffering proxy forwards now; without buffering, all of them."""
        self._streams = self._streams or EVENT_STREAM in piece.lower()
        held, self._held = self._held + piece, b""
        if held.endswith(LAST_CHUNK):
            self._streams = False  # the next response of the connection may be no stream
        elif self._proxy.weather.buffering and self._streams and len(held) < HELD_BACK:
            self._held, held = held, b""
        return held


def to_port(port: Callable[[], int | None]) -> Callable[[], Awaitable[Ends]]:
    """Connect to a port of this machine, which is looked up each time; no port is a refusal."""

    async def connect() -> Ends:
        if (number := port()) is None:
            raise ConnectionRefusedError
        return await asyncio.open_connection("127.0.0.1", number)

    return connect


def to_socket(path: str) -> Callable[[], Awaitable[Ends]]:
    """Connect to a Unix socket."""

    async def connect() -> Ends:
        return await asyncio.open_unix_connection(path)

    return connect


def _narrow(writer: asyncio.StreamWriter, buffer: int) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, buffer, NARROW)
    writer.transport.set_write_buffer_limits(high=NARROW)


def _reset(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):  # it may be closed already
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()
