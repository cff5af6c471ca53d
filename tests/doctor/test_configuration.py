from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from app.doctor import configuration
from app.doctor.finding import masked
from app.settings import Settings
from tests.doctor.diagnosis import Diagnosis

if TYPE_CHECKING:
    from pathlib import Path

Examined = Callable[..., Diagnosis]

KEY = "8qE0ZkX2vTnWc5RyLhB7sJdA4uMfPgoi"


@pytest.fixture
def examined(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Examined:
    monkeypatch.setattr("app.settings.ROOT", tmp_path)
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")

    def examined(**environment: str) -> Diagnosis:
        (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in environment.items()))
        return Diagnosis(configuration.load()[1])

    return examined


def test_development_on_ones_own_machine_is_well(examined: Examined) -> None:
    assert examined().well
    assert examined(COMPOSE_PROJECT_NAME="talk", PORT="9000").well


def test_what_is_wrong_is_said_by_the_variables_name(examined: Examined) -> None:
    named = {said.partition(":")[0] for said in examined(PORT="99999", SWEEP_SECONDS="x").wrong}
    assert named == {"PORT", "SWEEP_SECONDS"}
    assert examined(ENVIRONMENT="production").wrong


def test_development_is_not_for_others(examined: Examined) -> None:
    served = examined(PUBLIC_URL="https://talk.example.com").wrong
    assert len(served) == 2, "everybody's mail, and everybody's key"
    own = {"PUBLIC_URL": "https://talk.example.com", "ENVIRONMENT": "production", "REQUIRE_CONFIRMATION": "off"}
    assert examined(**own, SECRET_KEY=KEY).well
    assert examined(**own, SECRET_KEY="abc" * 20).warnings
    assert examined(**own, SECRET_KEY=KEY, FORWARDED_ALLOW_IPS="*").warnings


def test_a_misspelt_name_is_noticed(examined: Examined) -> None:
    assert examined(DATABSE_URL="sqlite:///x").warnings == ["DATABSE_URL in .env is not a setting."]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://parley:p@ss/w@rd@host/db", "postgresql://parley:***@host/db"),
        ("redis://:hunter2@host:6379/0", "redis://:***@host:6379/0"),
        ("unix://parley@/s?db=0&password=hunter2", "unix://parley@/s?db=0&password=***"),
        ("redis://host", "redis://host"),
        ("sqlite:////var/parley.db", "sqlite:////var/parley.db"),
    ],
)
def test_no_password_is_shown(url: str, shown: str) -> None:
    assert masked(url) == shown
