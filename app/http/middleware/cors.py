"""CORS: pages of listed origins (ALLOWED_ORIGINS) may call the API and the streams, and read the responses."""

from __future__ import annotations

from collections.abc import Collection

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.middleware.csrf import is_listed

SHARED_PATHS = ("/api/", "/streams", "/changes/")


class ListedOriginsCORSMiddleware:
    """Adds CORS headers for listed origins only, with credentials: such a page acts as the signed-in user."""

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
        shared = scope["type"] == "http" and scope["path"].startswith(SHARED_PATHS) and is_listed(scope, self.origins)
        await (self.cors if shared else self.app)(scope, receive, send)
