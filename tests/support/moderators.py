"""People with roles, and the reports and audit entries that they made."""

from __future__ import annotations

from collections.abc import Sequence

from app.accounts.logins import viewer_of
from app.accounts.user import Role, User
from app.live.read.pages import read_page
from app.live.service import Parley
from app.live.topics import QUEUE, Topic
from app.live.viewers import Viewer
from app.moderation.audit_log import Decision
from app.moderation.reports import Report
from tests.support.people_without_http import create_viewer


async def create_moderator(parley: Parley, name: str, to: Role = Role.MODERATOR) -> Viewer:
    """Sign `name` up, give them this role, and return their viewer."""
    viewer = await create_viewer(parley, name)
    await set_role(parley, viewer, to)
    return await reload_viewer(parley, viewer)


async def set_role(parley: Parley, viewer: Viewer, to: Role) -> None:
    """Give this role as an owner would; it needs no owner."""
    assert viewer.user_id
    async with parley.writing(Topic.account(viewer.user_id)) as write:
        user = await write.get(User, viewer.user_id)
        assert user
        user.role = to
        write.update(user)


async def reload_viewer(parley: Parley, viewer: Viewer) -> Viewer:
    """The same person's viewer at their next request."""
    assert viewer.login_id
    async with parley.reading() as reading:
        return (await viewer_of(reading, viewer.login_id))[0]


async def list_open_reports(parley: Parley) -> Sequence[Report]:
    async with parley.reading() as reading:
        return (await read_page(reading, Report, QUEUE)).rows


async def list_acts(parley: Parley) -> list[tuple[str, str, str]]:
    """The audit log in order, as (moderator, act, person or place)."""
    async with parley.reading() as reading:
        rows = (await read_page(reading, Decision, QUEUE)).rows
    return [(row.username, row.act, row.person_name or str(row.place)) for row in rows]
