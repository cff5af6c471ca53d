"""A TCP proxy of our own, to stand on a road that is to go bad: between people and workers, workers and servers.

1. It moves bytes, and knows two things of what they mean: what a gateway answers when it finds nobody behind it, and
   where a response is an event stream, which is what a proxy that buffers holds back.
2. A black hole delays and never loses: TCP would send again, and what was on its way arrives after the hole is gone,
   when nobody waits for it any more. That is the worse case for whoever writes.
3. The road is narrow where it is told to be. Otherwise the system's own buffers, megabytes on a loopback, would take
   everything that somebody who reads slowly does not.
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
NARROW = 16_384  # bytes that each of the buffers on a narrow road takes (3); less, and TCP itself stalls
PER_BYTE = 0.002  # seconds, dribbling
HELD_BACK = 4_096  # bytes that a proxy that buffers waits for
BETWEEN = 0.05  # seconds for a server to take what it was sent before its connection is cut

EVENT_STREAM = b"content-type: text/event-stream"
LAST_CHUNK = b"0\r\n\r\n"
BAD_GATEWAY = (
    b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 4\r\nConnection: close\r\n\r\n502\n"
)

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Weather:
    """What happens to what is on its way. As it comes, nothing."""

    delay: float = 0.0  # seconds, for each piece
    dribble: bool = False  # one byte at a time
    buffering: bool = False  # event streams are held back until there is enough to send
    gateway: bool = False  # who comes is answered 502
    refusing: bool = False  # who comes is sent away
    losing: bool = False  # one of three pieces downwards is lost, and its connection with it
    trap: bytes = (
        b""  # every third piece upwards that holds this costs its connection, before or after it was passed on
    )


class Proxy(Listener):
    """Listens on a port of its own and passes on to wherever `connect` leads then. Mended: `weather = Weather()`."""

    def __init__(self, connect: Callable[[], Awaitable[Ends]], narrow: bool = False) -> None:
        self.weather = Weather()
        self.narrow = narrow
        self.limit = NARROW if narrow else CHUNK
        self.trapped = 0
        self.lost = 0
        self.connect = connect
        self._passable = asyncio.Event()
        self._passable.set()
        self._links: dict[Link, None] = {}  # in the order in which they came
        self._trap_turns = itertools.count()
        self._chance = random.Random(3)  # by turns, a stream's same block might be lost each time

    def __len__(self) -> int:
        """How many connections pass through."""
        return len(self._links)

    def mend(self) -> None:
        """Let everything pass again; what was left half open is closed on both sides."""
        self.weather = Weather()
        self._passable.set()
        for link in filter(lambda link: link.half_open, list(self._links)):
            link.break_off()

    def stop(self) -> None:
        """A black hole: nothing comes out, and nobody is told (2)."""
        self._passable.clear()

    def cut(self) -> None:
        """Break every connection off; both sides are told."""
        for link in list(self._links):
            link.break_off()

    def half_open(self) -> None:
        """One side of every connection is gone, by turns this one and that one, and the other side is not told."""
        for near, link in zip(itertools.cycle((True, False)), list(self._links), strict=False):
            link.lose(near)

    def fall_silent(self) -> None:
        """The far side of every connection is gone, and whoever came is not told."""
        for link in list(self._links):
            link.lose(near=False)

    async def passable(self) -> None:
        await self._passable.wait()

    def loses(self) -> bool:
        """Whether the piece that is on its way down now is lost."""
        if not self.weather.losing or self._chance.randrange(3):
            return False
        self.lost += 1
        return True

    def springs(self, piece: bytes) -> bool | None:
        """Whether a trap is sprung by this piece: None when not, else whether it is passed on before."""
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
    """One connection through a proxy: its near side, whoever came, and its far side, where they were led."""

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
                if self._proxy.narrow:
                    _narrow(self._far[1], socket.SO_RCVBUF)
                await self._pass_both_ways(self._far)

    def break_off(self) -> None:
        """Both sides are told."""
        for _, writer in filter(None, (self._near, self._far)):
            writer.transport.abort()
        self._stop_pumping()
        self._over.set()

    def lose(self, near: bool) -> None:
        """Close one side with a reset, and leave the other as it is, with nobody to read from it."""
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
        """What a proxy that buffers lets through now; without buffering, all there is."""
        self._streams = self._streams or EVENT_STREAM in piece.lower()
        held, self._held = self._held + piece, b""
        if held.endswith(LAST_CHUNK):
            self._streams = False  # the connection's next answer may be none
        elif self._proxy.weather.buffering and self._streams and len(held) < HELD_BACK:
            self._held, held = held, b""
        return held


def to_port(port: Callable[[], int | None]) -> Callable[[], Awaitable[Ends]]:
    """The way to a port of this machine, looked up each time; none there is a refusal."""

    async def connect() -> Ends:
        if (number := port()) is None:
            raise ConnectionRefusedError
        return await asyncio.open_connection("127.0.0.1", number)

    return connect


def to_socket(path: str) -> Callable[[], Awaitable[Ends]]:
    """The way to a unix socket."""

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
