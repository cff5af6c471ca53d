"""Stream pacing: streams open one at a time (`app.live.pacing`), and networks alternate."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Receive, Scope, Send

PATHS = ("/streams", "/changes/")


class StreamPacingMiddleware:
    """Lets each new stream and long poll wait for its turn, before any other work is done for it.

    Opening a stream takes half a millisecond of CPU before its first await. Without pacing, ten thousand clients that
    reconnect at once would delay all other requests.
    """

    def __init__(self, app: ASGIApp, wait_turn: Callable[[Scope], Awaitable[None]]) -> None:
        self.app = app
        self.wait_turn = wait_turn

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(PATHS):
            await self.wait_turn(scope)
        await self.app(scope, receive, send)
