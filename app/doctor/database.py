"""Checks the database: it answers, has this release's schema, and is on a reliable file system."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

from app import demo
from app.database import (
    DATABASE_ERRORS,
    POOL_SIZE,
    Database,
    Schema,
    file_of,
    known_migrations,
    one_line,
    operator_message,
)
from app.doctor.finding import Finding, masked, ok, warning, wrong
from app.mail import mail_queue
from app.settings import Settings

SUBJECT = "database"
TIMEOUT_SECONDS = 10
SPARE_CONNECTIONS = 10  # for migrations, backups, and an operator with psql
MOUNTS = Path("/proc/self/mounts")

# File systems on which SQLite's locks and shared memory do not work, or not between machines.
NETWORK_FILE_SYSTEMS = (
    "nfs", "cifs", "smb", "9p", "afs", "ceph", "gluster", "lustre", "fuse.sshfs", "fuse.gluster", "fuse.ceph",
)  # fmt: skip


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    where = masked(settings.database_url)
    file = file_of(settings.database_url)
    if file and not file.exists():
        yield wrong(SUBJECT, f"{file} doesn't exist.", "Check DATABASE_URL, or run parley migrate to create it.")
        return
    database = Database(settings.database_url)
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            found = [finding async for finding in _examine(database, file, where)]
            if await database.schema() is not Schema.BEHIND:
                found += await _rows(database, settings)
    except DATABASE_ERRORS as error:
        message = operator_message(error) or one_line(error)
        advice = "Is it running? Check host, user and password in DATABASE_URL."
        found = [wrong(SUBJECT, f"{where}: {message}", advice)]
    finally:
        await database.close()
    for finding in found:
        yield finding


async def _examine(database: Database, file: Path | None, where: str) -> AsyncIterator[Finding]:
    version = await database.ask("SELECT sqlite_version()" if file else "SHOW server_version")
    yield ok(SUBJECT, f"{'SQLite' if file else 'PostgreSQL'} {version} at {where}")
    yield schema(await database.migration(), known_migrations())
    if file:
        yield _writable(file)
        yield place(file, _mounts())
    else:
        if await database.ask("SHOW transaction_read_only") == "on":
            yield wrong(SUBJECT, "it is read-only, perhaps a replica.", "Set DATABASE_URL to the primary.")
        yield connections(int(await database.ask("SHOW max_connections")))


async def _rows(database: Database, settings: Settings) -> list[Finding]:
    found = await _demo(database) if settings.environment == "production" else []
    async with database.reading() as reading:
        dead = await mail_queue.count_dead_letters(reading)
    if dead:
        message = f"{dead} of the last 30 days could never be sent."
        found.append(warning("mail", message, "parley mail failed lists them, with the reason for each."))
    return found


async def _demo(database: Database) -> list[Finding]:
    async with database.reading() as reading:
        published, changed = await demo.find_accounts(reading)
    found = []
    if published:
        found.append(wrong("demo", f"{demo.describe(published)} Parley does not start.", "parley demo remove"))
    if changed:
        named = ", ".join(user.email for user in changed)
        message = f"demo accounts with a password of their own: {named}. Nobody gets mail at these addresses."
        found.append(warning("demo", message, "Change their addresses, or: parley demo remove --all"))
    return found or [ok("demo", "no demo account can sign in")]


def schema(at: str | None, known: list[str]) -> Finding:
    match Schema.of(at, known):
        case Schema.CURRENT:
            return ok("schema", f"up to date, {at}")
        case Schema.BEHIND:
            return wrong("schema", f"{at or 'none'}; this release needs {known[0]}.", "parley migrate")
        case Schema.AHEAD:
            return wrong(
                "schema", f"{at}, which this release does not know.", "It belongs to a later release: run that one."
            )


def _writable(file: Path) -> Finding:
    # SQLite creates its write-ahead log and its shared memory next to the file.
    for path in (file, file.parent):
        if not os.access(path, os.W_OK):
            return wrong(SUBJECT, f"{path} is not writable.", "Make it writable for the user that Parley runs as.")
    return ok(SUBJECT, f"{file} and its directory are writable")


def _mounts() -> str:
    return MOUNTS.read_text() if MOUNTS.exists() else ""


def place(file: Path, mounts: str) -> Finding:
    """`mounts` is like /proc/self/mounts: a device, a directory and a kind on each line."""
    rows = [line.split() for line in mounts.splitlines()]
    kinds = {Path(row[1].replace("\\040", " ")): row[2] for row in rows if len(row) > 2}
    lies_on = next((kinds[path] for path in (file.resolve(), *file.resolve().parents) if path in kinds), "unknown")
    if lies_on.startswith(NETWORK_FILE_SYSTEMS):
        advice = "SQLite's locks don't work there and data can be lost: use a local disk, or PostgreSQL."
        return wrong(SUBJECT, f"{file} is on a network file system ({lies_on}).", advice)
    return ok(SUBJECT, f"{file} is on a {lies_on} file system")


def connections(limit: int) -> Finding:
    ours = 2 * POOL_SIZE
    if limit < ours + SPARE_CONNECTIONS:
        message = f"{limit} connections; each process may use {ours}."
        return warning(SUBJECT, message, "Raise max_connections, or use a pooler in session mode.")
    return ok(SUBJECT, f"{limit} connections, enough for {(limit - SPARE_CONNECTIONS) // ours} processes")
