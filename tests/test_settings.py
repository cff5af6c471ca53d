from __future__ import annotations

import pytest
from pydantic import ValidationError

from app.settings import DEVELOPMENT_KEY, ConfigurationError, Settings


def settings(**environment: str) -> Settings:
    return Settings(_env_file=None, **environment)  # type: ignore[call-arg,arg-type]


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgres://u@h/d", "postgresql+asyncpg://u@h/d"),
        ("postgresql://u@h/d", "postgresql+asyncpg://u@h/d"),
        ("postgresql+asyncpg://u@h/d", "postgresql+asyncpg://u@h/d"),
        ("sqlite:///var/x.db", "sqlite+aiosqlite:///var/x.db"),
    ],
)
def test_urls_get_the_driver_that_we_use(given: str, used: str) -> None:
    assert settings(database_url=given).database_url == used


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://x"), ("DATABASE_URL", "nonsense"), ("REDIS_URL", "http://x"), ("PORT", "99999"),
        ("REDIS_CHANNEL_NAME", "x" * 201), ("ENVIRONMENT", "staging"), ("SWEEP_SECONDS", "0"),
        ("HEARTBEAT_SECONDS", "x"),
        ("COMMENTABLE_TYPES", "Article,User"), ("COMMENTABLE_TYPES", "article"), ("RING_FRAMES", "0"),
    ],
)  # fmt: skip
def test_a_wrong_value_fails_by_its_variables_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name):
        Settings.load()


@pytest.mark.parametrize("key", [None, DEVELOPMENT_KEY, "short", "x" * 32 + ",", "x" * 32 + "," + DEVELOPMENT_KEY])
def test_production_demands_a_key_of_its_own(monkeypatch: pytest.MonkeyPatch, key: str | None) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    if key:
        monkeypatch.setenv("SECRET_KEY", key)
    with pytest.raises(ConfigurationError, match="SECRET_KEY"):
        Settings.load()


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "")
    assert Settings.load().secret_key == DEVELOPMENT_KEY


def test_types_are_a_list() -> None:
    assert settings(commentable_types="Article, Recipe").commentable_types == {"Article", "Recipe"}


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        settings().port = 1
