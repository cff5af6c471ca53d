from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from app import maintenance
from app.accounts import login_throttle, logins
from app.accounts.login_throttle import Failures
from app.accounts.logins import Login
from app.live.service import Parley
from app.mail import mail_queue
from app.mail.mail_queue import Kind, Mail
from app.main import create_app
from app.models import LIVE_MODELS
from app.settings import Settings
from tests.support.mail_queue import list_queued
from tests.support.people import person
from tests.support.people_without_http import create_viewer
from tests.support.serving import serving
from tests.support.sse import open_stream
from tests.support.waiting import cancel_tasks, wait_until

LONG_AGO = timedelta(days=60)


async def create_expired_rows(parley: Parley) -> None:
    """Create an expired login, an expired count of failures, and a mail that could not be sent."""
    await logins.sign_in(parley, "alice@example.com", "a wrong one", remember=False)
    then = datetime.now(UTC) - LONG_AGO
    async with parley.database.transaction() as writing, writing.begin():
        mail_queue.queue(writing, Kind.RESET, "alice@example.com")
        await writing.flush()
        await writing.execute(update(Mail).values(created_at=then))
        await writing.execute(update(Login).values(expires_at=then))
        await writing.execute(update(Failures).values(failed_at=then))


async def is_clean(parley: Parley) -> bool:
    async with parley.reading() as reading:
        failures = await reading.get(Failures, login_throttle.key_of("address", "alice@example.com"))
        standing = await reading.scalar(Login.__table__.select().where(Login.deleted_at.is_(None)))
    return failures is None and standing is None and not await list_queued(parley)


async def test_maintenance_removes_expired_rows(parley: Parley) -> None:
    await create_viewer(parley, "alice")
    await create_expired_rows(parley)
    assert not await is_clean(parley)
    await maintenance.run_once(parley)
    assert await is_clean(parley)
    await maintenance.run_once(parley)


async def test_several_processes_may_do_maintenance_at_once(parley: Parley, settings: Settings) -> None:
    await create_viewer(parley, "alice")
    await create_expired_rows(parley)
    async with Parley(settings, LIVE_MODELS, listening=False) as other:
        await asyncio.gather(*(maintenance.run_once(process) for process in (parley, other, parley, other)))
    assert await is_clean(parley)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OperationalError("SELECT 1", {}, Exception("the database is away")), "maintenance: "),
        (RuntimeError("a mistake of ours"), "maintenance"),
    ],
    ids=["trouble", "mistake"],
)
async def test_maintenance_continues_after_a_failure(
    parley: Parley, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception, said: str
) -> None:
    times = []

    async def failing(parley: Parley) -> None:
        times.append(1)
        raise error

    monkeypatch.setattr(maintenance, "INTERVAL_SECONDS", 0.01)
    monkeypatch.setattr(maintenance, "run_once", failing)
    keeping = asyncio.create_task(maintenance.run_maintenance(parley))
    await wait_until(lambda: len(times) >= 3, "the third run")
    await cancel_tasks(keeping)
    (first, *_) = [record for record in caplog.records if record.name == "app.maintenance"]
    assert first.getMessage().startswith(said)
    assert bool(first.exc_info) is isinstance(error, RuntimeError), "only an unexpected error is logged with its stack"


async def test_the_app_runs_maintenance(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "INTERVAL_SECONDS", 0.05)
    async with serving(create_app(settings)) as site, person(site, "alice") as alice:
        parley: Parley = site.state.parley
        async with open_stream(alice, "Article/1") as stream:
            await stream.until("heartbeat")
            await create_expired_rows(parley)
            assert (await stream.until("auth")).json() == {"reason": "expired"}
            await stream.ended()
        await wait_until(lambda: is_clean(parley), "the rest")
