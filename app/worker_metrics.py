"""Workers: the processes that serve one port together (`uvicorn --workers 4`). Whichever of them is asked how things
are can say so for all.

1. They have one parent, so a directory of the parent's name is where they meet. Each listens there on a socket, and
   tells whoever connects. What is asked is told then: nothing is written down, and nothing has to be cleaned.
2. Each has a number, the lowest that is free, for as long as it lives. Who takes a dead one's place takes its number:
   what is counted under that begins anew, as it does after a restart, and the numbers do not become more.
3. A process without such a parent is the only worker, number 1, and leaves no trace.
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

PATIENCE = 1.0  # seconds that another worker has for an answer
WAITING = 16  # askers whom a busy worker keeps waiting; the next are told nothing


class Workers:
    """The workers of this port, this one among them. An async context manager: the others find it inside.

    `tell` answers what this one says of itself when it is asked, here or by another.
    """

    def __init__(self, tell: Callable[[], bytes]) -> None:
        self.number = 1
        self._tell = tell
        self._home = _meeting_place()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        if self._home:
            try:
                self.number, listener = _take_number(self._home)
            except OSError as error:
                log.warning("the workers of this port cannot meet, each tells of itself alone: %s", error)
                self._home = None
                return self
            self._server = await asyncio.start_unix_server(self._answer, sock=listener)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server and self._home:
            self._server.close()
            _give_back(self._home, self.number)

    async def ask(self) -> dict[int, bytes | None]:
        """What every worker says, by number; None for one that is there and does not answer in time."""
        others = [number for number in _numbers(self._home) if number != self.number]
        answers = await asyncio.gather(*(self._ask(number) for number in others))
        told = {number: answer for number, answer in zip(others, answers, strict=True) if answer != b""}
        return {self.number: self._tell(), **told}

    async def _ask(self, number: int) -> bytes | None:
        """Empty where nobody is. Whoever gets no place with one that is busy is seemingly let in, and reads nothing."""
        assert self._home
        try:
            async with asyncio.timeout(PATIENCE):
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
        writer.write(self._tell())
        writer.close()  # once that has been sent


def _meeting_place() -> Path | None:
    parent = multiprocessing.parent_process()
    if parent is None or sys.platform == "win32":
        return None
    return Path(tempfile.gettempdir()) / f"parley-{os.getuid()}-workers-{parent.pid}"


def _socket(home: Path, number: int) -> Path:
    return home / f"{number}.sock"


def _numbers(home: Path | None) -> list[int]:
    return sorted(int(path.stem) for path in home.glob("*.sock") if path.stem.isdecimal()) if home else []


def _take_number(home: Path) -> tuple[int, socket.socket]:
    """The lowest number whose socket is nobody's, and that socket."""
    while True:
        make_private(home)
        with suppress(FileNotFoundError), _alone(home):  # the last one out removes it
            for number in count(1):
                path = _socket(home, number)
                if not _is_taken(path):
                    path.unlink(missing_ok=True)
                    listener = socket.socket(socket.AF_UNIX)
                    listener.bind(str(path))
                    listener.listen(WAITING)
                    return number, listener


def _give_back(home: Path, number: int) -> None:
    with suppress(OSError), _alone(home):
        _socket(home, number).unlink(missing_ok=True)
        home.rmdir()  # fails while others are there, and that is right


def _is_taken(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as asker:
        asker.setblocking(False)
        try:
            asker.connect(str(path))
        except BlockingIOError:  # more wait for it than it lets in
            return True
        except OSError:
            return False
        return True


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """While the block lasts, nobody else takes a number there, or gives one back."""
    directory = os.open(home, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)
