"""Endpoints: a handler together with its route, its input, its response and its documentation.

    @Endpoint("PUT /api/comments/{id}/report", limit=REPORT)
    async def report(request: Request, viewer: Viewer, form: NewReport) -> Json[Reported]:
        \"\"\"Report a comment.

        Each person has one report of a comment.
        \"\"\"

The signature says what the endpoint needs and returns. With `viewer`, the request must be signed in. `form` is the
parsed body. The type in `Json` is the body of the response. A handler without a body returns None, or a `Response` with
headers. The docstring's first line is the summary in the API's documentation, and its other paragraphs are the
description (`app.http.openapi`).

The checks run in this order: sign-in, `admit`, `limit_all`, the body, `limit`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import cycle
from types import ModuleType
from typing import Any, Self, get_args, get_origin, get_type_hints

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from app.accounts.identity import require_sign_in
from app.http import rate_limits
from app.http.parameters import ACCOUNT, IF_MATCH, Parameter
from app.http.rate_limits import FREE_READS, Limit
from app.http.requests import Input, read_input
from app.http.responses import Json
from app.live.model import LiveModel
from app.live.viewers import Viewer

Handler = Callable[..., Awaitable[ASGIApp | None]]


@dataclass(eq=False)
class Endpoint:
    """A decorator for a handler. `route` has the methods and the path: `"PUT,PATCH /api/notifications/read"`.

    `limit` counts requests with a valid body, `limit_all` counts invalid ones, too. `admit` raises if the viewer may
    not use the endpoint. `versioned` is the model whose state is in a 412, if the endpoint reads `If-Match`. `statuses`
    are those of success, by default 200, or 204 without a body. `refuses` are statuses of errors that do not follow
    from the rest. `headers` are the response's, with their descriptions. `media` is the type of a body that is
    not JSON.
    """

    route: str
    parameters: Sequence[Parameter] = ()
    limit: Limit | None = None
    limit_all: Limit | None = None
    admit: Callable[[Viewer], None] | None = None
    versioned: LiveModel | None = None
    statuses: Sequence[int] = ()
    refuses: Sequence[int] = ()
    headers: Mapping[str, str] | None = None
    media: str | None = None
    handler: Handler = field(init=False)

    def __call__(self, handler: Handler) -> Self:
        self.handler = handler
        if self.admit and not self.signed_in:
            raise TypeError(f"{self.route}: a handler with `admit` needs a `viewer`")
        return self

    async def respond(self, request: Request) -> ASGIApp:
        arguments: dict[str, Any] = {}
        take = rate_limits.take_own if self.signed_in else rate_limits.take
        if self.signed_in:
            arguments["viewer"] = viewer = await require_sign_in(request)
            if self.admit:
                self.admit(viewer)
        if self.limit_all:
            await take(request, self.limit_all)
        if self.form:
            arguments["form"] = await read_input(request, self.form)
        if self.limit:
            await take(request, self.limit)
        return await self.handler(request, **arguments) or Response(status_code=204)

    # -- the description --------------------------------------------------------------------------------------

    @property
    def methods(self) -> list[str]:
        return self.route.partition(" ")[0].split(",")

    @property
    def path(self) -> str:
        return self.route.partition(" ")[2]

    @cached_property
    def _types(self) -> dict[str, Any]:
        return get_type_hints(self.handler)

    @property
    def signed_in(self) -> bool:
        return "viewer" in self._types

    @property
    def form(self) -> type[Input] | None:
        return self._types.get("form")

    @property
    def answers(self) -> dict[int, Any]:
        """The type of the body for each status of success; None if there is no body."""
        returned = self._types["return"]
        bodies = [get_args(one)[0] for one in (returned, *get_args(returned)) if get_origin(one) is Json]
        return dict(zip(self.statuses or ([200] if bodies else [204]), cycle(bodies or [None]), strict=False))

    @property
    def is_stream(self) -> bool:
        return bool(self._types["return"] == ASGIApp)

    @property
    def summary(self) -> str:
        return self._paragraphs[0].rstrip(".")

    @property
    def description(self) -> str:
        return "\n\n".join(self._paragraphs[1:])

    @property
    def _paragraphs(self) -> list[str]:
        return [" ".join(lines.split()) for lines in re.split(r"\n\n+", inspect.getdoc(self.handler) or "")]

    def all_parameters(self) -> list[Parameter]:
        return [*self.parameters, *([IF_MATCH] if self.versioned else []), *([ACCOUNT] if self.signed_in else [])]

    def errors(self, method: str) -> list[int]:
        """The statuses of its errors: `refuses`, and those that follow from the rest."""
        follow = {
            400: self.form or self.versioned,
            401: self.signed_in,
            403: method != "GET" or self.admit,  # a request from another site
            404: "{" in self.path,
            412: self.versioned,
            413: self.form,
            415: self.form,
            422: self.form or self.parameters,
            429: self.limit or self.limit_all or (method == "GET" and self.path not in FREE_READS),
            503: self.path != "/healthz",  # the database is unavailable
        }
        return sorted({*self.refuses, *(status for status, follows in follow.items() if follows)} - {*self.answers})


class Resource(Route):
    """One path, with an endpoint for each method. Any other method gets a 405 that lists them."""

    def __init__(self, path: str, endpoints: Mapping[str, Endpoint]) -> None:
        self.endpoints = endpoints
        super().__init__(path, self._dispatch, methods=[*endpoints])

    async def _dispatch(self, request: Request) -> ASGIApp:
        return await self.endpoints["GET" if request.method == "HEAD" else request.method].respond(request)


def resources(*modules: ModuleType, under: str = "") -> list[Resource]:
    """The routes of all endpoints in these modules, in their order there, for a mount at the path `under`."""
    by_path: dict[str, dict[str, Endpoint]] = {}
    for endpoint in _endpoints(modules):
        by_path.setdefault(endpoint.path.removeprefix(under), {}).update(dict.fromkeys(endpoint.methods, endpoint))
    return [Resource(path, endpoints) for path, endpoints in by_path.items()]


def _endpoints(modules: Sequence[ModuleType]) -> Iterator[Endpoint]:
    for module in modules:
        yield from (one for one in vars(module).values() if isinstance(one, Endpoint))
