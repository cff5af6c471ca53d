"""Cross-site requests: unsafe requests that a page of another site sends are refused.

A browser says where a request comes from in Sec-Fetch-Site (Fetch Metadata), an older one in Origin. If an unsafe
request comes from another site, it is refused, unless its origin is one of ALLOWED_ORIGINS. A client that sends neither
header is not a browser and has only its own cookies, so it is accepted. A request that its signed
token allows, and no cookie, is accepted from everywhere.
"""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import Scope

from app.http.problems import Problem

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
TOKEN_PATHS = frozenset(
    {"/unsubscribe", "/unsubscribe/moderator"}
)  # webmail posts there from its own origin (RFC 8058)


def refuse_cross_site(origins: Collection[str], scope: Scope) -> Problem | None:
    """403 for an unsafe request from another site."""
    if scope["method"] in SAFE_METHODS or scope["path"] in TOKEN_PATHS or not is_cross_site(Headers(scope=scope)):
        return None
    if is_listed(scope, origins):
        return None
    return Problem(403, "This request came from another site.")


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
