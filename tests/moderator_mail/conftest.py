"""A process in production, its mail server, its owner, a moderator, Alice and Bob."""

from __future__ import annotations

import pytest

from app.accounts.user import Role
from app.live.service import Parley
from app.live.viewers import Viewer
from tests.support.mail_fixtures import alice, bob, parley, production, server
from tests.support.moderator_mail import with_role

__all__ = ["alice", "bob", "parley", "production", "server"]


@pytest.fixture
async def olga(parley: Parley) -> Viewer:
    """The owner."""
    return await with_role(parley, "olga", Role.OWNER)


@pytest.fixture
async def mia(parley: Parley) -> Viewer:
    """A moderator."""
    return await with_role(parley, "mia")
