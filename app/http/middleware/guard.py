"""Guards in front of the routes, as plain ASGI: a BaseHTTPMiddleware would triple the cost of a broadcast.

Cross-site requests: a browser says where an unsafe request comes from in Sec-Fetch-Site (Fetch Metadata), older ones
in Origin. What comes from another site is refused, unless its origin is one that the operator has listed. A client that
sends neither is no browser, has nobody's cookies but its own, and is let through.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.client_addresses import FORWARDED_FOR
from app.http.problems import Problem
from app.settings import Settings

SERVERS = "parley.send"  # in a scope: the server's own `send`, which no layer of ours has wrapped
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
SHARED = ("/api/", "/streams")  # what listed origins may call

log = logging.getLogger(__name__)


class Rooted(Starlette):
    """Starlette behind ROOT_PATH. Inside, every path is what it is at the root of a host, so nothing else knows of it
    but what makes addresses for browsers: templates, by their `base`, and from there `static/js/core/base.js`.

    Some proxies take the prefix off, others leave it on, and some servers (`--root-path`) put it on again: all one.
    """

    def __init__(self, root_path: str, **options: Any) -> None:
        super().__init__(**options)
        self.root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, SERVERS: send}  # a copy: with its `send` in it the server's own would keep itself alive
            if self.root_path or scope.get("root_path"):
                path = _without(_without(scope["path"], scope.get("root_path", "")), self.root_path)
                scope, send = {**scope, "path": path, "root_path": ""}, self._outward(send)
        await super().__call__(scope, receive, send)

    def _outward(self, send: Send) -> Send:
        async def send_outward(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("location", "").startswith("/"):
                    headers["location"] = self.root_path + headers["location"]
            await send(message)

        return send_outward


def _without(path: str, prefix: str) -> str:
    return path[len(prefix) :] or "/" if path == prefix or path.startswith(f"{prefix}/") else path


class NearestForwardedMiddleware:
    """Takes the last address in X-Forwarded-For for the client's: the one that the nearest proxy has seen.

    With FORWARDED_ALLOW_IPS=* uvicorn takes the first one. If a proxy appends to the header, a client can choose that.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        if settings.environment == "production":
            log.warning(
                "FORWARDED_ALLOW_IPS=* lets everybody who can connect choose the client's address; set it to the"
                " proxy's addresses, unless the proxy connects by a unix socket"
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (said := Headers(scope=scope).getlist(FORWARDED_FOR)):
            scope = {**scope, "client": (_address_in(said[-1].rpartition(",")[2].strip()), 0)}
        await self.app(scope, receive, send)


def _address_in(forwarded: str) -> str:
    """The address without a port: some proxies send 192.0.2.1:5678, or [2001:db8::1]:5678."""
    if forwarded.startswith("["):
        return forwarded[1:].partition("]")[0]
    return forwarded.partition(":")[0] if forwarded.count(":") == 1 else forwarded


class TakeTurns:
    """Streams are opened one at a time (`app.live.pacing`), and networks take turns. Otherwise ten thousand clients
    that reconnect at once would delay all other requests. An opening takes half a millisecond before its first await.
    """

    def __init__(self, app: ASGIApp, take_turn: Callable[[Scope], Awaitable[None]]) -> None:
        self.app = app
        self.take_turn = take_turn

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/streams":
            await self.take_turn(scope)
        await self.app(scope, receive, send)


class ShareWithListed:
    """Pages of listed origins may call the API as whoever is signed in, and read its answers. Others may not."""

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        self.app = app
        self.origins = origins
        self.cors = CORSMiddleware(
            app,
            allow_origins=list(origins),
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Content-Type", "If-Match", "Last-Event-ID", "Parley-User"],
            allow_credentials=True,
            expose_headers=["ETag", "Location", "Retry-After"],
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        shares = scope["type"] == "http" and scope["path"].startswith(SHARED) and is_listed(scope, self.origins)
        await (self.cors if shares else self.app)(scope, receive, send)


class RefuseCrossSite:
    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        self.app = app
        self.origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        unsafe = scope["type"] == "http" and scope["method"] not in SAFE
        if unsafe and is_cross_site(Headers(scope=scope)) and not is_listed(scope, self.origins):
            refusal = Problem(403, "This request came from another site.").response()
            await refusal(scope, receive, send)
        else:
            await self.app(scope, receive, send)


class OptionalSlash:
    """Paths answer with and without the trailing slash. A redirect would turn a POST into questions."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and len(scope["path"]) > 1 and scope["path"].endswith("/"):
            scope = {**scope, "path": scope["path"][:-1]}
        await self.app(scope, receive, send)


def is_listed(scope: Scope, origins: Collection[str]) -> bool:
    """Browsers let nobody say another Origin than theirs. Letter by letter: what is only alike is another."""
    return Headers(scope=scope).get("origin") in origins


def is_cross_site(headers: Headers) -> bool:
    if site := headers.get("sec-fetch-site"):
        return site not in ("same-origin", "none")
    if origin := headers.get("origin"):
        # Compared as text: what is no scheme://host:port cannot be ours, and parsing it may fail.
        return origin.partition("://")[2].lower() != headers.get("host", "").lower()
    return False
