"""Bounded HTTP: uvicorn's protocol with two bounds that it lacks, for connections that do not come through a proxy.

1. A connection whose request head is not complete within `HEAD_TIMEOUT_SECONDS` is closed, even if it sends nothing.
   After an answer uvicorn's own keep-alive timeout holds until the next byte.
2. A head of more than `MAX_HEAD_BYTES` gets 431, and the connection is closed.

The bounds of a body are in `app.http.requests`. `parley serve` and the Dockerfile use this class; `uvicorn
app.main:app` by itself has neither bound and needs a proxy (docs/deployment.md).

This extends a protocol class of uvicorn whose methods are private, because uvicorn has no option for either bound
(https://github.com/Kludex/uvicorn/issues/157, https://github.com/Kludex/uvicorn/pull/1684).
`tests/test_bounded_http.py` fails if those methods change.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

HEAD_TIMEOUT_SECONDS = 15.0
MAX_HEAD_BYTES = 65_536
TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: text/plain; charset=utf-8\r\ncontent-length: 26\r\nconnection: close\r\n\r\n"
    b"The headers are too large."
)


class BoundedHttpProtocol(HttpToolsProtocol):
    _head_bytes = 0
    _in_head = True  # from the moment a head is expected until it is complete
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
            cycle: RequestResponseCycle | None = self.cycle  # None before the first request
            answering = cycle is not None and not cycle.response_complete
            if self._head_timer is None and not answering:  # the first byte of a later request
                self._await_head()
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        self._in_head, self._head_bytes = False, 0
        self._stop_timer()
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > MAX_HEAD_BYTES:
            self._refuse()
        elif not self.transport.is_closing():
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self.transport.is_closing():
            super().on_message_complete()
        self._in_head, self._head_bytes = True, 0

    def _refuse(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(TOO_LARGE)
            self.transport.close()

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT_SECONDS, self._give_up)

    def _give_up(self) -> None:
        self._head_timer = None
        if self._in_head and not self.transport.is_closing():
            self.transport.close()

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
