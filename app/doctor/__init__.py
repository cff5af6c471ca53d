"""The doctor: looks at what Parley stands on, as Parley itself would use it, and says what is wrong and what to do."""

from __future__ import annotations

from collections.abc import AsyncIterator

from app.doctor import configuration, database, machine, mail, proxy, redis
from app.doctor.finding import Finding, State

__all__ = ["Finding", "State", "examine"]


async def examine(url: str | None = None) -> AsyncIterator[Finding]:
    """Everything, one after the other, as it is found. `url` is where people come in, instead of PUBLIC_URL."""
    for finding in machine.versions():
        yield finding
    settings, findings = configuration.load()
    for finding in findings:
        yield finding
    if settings is None:
        return  # with these nothing can be looked at
    for part in (database.examine, redis.examine, mail.examine):
        async for finding in part(settings):
            yield finding
    for finding in machine.examine(settings):
        yield finding
    async for finding in proxy.examine(settings, url):
        yield finding
