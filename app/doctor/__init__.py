"""The doctor (`parley doctor`): checks the dependencies of an installation, and suggests a fix for each problem."""

from __future__ import annotations

from collections.abc import AsyncIterator

from app.doctor import configuration, database, machine, mail, proxy, redis
from app.doctor.finding import Finding, State

__all__ = ["Finding", "State", "examine"]


async def examine(url: str | None = None) -> AsyncIterator[Finding]:
    """Run all checks and yield each finding at once. `url`: the address to check, instead of PUBLIC_URL."""
    for finding in machine.versions():
        yield finding
    settings, findings = configuration.load()
    for finding in findings:
        yield finding
    if settings is None:
        return  # the other checks need settings
    for check in (database.examine, redis.examine, mail.examine):
        async for finding in check(settings):
            yield finding
    for finding in machine.examine(settings):
        yield finding
    async for finding in proxy.examine(settings, url):
        yield finding
