"""Headers: what a browser is to refuse on our behalf, on every answer (`app.web.access` puts them there).

The content security policy lets pages have what is served here, and nothing inline.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

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
