"""A client that sends POST requests over one kept connection, on the socket itself."""

from __future__ import annotations

import asyncio
import time
from typing import Self


class Poster:
    """Sends one request at a time. An async context manager."""

    def __init__(self, port: int) -> None:
        self.cookies = ""
        self.headers: dict[str, str] = {}
        self._port = port

    async def __aenter__(self) -> Self:
        self._in, self._out = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._out.close()

    async def post(self, path: str, body: bytes) -> float:
        """The time at which the response arrived. Raises AssertionError unless the status is 2xx."""
        more = {"Cookie": self.cookies, **self.headers} if self.cookies else self.headers
        lines = "".join(f"{name}: {value}\r\n" for name, value in more.items())
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        self._out.write(f"{head}Content-Length: {len(body)}\r\n{lines}\r\n".encode() + body)
        response = await self._in.readuntil(b"\r\n\r\n")
        assert response.startswith(b"HTTP/1.1 2"), response
        await self._skip(response.lower())
        return time.monotonic()

    async def _skip(self, head: bytes) -> None:
        _, found, length = head.partition(b"content-length: ")
        if found:
            await self._in.readexactly(int(length.split(b"\r\n", 1)[0]))
        elif b"chunked" in head:
            while size := int(await self._in.readline(), 16):
                await self._in.readexactly(size + 2)
            await self._in.readline()
