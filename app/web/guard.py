"""Guards in front of the routes, as plain ASGI: a BaseHTTPMiddleware would triple the cost of a broadcast.

Cross-site requests: a browser says where an unsafe request comes from in Sec-Fetch-Site (Fetch Metadata), older ones
in Origin. What comes from another site is refused. A client that sends neither is no browser, has nobody's cookies
but its own, and is let through.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.web.problems import Problem

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class RefuseCrossSite:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in SAFE and is_cross_site(Headers(scope=scope)):
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


def is_cross_site(headers: Headers) -> bool:
    if site := headers.get("sec-fetch-site"):
        return site not in ("same-origin", "none")
    if origin := headers.get("origin"):
        # Compared as text: what is no scheme://host:port cannot be ours, and parsing it may fail.
        return origin.partition("://")[2].lower() != headers.get("host", "").lower()
    return False
