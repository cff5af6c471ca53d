"""Servers in a test's own loop, as they are closed."""

from __future__ import annotations

import asyncio

TURNS = 4  # of the loop, from a connection's acceptance until whoever serves it knows of it


async def accept_no_more(*servers: asyncio.Server) -> None:
    """Let in nobody else, and let those that are in come to whoever serves them. Then the servers may be closed.

    Browsers come back in the moment in which a test ends. Of a connection that was accepted and has not begun, a
    server that is closed knows nothing: asyncio leaves its socket open for ever, or it begins when all are told to go.
    """
    loop = asyncio.get_running_loop()
    for server in servers:
        for listener in server.sockets:
            loop.remove_reader(listener.fileno())
    for _ in range(TURNS):
        await asyncio.sleep(0)
