"""Checks the proxy: it passes streams on unbuffered, and forwards the browser's host, scheme and address.

The doctor sends requests from outside, as a browser does, to PUBLIC_URL or to another address. It does not sign in and
writes nothing.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import SplitResult, quote, urlsplit

from app.doctor.finding import Finding, masked, ok, warning, wrong
from app.settings import Settings

SUBJECT = "proxy"
TIMEOUT_SECONDS = 5.0  # until a response that has not begun counts as buffered
UNBUFFERED_SECONDS = 2.0  # the first event of an unbuffered stream comes within this time
MAX_STREAM_BYTES = 16_384  # that are read to find the first event
BROWSER_HEADERS = {"Accept": "*/*", "User-Agent": "parley doctor", "Accept-Encoding": "gzip, deflate, br"}
UNBUFFER = (
    "nginx: proxy_buffering off and gzip off for /streams; Apache: flushpackets=on; a CDN: bypass it for /streams."
)


async def examine(settings: Settings, url: str | None) -> AsyncIterator[Finding]:
    if url is None and "public_url" not in settings.model_fields_set:
        yield ok(SUBJECT, "not checked: set PUBLIC_URL, or pass --url")
        return
    at = urlsplit((url or settings.public_url).rstrip("/"))
    if at.scheme not in ("http", "https") or not at.hostname or "@" in at.netloc:
        yield wrong(SUBJECT, f"{masked(at.geturl())} is not a URL.", "Use one like https://talk.example.com.")
        return
    topic = f"{min(settings.commentable_types)}/doctor"
    for finding in await asyncio.to_thread(lambda: list(_examine(at, topic))):
        yield finding


def _examine(at: SplitResult, topic: str) -> Iterator[Finding]:
    try:
        with closing(_connect(at)) as connection:
            healthy = _ask(connection, "GET", f"{at.path}/healthz")
            if not _is_ours(healthy):
                message = f"{at.geturl()}/healthz answers {healthy.status}, but it is not Parley."
                yield wrong(
                    SUBJECT,
                    message,
                    "Is Parley running, and does the proxy forward to it? If it uses a path prefix, set ROOT_PATH.",
                )
                return
        yield ok(SUBJECT, f"{at.geturl()} reaches Parley")
        yield from _encrypted(at, healthy)
        yield from _same_host(at)
        yield from _stream(at, topic)
    except ssl.SSLCertVerificationError as error:
        yield wrong(SUBJECT, f"{at.geturl()}: {error.verify_message}.", "Browsers will reject this certificate too.")
    except (OSError, HTTPException) as error:
        message = f"{at.geturl()}: {str(error) or type(error).__name__}."
        yield wrong(SUBJECT, message, "Is this the public address, and can this machine reach it?")


def _connect(at: SplitResult) -> HTTPConnection:
    host = at.hostname or ""
    if at.scheme == "https":
        return HTTPSConnection(host, at.port, timeout=TIMEOUT_SECONDS, context=ssl.create_default_context())
    return HTTPConnection(host, at.port, timeout=TIMEOUT_SECONDS)


def _ask(connection: HTTPConnection, method: str, path: str, body: str | None = None, **headers: str) -> HTTPResponse:
    connection.request(method, path, body, {**BROWSER_HEADERS, **headers})
    return connection.getresponse()


def _is_ours(answer: HTTPResponse) -> bool:
    try:
        return answer.status == 200 and json.loads(answer.read(MAX_STREAM_BYTES)) == {"status": "alive"}
    except ValueError:
        return False


def _encrypted(at: SplitResult, answer: HTTPResponse) -> Iterator[Finding]:
    """Parley sends HSTS if it considers the request to be over TLS. So the header shows what the proxy reports."""
    if at.scheme == "http":
        if at.hostname not in ("127.0.0.1", "::1", "localhost"):
            yield warning(
                SUBJECT, "no TLS: passwords and cookies are sent unencrypted.", "Put a proxy with TLS in front."
            )
        return
    if "Strict-Transport-Security" not in answer.headers:
        yield wrong(
            SUBJECT, "Parley gets plain HTTP, and the proxy's address instead of the visitors'.",
            "The proxy must set X-Forwarded-Proto and X-Forwarded-For, and FORWARDED_ALLOW_IPS must name the proxy.",
        )  # fmt: skip
    else:
        yield ok(SUBJECT, "Parley knows that it is served over TLS")
    protocol = _negotiated(at)
    if protocol == "h2":
        yield ok(SUBJECT, "HTTP/2")
    else:
        message = "no HTTP/2: a browser opens at most six connections to a host, and a stream occupies one."
        yield warning(SUBJECT, message, "nginx: http2 on; Caddy: nothing to set.")


def _negotiated(at: SplitResult) -> str | None:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with closing(HTTPSConnection(at.hostname or "", at.port, timeout=TIMEOUT_SECONDS, context=context)) as connection:
        connection.connect()
        return connection.sock.selected_alpn_protocol() if isinstance(connection.sock, ssl.SSLSocket) else None


def _same_host(at: SplitResult) -> Iterator[Finding]:
    """Send a POST like a page of Parley, as a guest: 401 if the cross-site check accepts it, else 403."""
    with closing(_connect(at)) as connection:
        headers = {"Origin": f"{at.scheme}://{at.netloc}", "Content-Type": "application/json"}
        answer = _ask(connection, "POST", f"{at.path}/api/typing", "{}", **headers)
    if answer.status == 403:
        message = "Parley refuses writes from browsers: it gets another Host than they send."
        yield wrong(SUBJECT, message, "nginx: proxy_set_header Host $http_host; Apache: ProxyPreserveHost On.")
    else:
        yield ok(SUBJECT, "Parley gets the host that browsers send")


def _stream(at: SplitResult, topic: str) -> Iterator[Finding]:
    began = time.monotonic()
    with closing(_connect(at)) as connection:
        try:
            path = f"{at.path}/streams?topic={quote(topic, safe='/')}"
            answer = _ask(connection, "GET", path, Accept="text/event-stream")
            yield from _headers(answer)
            if answer.status != 200 or "Content-Encoding" in answer.headers:
                return  # there is no event to find
            first = _until_event(answer)
        except TimeoutError:
            message = f"no stream event came within {TIMEOUT_SECONDS:g} s: something buffers the response."
            yield wrong(SUBJECT, message, UNBUFFER)
            return
    took = time.monotonic() - began
    if b"event: heartbeat" not in first:
        message = "a stream began without a heartbeat: a stream limit is reached, or the proxy changes the response."
        yield warning(SUBJECT, message, "Check again in a minute. If it persists, check MAX_STREAMS and the proxy.")
    elif took > UNBUFFERED_SECONDS:
        yield wrong(SUBJECT, f"the first event of a stream took {took:.1f} s.", UNBUFFER)
    else:
        yield ok(SUBJECT, f"the first stream event arrives in {took * 1000:.0f} ms")


def _headers(answer: HTTPResponse) -> Iterator[Finding]:
    kind, cache = answer.headers.get_content_type(), answer.headers.get("Cache-Control", "")
    if answer.status != 200 or kind != "text/event-stream":
        message = f"/streams answers {answer.status}, {kind}: EventSource clients give up on that."
        yield wrong(SUBJECT, message, "The proxy must forward /streams to Parley unchanged.")
    if encoding := answer.headers.get("Content-Encoding"):
        message = f"streams are compressed ({encoding}), which delays events."
        yield wrong(SUBJECT, message, "Turn off compression for text/event-stream.")
    if "no-transform" not in cache or "no-store" not in cache:
        message = f"streams arrive with Cache-Control: {cache or 'nothing'}; Parley sends no-store, no-transform."
        yield warning(SUBJECT, message, "The proxy must not change that header: other proxies rely on it.")


def _until_event(answer: HTTPResponse) -> bytes:
    """Read until the first block is complete. Raises TimeoutError."""
    read = b""
    while b"event:" not in read or not read.endswith(b"\n\n"):
        some = answer.read1(MAX_STREAM_BYTES)
        if not some or len(read) > MAX_STREAM_BYTES:
            break
        read += some
    return read
