"""Root path: the app behind a proxy that serves it below a path prefix, ROOT_PATH.

The routes and middleware always get the path without the prefix, and without a trailing slash. Only code that makes
URLs for browsers adds the prefix: the templates (their `base`), and with it `static/js/core/base.js`.
"""

from __future__ import annotations

from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.types import Message, Receive, Scope, Send

REST = "parley.rest"  # in a scope: a list for the `Rest` of a response


class Rest(Protocol):
    """The rest of a response, which is sent without any middleware."""

    async def run(self, receive: Receive, send: Send) -> None: ...

    def abandon(self) -> None:
        """Give up what it holds, because it does not run: a middleware failed after the start of the response."""


class RootPathStarlette(Starlette):
    """Starlette that removes ROOT_PATH from paths, and adds it to `Location` headers.

    Some proxies remove the prefix and some keep it; some servers (`--root-path`) add it again. All of these work. A
    trailing slash is removed here, because a redirect could turn a POST into a GET.

    It also sends the rest of a response, after the middleware has returned (`app.http.sse_response`).
    """

    def __init__(self, root_path: str, **options: Any) -> None:
        super().__init__(**options)
        self.root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        rest: list[Rest] = []
        headers, send_first = scope.get("headers"), send
        if scope["type"] == "http":
            path = _without(_without(scope["path"], scope.get("root_path", "")), self.root_path)
            # A copy: the server's own scope would form a reference cycle with its `send`, and stay in memory.
            scope = {**scope, REST: rest, "path": path.removesuffix("/") or "/", "root_path": ""}
            if self.root_path:
                send_first = self._prefix_location(send)
        try:
            await super().__call__(scope, receive, send_first)
        except BaseException:
            for one in rest:
                one.abandon()
            raise
        if rest:  # a stream, which goes on for hours
            if isinstance(headers, list):
                headers.clear()  # the server keeps this list
            del scope, send_first
            await rest.pop().run(receive, send)

    def _prefix_location(self, send: Send) -> Send:
        async def send_prefixed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("location", "").startswith("/"):
                    headers["location"] = self.root_path + headers["location"]
            await send(message)

        return send_prefixed


def _without(path: str, prefix: str) -> str:
    return path[len(prefix) :] or "/" if path == prefix or path.startswith(f"{prefix}/") else path
