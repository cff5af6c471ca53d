"""Security headers of every response (`app.http.middleware.request_log` adds them).

A document gets a content security policy: it may load what is served here, and nothing inline. Scripts, styles, JSON
and streams are not documents: their headers keep a browser from taking them for one, and other sites from reading them.
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
DOCUMENT_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "strict-origin-when-cross-origin",
}
HEADERS = {
    "Cross-Origin-Resource-Policy": "same-site",
    "X-Content-Type-Options": "nosniff",
}
HSTS = "max-age=31536000"  # a year; of this host alone, since we may share its name with others


def framed_by(origins: Collection[str]) -> str:
    """The policy of a page that may stand in iframes of our own pages, and of these origins'."""
    return POLICY.replace("frame-ancestors 'none'", " ".join(["frame-ancestors 'self'", *sorted(origins)]))


def secure_headers(scheme: str, content_type: str) -> Mapping[str, str]:
    transport = {"Strict-Transport-Security": HSTS} if scheme == "https" else {}
    document = DOCUMENT_HEADERS if content_type.startswith("text/html") else {}
    return {**HEADERS, **document, **transport}
