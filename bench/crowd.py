"""A crowd: thousands of open streams in one process, cheap enough that the server is what is measured.

    python -m bench.crowd          commands on stdin, answers on stdout, a JSON object a line

One epoll, one buffer, no parsing: what is received is searched for the mark of a frame, and the clock is read. That is
2 to 3 µs a delivery; each answer has the CPU that was used, so that the bench can tell it beside the server's.
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

MARK = b'data: {"payload"'
BUFFER = 1 << 20
HANDSHAKES = 200  # connections that are being opened at a time
STREAMS_AN_ADDRESS = 5_000  # a client address has 28,000 ports, and several crowds use them
IP_BIND_ADDRESS_NO_PORT = 24  # linux/in.h: a port is chosen when it is known for which server


class Stream:
    """One connection: what it asks for, which topic that is, and the end of what was cut in the middle of a line."""

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
        self, port: int, paths: Sequence[str], sessions: int, ready: str, address: int = 0, handshakes: int = HANDSHAKES
    ) -> dict[str, Any]:
        """Open so many streams, of these paths in turn, so many at a time; answers when each is ready.

        A stream is ready when it has received `ready`. `address` is where in 127.0.0.0/8 the clients begin to be.
        """
        began = time.monotonic()
        waiting = deque(range(sessions))
        opening: dict[int, tuple[Stream, bytes]] = {}
        heard: dict[int, bytes] = {}
        while waiting or opening:
            while waiting and len(opening) < handshakes:
                number = waiting.popleft()
                topic = number % len(paths)
                stream = Stream(_connected(port, address + number // STREAMS_AN_ADDRESS), topic)
                opening[stream.socket.fileno()] = stream, _request(paths[topic])
                self._epoll.register(stream.socket.fileno(), select.EPOLLOUT)
            for fd, _ in self._epoll.poll(10):
                if fd not in opening:
                    self._read(self._streams[fd])
                    continue
                stream, request = opening[fd]
                if fd not in heard:
                    heard[fd] = b""
                    stream.socket.sendall(request)
                    self._epoll.modify(fd, select.EPOLLIN)
                    continue
                data = stream.socket.recv(65_536)
                if not data:
                    raise ConnectionError(f"refused: {heard[fd][:300]!r}")
                heard[fd] += data
                if ready.encode() in heard[fd]:
                    stream.seen, stream.rest = heard[fd].count(MARK), heard[fd][1 - len(MARK) :]
                    self._streams[fd] = stream
                    del opening[fd], heard[fd]
        frames = sum(stream.seen for stream in self._streams.values())
        return {"sessions": len(self._streams), "seconds": time.monotonic() - began, "frames": frames}

    def watch(self, deliveries: int, seconds: float, say: Callable[[Any], None], quiet: float = 0) -> dict[str, Any]:
        """Say that we are looking; then answer when so many frames have come, or so many seconds have passed.

        Times are CLOCK_MONOTONIC, which is the same in all processes of a machine. With `quiet`, also answer once
        nothing has come for so long.
        """
        say({"watching": len(self._streams)})
        clock, cpu, deadline = time.monotonic, time.process_time(), time.monotonic() + seconds
        came, received, times, last = 0, 0, [], {}
        heard_at = clock()
        while came < deliveries and (left := deadline - clock()) > 0 and not (quiet and clock() - heard_at > quiet):
            for fd, _ in self._epoll.poll(min(left, quiet or left)):
                stream = self._streams[fd]
                size, frames = self._read(stream)
                received += size
                if frames:
                    heard_at = clock()
                    came += frames
                    times.append(heard_at)
                    last[stream.topic] = heard_at
        return {
            "frames": came,
            "bytes": received,
            "times": times if len(times) <= 20_000 else times[:: len(times) // 20_000],
            "last": last,
            "cpu": time.process_time() - cpu,
            "sample": self._sample.decode(errors="replace"),
        }

    def fewest(self) -> dict[str, Any]:
        """How many frames the stream with the fewest has had, and the one with the most."""
        seen = [stream.seen for stream in self._streams.values()]
        return {"fewest": min(seen, default=0), "most": max(seen, default=0)}

    def close(self) -> dict[str, Any]:
        for stream in self._streams.values():
            stream.socket.close()
        closed = len(self._streams)
        self._streams.clear()
        return {"closed": closed}

    def _read(self, stream: Stream) -> tuple[int, int]:
        """(bytes, frames) that this stream has for us now."""
        size = stream.socket.recv_into(self._buffer)
        if not size:
            raise ConnectionError("a stream has ended")
        frames = self._buffer.count(MARK, 0, size)
        if stream.rest or self._buffer[size - 1] != 10:  # a line was cut, which is rare but on slow readers
            frames += self._across(stream, size)
        if frames:
            stream.seen += frames
            if not self._sample:
                self._sample = bytes(self._buffer[: min(size, 4_096)])
        return size, frames

    def _across(self, stream: Stream, size: int) -> int:
        """1 where a mark lies across the end of what was read before."""
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


def _request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n".encode()


def main() -> None:
    def say(answer: Any) -> None:
        print(json.dumps(answer), flush=True)

    crowd = Crowd()
    for line in sys.stdin:
        command = json.loads(line)
        act = getattr(crowd, command.pop("do"))
        try:
            say(act(**command, say=say) if act == crowd.watch else act(**command))
        except OSError as error:
            say({"error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main()
