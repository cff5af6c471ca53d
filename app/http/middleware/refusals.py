"""Refusals: requests that get an error before any route takes them, because of their headers or their path."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.problems import Problem, on_problem

Check = Callable[[Scope], Problem | None]


class RefusalMiddleware:
    """Responds with the problem that the first of its checks returns. If all return None, the request goes on."""

    def __init__(self, app: ASGIApp, *checks: Check) -> None:
        self.app = app
        self.checks = checks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self.app
        if scope["type"] == "http" and (problem := next(filter(None, (check(scope) for check in self.checks)), None)):
            app = await on_problem(Request(scope, receive), problem)
        await app(scope, receive, send)
