"""The live engine, in which nothing but a hint makes a feed read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from app.settings import Settings


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Sweeps are five minutes apart: what arrives in a test has come by hint. Tests about sweeps set their own."""
    return settings.model_copy(update={"sweep_seconds": 300.0})
