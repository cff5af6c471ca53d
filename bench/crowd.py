"""A crowd: one client process with thousands of open streams, so cheap that the server is the limit.

    python -m bench.crowd          commands on stdin, results on stdout, one JSON object a line

It has one epoll and one buffer, and parses nothing: it searches the received bytes for the mark of a frame and reads
the clock. A delivery costs it 2 to 3 µs. Each result has the CPU time that the crowd used.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from bench.browser import request_head, stream_headers

MARK = b'data: {"payload"'
BUFFER = 1 << 20
HANDSHAKES = 200  # connections that are opened at the same time
STREAMS_AN_ADDRESS = 5_000  # a client address has 28,000 ports, and several crowds use them
IP_BIND_ADDRESS_NO_PORT = 24  # linux/in.h: the kernel chooses the port in connect(), when it knows the server


class Stream:
    """One connection. `topic`: the number of its path. `rest`: the end of the last read, if it ended within a line."""

    __slots__ = ("rest", "seen", "socket", "topic")

    def __init__(self, connection: socket.socket, topic: int) -> None:
        self.socket = connection
        self.topic = topic
        self.rest = b""
        self.seen = 0  # frames


class Crowd:
    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._streams: dict[int, Stream] = {}
        self._buffer = bytearray(BUFFER)
        self._sample = b""

    def open(
        self, port: int, paths: Sequence[str], sessions: int, ready: str, cookies: Sequence[str] = (), address: int = 0,
        handshakes: int = HANDSHAKES,
    ) -> dict[str, Any]:  # fmt: skip
        """Open streams of these paths and of the people with these cookies in turn, `handshakes` at a time. Returns
        when all of them are ready.

        A stream is ready when it has received `ready`. `address` numbers the first client address in 127.0.0.0/8.
        """
        headers = stream_headers(port)
        began = time.monotonic()
        waiting = deque(range(sessions))
        opening: dict[int, tuple[Stream, bytes]] = {}
        received: dict[int, bytes] = {}
        while waiting or opening:
            while waiting and len(opening) < handshakes:
                number = waiting.popleft()
                topic = number % len(paths)
                stream = Stream(_connected(port, address + number // STREAMS_AN_ADDRESS), topic)
                more = {"Cookie": cookies[number % len(cookies)]} if cookies else {}
                request = request_head("GET", paths[topic], port, {**headers, **more})
                opening[stream.socket.fileno()] = stream, request
                self._epoll.register(stream.socket.fileno(), select.EPOLLOUT)
            for fd, _ in self._epoll.poll(10):
                if fd not in opening:
                    self._read(self._streams[fd])
                    continue
                stream, request = opening[fd]
                if fd not in received:
                    received[fd] = b""
                    stream.socket.sendall(request)
                    self._epoll.modify(fd, select.EPOLLIN)
                    continue
                data = stream.socket.recv(65_536)
                if not data:
                    raise ConnectionError(f"refused: {received[fd][:300]!r}")
                received[fd] += data
                if ready.encode() in received[fd]:
                    stream.seen, stream.rest = received[fd].count(MARK), received[fd][1 - len(MARK) :]
                    self._streams[fd] = stream
                    del opening[fd], received[fd]
        frames = sum(stream.seen for stream in self._streams.values())
        return {"sessions": len(self._streams), "seconds": time.monotonic() - began, "frames": frames}

    def watch(self, deliveries: int, seconds: float, send: Callable[[Any], None], quiet: float = 0) -> dict[str, Any]:
        """Send that the crowd is watching. Then return after this many frames, or after this many seconds.

        With `quiet`, also return if nothing arrived for so many seconds. Times are CLOCK_MONOTONIC, which is the same
        in all processes of a machine.
        """
        send({"watching": len(self._streams)})
        clock, cpu, deadline = time.monotonic, time.process_time(), time.monotonic() + seconds
        arrived, received, times, last = 0, 0, [], {}
        last_at = clock()
        while arrived < deliveries and (left := deadline - clock()) > 0 and not (quiet and clock() - last_at > quiet):
            for fd, _ in self._epoll.poll(min(left, quiet or left)):
                stream = self._streams[fd]
                size, frames = self._read(stream)
                received += size
                if frames:
                    last_at = clock()
                    arrived += frames
                    times.append(last_at)
                    last[stream.topic] = last_at
        return {
            "frames": arrived,
            "bytes": received,
            "times": times if len(times) <= 20_000 else times[:: len(times) // 20_000],
            "last": last,
            "cpu": time.process_time() - cpu,
            "sample": self._sample.decode(errors="replace"),
        }

    def extremes(self) -> dict[str, Any]:
        """The number of frames of the stream that received the fewest, and of the one that received the most."""
        seen = [stream.seen for stream in self._streams.values()]
        return {"fewest": min(seen, default=0), "most": max(seen, default=0)}

    def close(self) -> dict[str, Any]:
        for stream in self._streams.values():
            stream.socket.close()
        closed = len(self._streams)
        self._streams.clear()
        return {"closed": closed}

    def _read(self, stream: Stream) -> tuple[int, int]:
        """Read once from this stream. Returns the numbers of bytes and of frames."""
        size = stream.socket.recv_into(self._buffer)
        if not size:
            raise ConnectionError("a stream has ended")
        frames = self._buffer.count(MARK, 0, size)
        # A read seldom ends within a line, except for slow readers.
        if stream.rest or self._buffer[size - 1] != 10:
            frames += self._across(stream, size)
        if frames:
            stream.seen += frames
            if not self._sample:
                self._sample = bytes(self._buffer[: min(size, 4_096)])
        return size, frames

    def _across(self, stream: Stream, size: int) -> int:
        """1 if a mark begins in the previous read and ends in this one."""
        begins = bytes(self._buffer[: min(size, len(MARK) - 1)])
        across = (stream.rest + begins).count(MARK)
        whole = bytes(self._buffer[max(0, size - len(MARK) + 1) : size])
        stream.rest = b"" if self._buffer[size - 1] == 10 else whole
        return across


def _connected(port: int, host: int) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    connection.bind((f"127.0.{1 + host // 250}.{1 + host % 250}", 0))
    connection.setblocking(False)
    connection.connect_ex(("127.0.0.1", port))
    return connection


def main() -> None:
    def send(result: Any) -> None:
        print(json.dumps(result), flush=True)

    crowd = Crowd()
    for line in sys.stdin:
        command = json.loads(line)
        act = getattr(crowd, command.pop("do"))
        try:
            send(act(**command, send=send) if act == crowd.watch else act(**command))
        except OSError as error:
            send({"error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main()
