"""Closing servers that run in a test's own event loop."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Self

LOOP_ITERATIONS = 4  # from the acceptance of a connection until its server has begun to serve it


async def accept_no_more(*servers: asyncio.Server) -> None:
    """Stop accepting connections, and let the servers begin to serve those that were accepted. Then close them.

    Browsers reconnect at the moment at which a test ends. A closed server does not know a connection that was accepted
    and has not begun: asyncio leaves its socket open for ever, or it begins when the others are being closed.
    """
    loop = asyncio.get_running_loop()
    for server in servers:
        for listener in server.sockets:
            loop.remove_reader(listener.fileno())
    for _ in range(LOOP_ITERATIONS):
        await asyncio.sleep(0)


class Listener:
    """Listens on a port of its own during a block. After the block, the task of every connection has ended."""

    limit = 65_536  # bytes that a connection's reader holds

    async def __aenter__(self) -> Self:
        self._connections: set[asyncio.Task[None]] = set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=self.limit)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await accept_no_more(self._server)
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, and close it."""
        raise NotImplementedError

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._connections.add(task)
        try:
            with suppress(asyncio.CancelledError):  # asyncio would log that a connection's task was cancelled
                await self.serve(reader, writer)
        finally:
            self._connections.discard(task)
