"""Cross-site requests: unsafe requests that a page of another site sends are refused.

A browser says where a request comes from in Sec-Fetch-Site (Fetch Metadata), an older one in Origin. If an unsafe
request comes from another site, it is refused, unless its origin is one of ALLOWED_ORIGINS. A client that sends neither
header is not a browser and has only its own cookies, so it is accepted.
"""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.problems import Problem

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class CSRFMiddleware:
    """403 for an unsafe request from another site."""

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        self.app = app
        self.origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        unsafe = scope["type"] == "http" and scope["method"] not in SAFE_METHODS
        if unsafe and is_cross_site(Headers(scope=scope)) and not is_listed(scope, self.origins):
            refusal = Problem(403, "This request came from another site.").response()
            await refusal(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def is_listed(scope: Scope, origins: Collection[str]) -> bool:
    """Whether the request's Origin is one of these, compared exactly. A page cannot forge its Origin in a browser."""
    return Headers(scope=scope).get("origin") in origins


def is_cross_site(headers: Headers) -> bool:
    if site := headers.get("sec-fetch-site"):
        return site not in ("same-origin", "none")
    if origin := headers.get("origin"):
        # Compared as text: a value that is not scheme://host:port cannot be ours, and parsing it may fail.
        return origin.partition("://")[2].lower() != headers.get("host", "").lower()
    return False
