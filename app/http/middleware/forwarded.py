"""Forwarded addresses: the client's address if the app trusts every proxy (FORWARDED_ALLOW_IPS=*)."""

from __future__ import annotations

import logging

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.client_addresses import FORWARDED_FOR
from app.settings import Settings

log = logging.getLogger(__name__)


class NearestForwardedMiddleware:
    """Takes the last address in X-Forwarded-For as the client's: the one that the nearest proxy has added.

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
        if scope["type"] == "http" and (forwarded := Headers(scope=scope).getlist(FORWARDED_FOR)):
            scope = {**scope, "client": (_address_in(forwarded[-1].rpartition(",")[2].strip()), 0)}
        await self.app(scope, receive, send)


def _address_in(forwarded: str) -> str:
    """The address without a port: some proxies send 192.0.2.1:5678, or [2001:db8::1]:5678."""
    if forwarded.startswith("["):
        return forwarded[1:].partition("]")[0]
    return forwarded.partition(":")[0] if forwarded.count(":") == 1 else forwarded
