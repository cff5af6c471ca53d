"""Pollers: one client process with thousands of guests who read changes by long polls.

    python -m bench.pollers PORT READERS QUERY      one JSON object a line on stdout

It is cheap, so that it is not the limit: it has one epoll, and parses each distinct response once. The first line says
that all guests wait. Then comes a line for each change that all of them have received, with the times of
CLOCK_MONOTONIC and the CPU time of this process.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from typing import Any

from bench.browser import COMMON, request_head

READERS_AN_ADDRESS = 5_000
PATH = "/changes/Article/0"


class Pollers:
    def __init__(self, port: int, query: str) -> None:
        self._port = port
        self._epoll = select.epoll()
        self._readers: dict[int, tuple[socket.socket, list[bytes]]] = {}  # with the parts of an incomplete response
        self._parsed: dict[bytes, tuple[bytes, int]] = {}  # by response: the next request, and the number of events
        self._first = self._request(query)

    def open(self, number: int) -> None:
        connection = socket.socket()
        connection.bind((f"127.0.2.{1 + number // READERS_AN_ADDRESS}", 0))
        connection.connect(("127.0.0.1", self._port))
        connection.sendall(self._first)
        self._readers[connection.fileno()] = connection, []
        self._epoll.register(connection.fileno(), select.EPOLLIN)

    def next_change(self) -> dict[str, Any]:
        """Read until each guest has received one more event."""
        times: list[float] = []
        cpu = time.process_time()
        while len(times) < len(self._readers):
            for fd, _ in self._epoll.poll(60):
                if events := self._read(fd):
                    times += [time.monotonic()] * events
        return {"times": times, "cpu": time.process_time() - cpu}

    def _read(self, fd: int) -> int:
        """Read from this guest's connection. Returns the number of events if the response is complete."""
        connection, parts = self._readers[fd]
        parts.append(connection.recv(1 << 17))
        if not parts[-1]:
            raise ConnectionError(f"a connection has ended: {b''.join(parts)[:300]!r}")
        head, _, body = b"".join(parts).partition(b"\r\n\r\n")
        if body not in self._parsed:
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            if len(body) < length:
                return 0
            changes = json.loads(body)
            self._parsed[body] = self._request(changes["next"]), len(changes["events"])
        parts.clear()
        request, events = self._parsed[body]
        connection.sendall(request)
        return events

    def _request(self, query: str) -> bytes:
        headers = {name: value for name, value in COMMON.items() if name != "Accept-Encoding"}
        return request_head("GET", f"{PATH}?{query}", self._port, {**headers, "Accept": "*/*"})


def main() -> None:
    port, readers, query = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    pollers = Pollers(port, query)
    for number in range(readers):
        pollers.open(number)
    print(json.dumps({"readers": readers}), flush=True)
    while True:
        print(json.dumps(pollers.next_change()), flush=True)


if __name__ == "__main__":
    main()
