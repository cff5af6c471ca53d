"""Headers: what a browser is to refuse on our behalf, on every answer.

The content security policy lets pages have what is served here, and nothing inline. Plain ASGI, since a
BaseHTTPMiddleware would triple the cost of a broadcast.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "object-src 'none'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-site",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "X-Content-Type-Options": "nosniff",
}
HSTS = "max-age=31536000"  # a year; of this host alone, since we may share its name with others


def framed_by(origins: Collection[str]) -> str:
    """The policy of a page that may stand in iframes of our own pages, and of these origins'."""
    return POLICY.replace("frame-ancestors 'none'", " ".join(["frame-ancestors 'self'", *sorted(origins)]))


def secure_headers(scheme: str) -> Mapping[str, str]:
    return {**HEADERS, "Strict-Transport-Security": HSTS} if scheme == "https" else HEADERS


class SecureHeaders:
    """On every answer that passes here, unless it has its own. Those to our own mistakes are made further out, and set
    them, too.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in secure_headers(scope["scheme"]).items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_headers)
