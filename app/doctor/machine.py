"""Checks the machine: installed versions, the limit of open files, and the disk space of SQLite."""

from __future__ import annotations

import platform
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from app import __version__
from app.database import POOL_SIZE, file_of
from app.doctor.finding import Finding, ok, warning, wrong
from app.pages.assets import BUILD, MANIFEST
from app.settings import Settings

if sys.platform != "win32":
    import resource

SHOWN_PACKAGES = ("uvicorn", "starlette", "sse-starlette", "SQLAlchemy", "asyncpg", "redis")
OTHER_FILES = 2 * POOL_SIZE + 60  # open files of a process besides streams: database, Redis, mail, code
LOW_DISK_BYTES, FULL_DISK_BYTES = 1_000_000_000, 100_000_000


def versions() -> Iterator[Finding]:
    yield ok("version", f"Parley {__version__}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}")
    yield ok("version", ", ".join(f"{name} {_version(name)}" for name in SHOWN_PACKAGES))
    if not (BUILD / MANIFEST).exists():
        message = "the front end is not built: pages have no styles and are not live."
        yield wrong(
            "version", message, "In a checkout, run make assets. Otherwise install a wheel built by make wheel."
        )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def examine(settings: Settings) -> Iterator[Finding]:
    if sys.platform != "win32":
        yield files(resource.getrlimit(resource.RLIMIT_NOFILE)[0], settings.max_streams)
    file = file_of(settings.database_url)
    if file and file.parent.is_dir():
        yield disk(file.parent, shutil.disk_usage(file.parent).free)


def files(limit: int, streams: int) -> Finding:
    wanted = streams + OTHER_FILES
    if limit < 0 or limit >= wanted:  # -1 is infinity
        return ok("files", f"a process may open {'any number of' if limit < 0 else limit} files; {wanted} are enough")
    message = f"a process may open {limit} files, but MAX_STREAMS={streams} needs {wanted}."
    return warning(
        "files", message, f"Set ulimit -n {wanted}, LimitNOFILE={wanted} in the systemd unit, or lower MAX_STREAMS."
    )


def disk(place: Path, free: int) -> Finding:
    message = f"{free / 1e9:.1f} GB free at {place}"
    if free < FULL_DISK_BYTES:
        return wrong("disk", f"{message}.", "Free some space before the database can't write any more.")
    return warning("disk", f"{message}.", "Free some space soon.") if free < LOW_DISK_BYTES else ok("disk", message)
