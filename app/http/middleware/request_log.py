"""Request log: gives every request an id, adds headers to its response, counts it, and logs it.

1. This is the only wrapper around `send`. It changes the first message of a response and passes on the others of a
   stream as they are.
2. The id is the proxy's (`X-Request-ID`), if the proxy sends one, so that both logs can be read together.
3. A route is named by its template, `/api/comments/{id}`: the number of names is bounded, and they contain no ids. The
   log line has the path, too, but not the query, which has cursors.
4. The duration of a request ends when its response begins. A stream goes on for hours.
"""

from __future__ import annotations

import logging
import re
from collections import Counter, defaultdict
from time import perf_counter
from urllib.parse import quote
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import logs
from app.http.security_headers import secure_headers
from app.live.stats import Lags

REQUEST_ID = "X-Request-ID"
VALID_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
BOUNDS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)  # seconds
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NO_ROUTE = "none"  # the route of a request that no route takes
POLLED_ROUTES = frozenset({"/healthz", "/readyz", "/metrics"})  # polled by machines; logged at DEBUG
MAX_PATH_CHARACTERS = 300

log = logging.getLogger(__name__)


class Requests:
    """The requests of one process, counted by route, method and status."""

    def __init__(self) -> None:
        self.answers: Counter[tuple[str, str, int]] = Counter()
        self.seconds: defaultdict[tuple[str, ...], Lags] = defaultdict(lambda: Lags(BOUNDS))  # by route and method

    def add(self, route: str, method: str, status: int, seconds: float) -> None:
        self.answers[route, method, status] += 1
        self.seconds[route, method].add(seconds)


class RequestLogMiddleware:
    def __init__(self, app: ASGIApp, requests: Requests) -> None:
        self.app = app
        self.requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = perf_counter()
        logs.begin(_id_of(Headers(scope=scope).get(REQUEST_ID, "")))

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":  # (1)
                headers = MutableHeaders(scope=message)
                for name, value in headers_of(scope["scheme"], headers.get("content-type", "")).items():
                    headers.setdefault(name, value)
                self._log_response(scope, message["status"], perf_counter() - began)
            await send(message)

        try:
            await self.app(scope, receive, send_on)
        except Exception:
            self._log_response(scope, 500, perf_counter() - began)  # ServerErrorMiddleware answers it
            raise

    def _log_response(self, scope: Scope, status: int, seconds: float) -> None:
        method, route = scope["method"] if scope["method"] in METHODS else "other", route_of(scope)
        self.requests.add(route, method, status, seconds)
        level = logging.DEBUG if route in POLLED_ROUTES else logging.INFO
        if log.isEnabledFor(level):
            path = quote(scope["path"])[:MAX_PATH_CHARACTERS]
            about = {"method": method, "route": route, "path": path, "status": status, "ms": round(seconds * 1_000, 1)}
            log.log(level, "%s %s %d", method, path, status, extra=about)


def headers_of(scheme: str, content_type: str) -> dict[str, str]:
    """Headers of every response of this content type, unless the response sets them itself."""
    return {**secure_headers(scheme, content_type), REQUEST_ID: logs.known("request")}


def route_of(scope: Scope) -> str:
    """The template of the route that took this request (3)."""
    route = scope.get("route")
    if route is None:
        return NO_ROUTE
    # A mount moves its own prefix from the path to the scope's root_path.
    return str(scope.get("root_path", "") + ("" if isinstance(route, Mount) else route.path))


def _id_of(given: str) -> str:
    return given if VALID_REQUEST_ID.fullmatch(given) else uuid4().hex
