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

Diagnose = Callable[..., Diagnosis]

KEY = "8qE0ZkX2vTnWc5RyLhB7sJdA4uMfPgoi"


@pytest.fixture
def diagnose(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Diagnose:
    monkeypatch.setattr("app.settings.ROOT", tmp_path)
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")

    def diagnose(**environment: str) -> Diagnosis:
        (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in environment.items()))
        return Diagnosis(configuration.load()[1])

    return diagnose


def test_development_settings_on_a_developers_machine_are_ok(diagnose: Diagnose) -> None:
    assert diagnose().is_ok
    assert diagnose(COMPOSE_PROJECT_NAME="talk", PORT="9000").is_ok


def test_a_wrong_value_is_reported_with_the_name_of_its_variable(diagnose: Diagnose) -> None:
    named = {message.partition(":")[0] for message in diagnose(PORT="99999", SWEEP_SECONDS="x").problems}
    assert named == {"PORT", "SWEEP_SECONDS"}
    assert diagnose(ENVIRONMENT="production").problems


def test_development_settings_are_a_problem_at_a_public_address(diagnose: Diagnose) -> None:
    served = diagnose(PUBLIC_URL="https://talk.example.com").problems
    assert len(served) == 2, "two problems: mail is not sent, and the key is public"
    own = {"PUBLIC_URL": "https://talk.example.com", "ENVIRONMENT": "production", "REQUIRE_CONFIRMATION": "off"}
    assert diagnose(**own, SECRET_KEY=KEY).is_ok
    assert diagnose(**own, SECRET_KEY="abc" * 20).warnings
    assert diagnose(**own, SECRET_KEY=KEY, FORWARDED_ALLOW_IPS="*").warnings


def test_a_misspelt_setting_is_reported(diagnose: Diagnose) -> None:
    assert diagnose(DATABSE_URL="sqlite:///x").warnings == ["DATABSE_URL in .env is not a setting."]


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
def test_urls_are_shown_without_passwords(url: str, shown: str) -> None:
    assert masked(url) == shown
