"""Pushing: an EventSourceResponse that also takes blocks from others than its generator. The only module that knows
sse-starlette.

What it does otherwise than the library, so that ten thousand streams cost little more than what the system takes for
their bytes (docs/bench.md):

1. A block that is `put` goes to the server there and then: the coroutine of the ASGI `send` is taken its first step by
   hand, which nearly always is its last, since servers write and wait for nothing. Where it waits, because the client
   does not read, the outlet is not `free` until the response's own task has taken it on from there. It is the server's
   own `send`: the layers around the routes look at an answer's first message, and have nothing to do with the others.
2. A stream has two tasks: the request's own, which runs the generator, and one that waits for the client to go. For the
   server's shutdown one waits for all of them.
3. `ping=0`: our heartbeats are events, which scripts can see; a comment in between would be one more task a stream.
4. At shutdown streams end one after the other, each with a farewell: who ends ten thousand at once is visited by ten
   thousand at once. What has not ended in time is cut off.
5. Who reads nothing cannot be told goodbye, and a connection that is closed in order waits until all was read. So a
   stream that could not be finished is torn off; uvicorn would wait for it as long as it waits for anybody.
6. Whose machine or network is gone says nothing at all, and a kernel tries for a quarter of an hour to reach them. They
   would be seen here as long. So it is told to give up as soon as we would. (Behind a proxy it is the proxy's affair.)
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from types import coroutine
from typing import Any

from sse_starlette.sse import AppStatus, EventSourceResponse, SendTimeoutError
from starlette.types import Receive, Scope, Send

from app.http.middleware.root_path import SERVER_SEND
from app.live.stream.session import Session

FAREWELLS = 2_000  # a second (4), and sooner where they would take more than
LONGEST_FAREWELLS = 3.0  # seconds
FAREWELL = 5.0  # seconds that a stream gets to end by itself at shutdown
AGAIN = 0.1  # seconds until those who came during a shutdown are told, too
SEND_TIMEOUT = 60.0  # seconds that a client may leave a block unread; cut off, it comes back with its cursor


class Outlet:
    """Where blocks go to the server, by whoever has them. Apart from the response, and small: ten thousand of these are
    gone through for one comment, and what that costs is mostly memory that no cache holds.
    """

    __slots__ = ("_rest", "_send", "free")

    def __init__(self) -> None:
        self.free = True
        self._send: Send
        self._rest: Callable[[], Awaitable[None]]

    def open(self, send: Send) -> None:
        self._send = send

    def put(self, block: bytes) -> bool:
        """Send this without waiting (1); whether that is done. Only while it is free."""
        sending: Any = self._send({"type": "http.response.body", "body": block, "more_body": True})
        try:
            self._rest = partial(_rest_of, sending, sending.send(None))
        except StopIteration:
            return True
        except Exception as error:
            self._rest = partial(_fail, error)  # in the task of the stream
        self.free = False
        return False

    async def flush(self) -> None:
        """Wait until it is free. Raises SendTimeoutError when the client reads nothing."""
        if not self.free:
            try:
                async with asyncio.timeout(SEND_TIMEOUT):
                    await self._rest()
            except TimeoutError:
                raise SendTimeoutError from None
            self.free = True


class PushResponse(EventSourceResponse):
    """The stream of one session."""

    def __init__(self, session: Session, streams: OpenStreams, headers: Mapping[str, str]) -> None:
        self._outlet = Outlet()
        super().__init__(session.stream(self._outlet), headers=headers, ping=0, sep="\n")  # (3)
        self._session = session
        self._streams = streams
        self._begun = self._complete = self._leaving = False

    # -- from the first to the last

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "HEAD":
            await super().__call__(scope, receive, send)
            return
        _give_up_in_time(receive)
        self._outlet.open(scope.get(SERVER_SEND, send))
        listening = asyncio.create_task(self._listen_for_disconnect(receive))
        try:
            async with asyncio.timeout(None) as self._limit:
                listening.add_done_callback(lambda _: self.cut_off())
                with suppress(SendTimeoutError), self._streams.entered(self):
                    await self._stream_response(send)
        except TimeoutError:
            if not self._limit.expired():
                raise
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
        if self._begun and not self._complete:
            await _tear_off(receive)  # (5)

    async def _stream_response(self, send: Send) -> None:
        self._begun = True
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        blocks: Any = self.body_iterator
        try:
            async for block in blocks:
                await self._outlet.flush()
                if block:
                    self._outlet.put(block)
                    await self._outlet.flush()
        finally:
            await blocks.aclose()
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        self._complete = True

    # -- the end

    def say_farewell(self, seconds: float) -> None:
        """End in so many seconds (4)."""
        if not self._leaving:
            self._leaving = True
            loop = asyncio.get_running_loop()
            loop.call_later(seconds, self._session.end)
            loop.call_later(seconds + FAREWELL, self.cut_off)

    def cut_off(self) -> None:
        """End now, wherever it is."""
        with suppress(RuntimeError):  # it has ended, or is about to
            self._limit.reschedule(asyncio.get_running_loop().time())


class OpenStreams:
    """The open streams of one app, which end when the server does."""

    def __init__(self) -> None:
        self._open: set[PushResponse] = set()

    @contextmanager
    def entered(self, stream: PushResponse) -> Iterator[None]:
        self._open.add(stream)
        try:
            yield
        finally:
            self._open.discard(stream)

    async def keep_ending(self) -> None:
        """For ever: once the server shuts down, let those end that are open, and those that are opened meanwhile."""
        while True:
            await EventSourceResponse._listen_for_exit_signal()
            within = min(len(self._open) / FAREWELLS, LONGEST_FAREWELLS)
            for stream in self._open:
                stream.say_farewell(random.uniform(0, within))
            await asyncio.sleep(AGAIN)


def forget_shutdown() -> None:
    """Streams may begin again: the library's mark of a shutdown is the process's, not the server's."""
    AppStatus.should_exit = False


@coroutine
def _rest_of(begun: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, None, None]:
    """Await what is left of a coroutine whose last step waits for this."""
    try:
        while True:
            try:
                yield waits_for
            except BaseException as error:  # kept under no other name: with its traceback it would keep us alive
                waits_for = begun.throw(error)
            else:
                waits_for = begun.send(None)
    except StopIteration:
        return


async def _fail(error: Exception) -> None:
    raise error


async def _tear_off(receive: Receive) -> None:
    """Abort the connection under this request, where the server lets us have it, as uvicorn does."""
    if transport := _transport(receive):
        transport.abort()
        await asyncio.sleep(0)  # the server hears of it in its loop's next turn


def _give_up_in_time(receive: Receive) -> None:
    """Let this connection break when what is sent stays unacknowledged (6), where the system can do that."""
    transport = _transport(receive)
    connection = transport and transport.get_extra_info("socket")
    if connection and connection.family in (socket.AF_INET, socket.AF_INET6) and hasattr(socket, "TCP_USER_TIMEOUT"):
        with suppress(OSError):  # who asked has gone already
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(SEND_TIMEOUT * 1_000))


def _transport(receive: Receive) -> Any:
    return getattr(getattr(receive, "__self__", None), "transport", None)
