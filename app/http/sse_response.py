"""SSE response: an EventSourceResponse whose session can also write without its generator. Only this module imports
sse-starlette.

It differs from the library in these points, so that the cost of ten thousand streams is little more than the system's
cost of sending their bytes (docs/bench.md):

1. `Outlet.put` writes a block to the server at once: it runs the first step of the coroutine of the ASGI `send` itself.
   That is nearly always its last step, because servers write without waiting. If it waits, because the client does not
   read, the outlet is not `free` until the response's own task has finished the coroutine. `send` is the server's own:
   the middleware needs only the first message of a response.
2. A stream has one task: the request's own, which runs the generator. A callback on the future that `receive` waits for
   notices a disconnect. One task for all streams waits for the server's shutdown.
3. `ping=0`: our heartbeats are events, which scripts can see. A comment as a ping would need one more task per stream.
4. At shutdown the streams end at random times within a few seconds. If ten thousand clients were disconnected at once,
   they would all reconnect at once. A stream that has not ended in time is cut off.
5. A client that reads nothing cannot get a last event, and an orderly close waits until it has read everything. So the
   connection of an unfinished stream is aborted. Otherwise uvicorn would wait for it.
6. A client whose machine or network fails sends nothing, and the kernel retransmits to it for about 15 minutes. The
   stream would stay open for as long. So `TCP_USER_TIMEOUT` makes the kernel give up after `SEND_TIMEOUT_SECONDS`.
   (Behind a proxy this concerns only the connection to the proxy.)
7. The response sends only its start through the middleware, and returns. Then the outermost application sends the rest
   (`app.http.middleware.root_path`). So an idle stream keeps no middleware, no request and no response in memory. An
   error in the rest ends the connection, and the server logs it with its stack.
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from types import coroutine
from typing import Any, Protocol

from sse_starlette.sse import AppStatus, EventSourceResponse, SendTimeoutError
from starlette.types import Message, Receive, Scope, Send

from app.http.middleware.root_path import REST
from app.live.stream.session import Session

STREAM_ENDS_PER_SECOND = 2_000  # at shutdown (4); faster if all of them would take longer than the next constant
MAX_SHUTDOWN_SPREAD_SECONDS = 3.0
STREAM_END_TIMEOUT_SECONDS = 5.0  # for a stream to end by itself at shutdown
SHUTDOWN_POLL_SECONDS = 0.1  # until streams that opened during the shutdown are ended, too
SEND_TIMEOUT_SECONDS = 60.0  # for a client to read a block; then it is cut off, and can resume with its cursor


class Outlet:
    """Writes blocks to the server, for any code that has one.

    It is separate from the response, and small: one comment visits ten thousand of these, and most of that cost is
    memory that is in no CPU cache.
    """

    __slots__ = ("_rest", "_send", "free")

    def __init__(self) -> None:
        self.free = True
        self._send: Send
        self._rest: Callable[[], Awaitable[None]]

    def open(self, send: Send) -> None:
        self._send = send

    def put(self, block: bytes) -> bool:
        """Send this without waiting (1). Returns whether it is sent. Call it only while the outlet is free."""
        sending: Any = self._send({"type": "http.response.body", "body": block, "more_body": True})
        try:
            self._rest = partial(_rest_of, sending, sending.send(None))
        except StopIteration:
            return True
        except Exception as error:
            self._rest = partial(_fail, error)  # raised in the stream's task
        self.free = False
        return False

    async def flush(self) -> None:
        """Wait until it is free. Raises SendTimeoutError if the client does not read."""
        if not self.free:
            try:
                async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
                    await self._rest()
            except TimeoutError:
                raise SendTimeoutError from None
            self.free = True


class PushResponse(EventSourceResponse):
    """The stream of one session. `on_end` is called when the stream has ended, or could not begin."""

    def __init__(
        self, session: Session, streams: OpenStreams, headers: Mapping[str, str], on_end: Callable[[], None]
    ) -> None:
        outlet = Outlet()
        super().__init__(session.stream(outlet), headers=headers, ping=0, sep="\n")  # (3)
        self._stream = Stream(session, self.body_iterator, outlet, streams, on_end)
        self._on_end = on_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with ExitStack() as stack:
            stack.callback(self._on_end)
            if scope["method"] == "HEAD":
                await super().__call__(scope, receive, send)
                return
            _set_tcp_timeout(receive)
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            stack.pop_all()
        scope[REST].append(self._stream)  # (7)


class Stream:
    """The blocks of a response that has begun. It keeps nothing of the request (7)."""

    __slots__ = (
        "_blocks", "_is_cut_off", "_on_end", "_outlet", "_receive", "_received", "_session", "_streams", "_task",
    )  # fmt: skip

    def __init__(
        self, session: Session, blocks: Any, outlet: Outlet, streams: OpenStreams, on_end: Callable[[], None]
    ) -> None:
        self._session = session
        self._blocks = blocks
        self._outlet = outlet
        self._streams = streams
        self._on_end = on_end
        self._is_cut_off = False
        self._task: asyncio.Task[Any] | None = None  # while it runs
        self._receive: Receive
        self._received: Any = None  # the coroutine that waits for the client's next message

    async def run(self, receive: Receive, send: Send) -> None:
        """Send the blocks until the session ends, the client disconnects, or the client does not read."""
        self._task = asyncio.current_task()
        self._receive = receive
        self._outlet.open(send)
        self._streams.add(self)
        is_complete = False
        try:
            self._watch_client()
            await self._send_blocks()
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            is_complete = True
        except SendTimeoutError:
            pass
        except asyncio.CancelledError:
            if not self._is_cut_off or (self._task and self._task.uncancel()):
                raise
        finally:
            self._task = None
            if self._received:
                self._received.close()
            self._streams.discard(self)
            self._on_end()
        if not is_complete:
            await _abort_connection(receive)  # (5)

    def abandon(self) -> None:
        self._on_end()

    async def _send_blocks(self) -> None:
        try:
            async for block in self._blocks:
                await self._outlet.flush()
                if block:
                    self._outlet.put(block)
                    del block  # an idle stream would keep it in memory
                    await self._outlet.flush()
        finally:
            await self._blocks.aclose()

    # -- the end

    def end_in(self, seconds: float) -> None:
        """End the stream in so many seconds (4)."""
        loop = asyncio.get_running_loop()
        loop.call_later(seconds, self._session.end)
        loop.call_later(seconds + STREAM_END_TIMEOUT_SECONDS, self.cut_off)

    def cut_off(self) -> None:
        """End now, at whatever await it is."""
        if self._task and not self._is_cut_off:
            self._is_cut_off = True
            self._task.cancel()

    def _watch_client(self, _: Any = None) -> None:
        """Run `receive` up to its next wait, and go on when that wait is over. Cut the stream off at a disconnect."""
        while self._task:
            self._received = self._received or self._receive()
            try:
                waits_for = self._received.send(None)
            except StopIteration as received:
                self._received = None
                if received.value["type"] == "http.disconnect":
                    self.cut_off()
                    return
            except BaseException:
                self.cut_off()
                raise
            else:
                waits_for.add_done_callback(self._watch_client)
                return


class Ending(Protocol):
    """A response that takes long, such as a stream. It is hashable by identity."""

    def end_in(self, seconds: float) -> None:
        """End the response in so many seconds. Called once."""


class OpenStreams:
    """The open streams of one app. They end when the server shuts down."""

    def __init__(self) -> None:
        self._open: set[Ending] = set()

    def add(self, stream: Ending) -> None:
        self._open.add(stream)

    def discard(self, stream: Ending) -> None:
        self._open.discard(stream)

    @contextmanager
    def tracked(self, stream: Ending) -> Iterator[None]:
        """Count the stream as open while the block runs."""
        self.add(stream)
        try:
            yield
        finally:
            self.discard(stream)

    async def end_at_shutdown(self) -> None:
        """Run until cancelled: when the server shuts down, end the open streams and those that open meanwhile."""
        ending: set[Ending] = set()
        while True:
            await _wait_for_shutdown()
            within = min(len(self._open) / STREAM_ENDS_PER_SECOND, MAX_SHUTDOWN_SPREAD_SECONDS)
            for stream in self._open - ending:
                stream.end_in(random.uniform(0, within))
            ending = set(self._open)
            await asyncio.sleep(SHUTDOWN_POLL_SECONDS)


async def _wait_for_shutdown() -> None:
    """Wait until the server shuts down.

    The library ends all its streams then, and `shutdown_event` is its hook for one stream (its issue 167). It has no
    hook for a process, so this runs a stream that has no client and no blocks, and ends for no other reason.
    """
    stream = EventSourceResponse(_wait_forever(), ping=0)
    await stream({"type": "http", "method": "GET"}, _receive_nothing, _send_nothing)


async def _wait_forever() -> AsyncIterator[bytes]:
    await asyncio.get_running_loop().create_future()
    yield b""


async def _receive_nothing() -> Message:
    received: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
    return await received


async def _send_nothing(message: Message) -> None:
    pass


def forget_shutdown() -> None:
    """Allow streams again: the library's shutdown flag belongs to the process, not to the server."""
    AppStatus.should_exit = False


@coroutine
def _rest_of(begun: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, None, None]:
    """Await the rest of a coroutine whose last step waits for `waits_for`."""
    try:
        while True:
            try:
                yield waits_for
            except BaseException as error:  # assigned to no other name: its traceback refers to this frame (a cycle)
                waits_for = begun.throw(error)
            else:
                waits_for = begun.send(None)
    except StopIteration:
        return


async def _fail(error: Exception) -> None:
    raise error


async def _abort_connection(receive: Receive) -> None:
    """Abort the connection of this request, if the server gives access to it, as uvicorn does."""
    if transport := _transport(receive):
        transport.abort()
        await asyncio.sleep(0)  # the server gets connection_lost in the next event loop iteration


def _set_tcp_timeout(receive: Receive) -> None:
    """Break this connection if sent data stays unacknowledged (6), on systems that can do that."""
    transport = _transport(receive)
    connection = transport and transport.get_extra_info("socket")
    if connection and connection.family in (socket.AF_INET, socket.AF_INET6) and hasattr(socket, "TCP_USER_TIMEOUT"):
        with suppress(OSError, ValueError):  # the client has disconnected already; uvloop raises ValueError
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(SEND_TIMEOUT_SECONDS * 1_000))


def _transport(receive: Receive) -> Any:
    """The connection of this request. ASGI gives no access to it (https://github.com/django/asgiref/issues/47), but
    uvicorn's `receive` is a method of an object that has it. Without it, (5) and (6) do not work:
    `tests/faults/test_shutdown.py` and `tests/test_streams.py` fail then."""
    return getattr(getattr(receive, "__self__", None), "transport", None)
