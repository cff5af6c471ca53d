"""Worker metrics: collects the metrics of all processes that serve one port (`uvicorn --workers 4`). Any worker can
answer for all of them.

1. The workers have one parent process, so they meet in a directory named after its process id. Each listens there on a
   unix socket, and sends its metrics to each process that connects. Nothing is stored, so nothing has to be cleaned up.
2. Each worker has a number, the lowest free one, until it ends. A worker that replaces a dead one gets the same number:
   its counters start at zero, as after a restart, and the set of numbers does not grow.
3. A process without such a parent is the only worker, number 1, and creates no files.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Self

from app.redis.embedded import make_private

if sys.platform != "win32":
    import fcntl

log = logging.getLogger(__name__)

ANSWER_TIMEOUT_SECONDS = 1.0  # for the answer of another worker
LISTEN_BACKLOG = 16  # connections that wait for a busy worker; further ones get no answer


class Workers:
    """The workers of this port. An async context manager: while it is open, the other workers can find this one.

    `read_own` returns the metrics of this worker.
    """

    def __init__(self, read_own: Callable[[], bytes]) -> None:
        self.number = 1
        self._read_own = read_own
        self._home = _shared_directory()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        if self._home:
            try:
                self.number, listener = _take_number(self._home)
            except OSError as error:
                log.warning("the workers of this port cannot connect (%s); each reports only its own metrics", error)
                self._home = None
                return self
            self._server = await asyncio.start_unix_server(self._answer, sock=listener)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server and self._home:
            self._server.close()
            _release_number(self._home, self.number)

    async def ask(self) -> dict[int, bytes | None]:
        """The answers of all workers, by number; None for a worker that does not answer in time."""
        others = [number for number in _numbers(self._home) if number != self.number]
        answers = await asyncio.gather(*(self._ask(number) for number in others))
        received = {number: answer for number, answer in zip(others, answers, strict=True) if answer != b""}
        return {self.number: self._read_own(), **received}

    async def _ask(self, number: int) -> bytes | None:
        """The answer; empty if no worker listens there; None if it is too slow, or its backlog is full."""
        assert self._home
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_SECONDS):
                reader, writer = await asyncio.open_unix_connection(_socket(self._home, number))
                try:
                    return await reader.read() or None
                finally:
                    writer.close()
        except (FileNotFoundError, ConnectionRefusedError):
            return b""
        except OSError:  # a TimeoutError is one
            return None

    def _answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self._read_own())
        writer.close()  # after the data is sent


def _shared_directory() -> Path | None:
    parent = multiprocessing.parent_process()
    if parent is None or sys.platform == "win32":
        return None
    return Path(tempfile.gettempdir()) / f"parley-{os.getuid()}-workers-{parent.pid}"


def _socket(home: Path, number: int) -> Path:
    return home / f"{number}.sock"


def _numbers(home: Path | None) -> list[int]:
    return sorted(int(path.stem) for path in home.glob("*.sock") if path.stem.isdecimal()) if home else []


def _take_number(home: Path) -> tuple[int, socket.socket]:
    """The lowest number that no worker uses, and a listening socket for it."""
    while True:
        make_private(home)
        with suppress(FileNotFoundError), _locked(home):  # the last worker to leave removes it
            for number in count(1):
                path = _socket(home, number)
                if not _is_taken(path):
                    path.unlink(missing_ok=True)
                    listener = socket.socket(socket.AF_UNIX)
                    listener.bind(str(path))
                    listener.listen(LISTEN_BACKLOG)
                    return number, listener


def _release_number(home: Path, number: int) -> None:
    with suppress(OSError), _locked(home):
        _socket(home, number).unlink(missing_ok=True)
        home.rmdir()  # fails, as it should, while other workers use it


def _is_taken(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.setblocking(False)
        try:
            client.connect(str(path))
        except BlockingIOError:  # its backlog is full
            return True
        except OSError:
            return False
        return True


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Hold a lock, so that no other worker takes or returns a number while the block runs."""
    directory = os.open(home, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)
