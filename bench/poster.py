"""A client that sends requests over one kept connection, on the socket itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Self

from bench.browser import request_head


class Poster:
    """Sends one request at a time, with these headers. An async context manager."""

    def __init__(self, port: int, headers: Mapping[str, str] | None = None) -> None:
        self._port = port
        self._headers = {"Content-Type": "application/json", **(headers or {})}

    async def __aenter__(self) -> Self:
        self._in, self._out = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._out.close()

    async def get(self, path: str) -> bytes:
        return await self._request("GET", path)

    async def post(self, path: str, body: bytes) -> bytes:
        return await self._request("POST", path, body)

    async def _request(self, method: str, path: str, body: bytes = b"") -> bytes:
        """The body of the response. Raises AssertionError unless the status is 2xx."""
        headers = {**self._headers, "Content-Length": str(len(body))} if body else self._headers
        self._out.write(request_head(method, path, self._port, headers) + body)
        head = await self._in.readuntil(b"\r\n\r\n")
        answer = await self._body(head.lower())
        assert head.startswith(b"HTTP/1.1 2"), head + answer
        return answer

    async def _body(self, head: bytes) -> bytes:
        _, found, length = head.partition(b"content-length: ")
        if found:
            return await self._in.readexactly(int(length.split(b"\r\n", 1)[0]))
        pieces = []
        while b"chunked" in head and (size := int(await self._in.readline(), 16)):
            pieces.append((await self._in.readexactly(size + 2))[:-2])
        if b"chunked" in head:
            await self._in.readline()
        return b"".join(pieces)
