"""A resource: one path, an endpoint for each method; any other method is a 405 that names them all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp

Endpoint = Callable[[Request], Awaitable[ASGIApp]]


class Resource(Route):
    def __init__(self, path: str, **endpoints: Endpoint) -> None:
        self.endpoints = endpoints
        super().__init__(path, self._dispatch, methods=[*endpoints])

    async def _dispatch(self, request: Request) -> ASGIApp:
        return await self.endpoints["GET" if request.method == "HEAD" else request.method](request)


def resource(path: str, **endpoints: Endpoint) -> Resource:
    return Resource(path, **endpoints)
