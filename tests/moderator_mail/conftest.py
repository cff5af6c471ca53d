from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from app.accounts.user import Role
from app.live.service import Parley
from app.live.viewers import Viewer
from app.settings import Settings
from tests.support.moderator_mail import with_role
from tests.support.reply_mail import confirmed, in_production, process
from tests.support.smtp import MailServer, mail_server


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
async def olga(parley: Parley) -> Viewer:
    """The owner."""
    return await with_role(parley, "olga", Role.OWNER)


@pytest.fixture
async def mia(parley: Parley) -> Viewer:
    """A moderator."""
    return await with_role(parley, "mia")


@pytest.fixture
async def alice(parley: Parley) -> Viewer:
    return await confirmed(parley, "alice")


@pytest.fixture
async def bob(parley: Parley) -> Viewer:
    return await confirmed(parley, "bob")
