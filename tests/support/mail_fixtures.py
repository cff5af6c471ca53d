"""Fixtures for tests of mail: a mail server, and a process in production with people whose addresses are confirmed.

The conftest.py of a folder imports the fixtures that its tests use.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.accounts import accounts
from app.live.service import Parley
from app.live.viewers import Viewer
from app.models import LIVE_MODELS
from app.settings import Settings
from tests.support.people import email_of
from tests.support.smtp import MailServer, mail_server

KEY = "a key that is long enough for production"
PASSWORD = "rivers are never the same"  # not that of the demo, with which production does not start
PUBLIC_URL = "https://talk.example.com"
HOST = "https://blog.example.com"


def in_production(settings: Settings, smtp_url: str | None, **more: Any) -> Settings:
    decided = {"environment": "production", "secret_key": KEY, "require_confirmation": True, "smtp_url": smtp_url}
    return settings.model_copy(
        update={**decided, "public_url": PUBLIC_URL, "allowed_origins": frozenset({HOST}), **more}
    )


def process(settings: Settings) -> Parley:
    """A process. It queues and sends mail only when the test calls it."""
    return Parley(settings, LIVE_MODELS, listening=False)


async def confirmed(parley: Parley, name: str) -> Viewer:
    """A person whose address is confirmed."""
    user = await accounts.create_account(parley, email_of(name), name, PASSWORD)
    return Viewer(user.id, user.username)


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with mail_server() as server:
        yield server


@pytest.fixture
def production(settings: Settings, server: MailServer) -> Settings:
    return in_production(settings, server.url)


@pytest.fixture
async def parley(production: Settings) -> AsyncIterator[Parley]:
    """A process in production. It queues and sends mail only when the test calls it."""
    async with process(production) as parley:
        yield parley


@pytest.fixture
async def alice(parley: Parley) -> Viewer:
    return await confirmed(parley, "alice")


@pytest.fixture
async def bob(parley: Parley) -> Viewer:
    return await confirmed(parley, "bob")
