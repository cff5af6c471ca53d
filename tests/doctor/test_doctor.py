"""`parley doctor` as an operator runs it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from app.cli import parley as command
from tests.support.serving import free_port

if TYPE_CHECKING:
    from app.settings import Settings


pytestmark = pytest.mark.sqlite_only


async def run_doctor(monkeypatch: pytest.MonkeyPatch, *words: str, **environment: str) -> Result:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return await asyncio.to_thread(CliRunner().invoke, command, ["doctor", *words])


async def test_a_healthy_service_has_no_problems(
    settings: Settings, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = await run_doctor(monkeypatch, DATABASE_URL=settings.database_url, REDIS_URL=redis_url)
    assert result.exit_code == 0, result.output
    about = {line[9:].split("  ")[0] for line in result.output.splitlines() if line[:2] == "ok"}
    assert about >= {"version", "configuration", "secret key", "database", "schema", "redis", "mail", "disk", "proxy"}


async def test_every_problem_is_reported_with_advice_and_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.doctor.redis.TIMEOUT_SECONDS", 0.3)
    away = f"parley:hunter2@127.0.0.1:{free_port()}"
    result = await run_doctor(
        monkeypatch, "--url", f"http://{away.partition('@')[2]}", SECRET_KEY="hunter2" * 9,
        DATABASE_URL=f"postgresql://{away}/parley", REDIS_URL=f"redis://{away}", SMTP_URL=f"smtp://{away}",
    )  # fmt: skip
    assert result.exit_code == 1, result.output
    lines = result.output.splitlines()
    wrong = [number for number, line in enumerate(lines) if line.startswith("wrong")]
    assert [lines[number].split()[1] for number in wrong] == ["database", "redis", "mail", "proxy"]
    assert all(lines[number + 1].startswith(" ") for number in wrong), "the advice follows each problem"
    assert "hunter2" not in result.output


async def test_an_invalid_configuration_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    result = await run_doctor(monkeypatch, PORT="99999")
    assert result.exit_code == 1
    assert "PORT: " in result.output
