"""Roles: owners, moderators, and blocked accounts."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from app.accounts import accounts, logins, roles
from app.accounts.logins import UNKNOWN_BROWSER, End
from app.accounts.mailed_links import Purpose
from app.accounts.user import Role
from app.errors import Conflict, Forbidden, Invalid, Missing, SignInFirst
from app.live.gids import Gid
from app.live.service import Parley
from app.live.viewers import LoginEnded
from app.mail.mail_queue import Kind
from tests.support.mail_queue import find_token_to, find_user_named
from tests.support.moderators import create_moderator, list_acts, reload_viewer
from tests.support.people import PASSWORD
from tests.support.people_without_http import create_viewer, edit_comment, post_comment

pytestmark = pytest.mark.sqlite_only


# -- owners -------------------------------------------------------------------------------------------------


async def test_the_operator_makes_the_first_owner(parley: Parley) -> None:
    alice = await create_viewer(parley, "alice")
    for _ in range(2):
        await roles.assign_role(parley, "alice@example.com", Role.OWNER)
    assert (await reload_viewer(parley, alice)).moderator
    assert await list_acts(parley) == [("", "owner", "alice")]
    with pytest.raises(Missing):
        await roles.assign_role(parley, "nobody@example.com", Role.OWNER)


async def test_an_account_with_an_unconfirmed_address_does_not_become_owner(parley: Parley) -> None:
    strict = parley.settings.model_copy(update={"require_confirmation": True})
    parley.settings, lax = strict, parley.settings
    assert isinstance(await accounts.sign_up(parley, "mallory@example.com", "mallory", PASSWORD), Gid)
    with pytest.raises(Forbidden):
        await roles.assign_role(parley, "mallory@example.com", Role.OWNER)
    parley.settings = lax


async def test_an_owner_gives_and_takes_roles(parley: Parley) -> None:
    alice, bob = await create_moderator(parley, "alice", Role.OWNER), await create_viewer(parley, "bob")
    assert alice.user_id
    assert bob.user_id
    for to, moderates in ((Role.MODERATOR, True), (Role.OWNER, True), (Role.MEMBER, False)):
        await roles.appoint(parley, alice, bob.user_id, to)
        assert (await reload_viewer(parley, bob)).moderator is moderates
    assert [act for _, act, _ in await list_acts(parley)] == ["moderator", "owner", "member"]
    with pytest.raises(Missing):
        await roles.appoint(parley, alice, uuid4(), Role.MODERATOR)


async def test_one_owner_always_remains(parley: Parley) -> None:
    alice, bob = [await create_moderator(parley, name, Role.OWNER) for name in ("alice", "bob")]
    assert alice.user_id
    assert bob.user_id
    outcomes = await asyncio.gather(
        roles.appoint(parley, alice, bob.user_id, Role.MEMBER),
        roles.appoint(parley, bob, alice.user_id, Role.MEMBER),
        return_exceptions=True,
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Forbidden", "User"]
    left = alice if (await find_user_named(parley, "alice")).role == Role.OWNER else bob
    assert left.user_id
    with pytest.raises(Forbidden):
        await roles.appoint(parley, left, left.user_id, Role.MODERATOR)


async def test_the_last_owner_cannot_delete_their_account(parley: Parley) -> None:
    alice, bob = [await create_moderator(parley, name, Role.OWNER) for name in ("alice", "bob")]
    outcomes = await asyncio.gather(
        *(accounts.delete(parley, owner, PASSWORD, "keep") for owner in (alice, bob)), return_exceptions=True
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict", "NoneType"]
    left = alice if outcomes[1] is None else bob
    assert left.username
    assert left.user_id
    with pytest.raises(Conflict, match="Make somebody else an owner first"):
        await accounts.delete(parley, left, PASSWORD, "erase")
    assert (await find_user_named(parley, left.username)).role == Role.OWNER
    carol = await create_viewer(parley, "carol")
    assert carol.user_id
    await roles.appoint(parley, left, carol.user_id, Role.OWNER)
    await accounts.delete(parley, left, PASSWORD, "erase")
    assert await roles.assign_role(parley, "carol@example.com", Role.MEMBER, force=True)


# -- blocking -----------------------------------------------------------------------------------------------


async def test_a_blocked_account_is_signed_out_and_cannot_sign_in(parley: Parley) -> None:
    carol, bob = await create_moderator(parley, "carol", Role.MODERATOR), await create_viewer(parley, "bob")
    assert bob.user_id
    comment = await post_comment(parley, bob, "Almonds")
    await roles.block(parley, carol, bob.user_id, "almonds again")
    with pytest.raises(LoginEnded) as ended:
        await reload_viewer(parley, bob)
    assert ended.value.reason == End.BLOCKED
    with pytest.raises(Forbidden):
        await logins.sign_in(parley, "bob@example.com", PASSWORD, False)
    assert await logins.sign_in(parley, "bob@example.com", "a wrong one", False) is None, (
        "a stranger does not learn of the block"
    )
    with pytest.raises(SignInFirst):
        await post_comment(parley, bob, "on its way")
    with pytest.raises(SignInFirst):
        await edit_comment(parley, bob, comment, "on its way")
    await roles.unblock(parley, carol, bob.user_id)
    assert await logins.sign_in(parley, "bob@example.com", PASSWORD, False)
    assert await list_acts(parley) == [("carol", "block", "bob"), ("carol", "unblock", "bob")]


async def test_a_new_password_does_not_end_a_block(parley: Parley) -> None:
    carol, bob = await create_moderator(parley, "carol", Role.MODERATOR), await create_viewer(parley, "bob")
    assert bob.user_id
    await roles.block(parley, carol, bob.user_id)
    with pytest.raises(Forbidden):
        await accounts.change_password(parley, bob, PASSWORD, "another talk, other friends", UNKNOWN_BROWSER)
    await accounts.send_link(parley, Purpose.RESET, "bob@example.com")
    await accounts.reset_password(
        parley, await find_token_to(parley, "bob@example.com", Kind.RESET), "quite another talk"
    )
    with pytest.raises(Forbidden):
        await logins.sign_in(parley, "bob@example.com", "quite another talk", False)


@pytest.mark.parametrize(
    ("by", "whom", "may"),
    [
        (Role.MODERATOR, Role.MEMBER, True),
        (Role.MODERATOR, Role.MODERATOR, False),
        (Role.MODERATOR, Role.OWNER, False),
        (Role.OWNER, Role.MEMBER, True),
        (Role.OWNER, Role.MODERATOR, True),
        (Role.OWNER, Role.OWNER, False),
        (Role.MEMBER, Role.MEMBER, False),
    ],
)
async def test_only_a_higher_role_may_block_an_account(parley: Parley, by: Role, whom: Role, may: bool) -> None:
    alice, bob = await create_moderator(parley, "alice", by), await create_moderator(parley, "bob", whom)
    assert bob.user_id
    if may:
        await roles.block(parley, alice, bob.user_id)
    else:
        with pytest.raises(Forbidden):
            await roles.block(parley, alice, bob.user_id)
    assert ((await find_user_named(parley, "bob")).blocked_at is not None) is may


async def test_nobody_blocks_themselves(parley: Parley) -> None:
    carol = await create_moderator(parley, "carol", Role.MODERATOR)
    assert carol.user_id
    with pytest.raises(Forbidden):
        await roles.block(parley, carol, carol.user_id)


async def test_a_blocked_account_gets_no_role(parley: Parley) -> None:
    alice, bob = await create_moderator(parley, "alice", Role.OWNER), await create_viewer(parley, "bob")
    assert bob.user_id
    await roles.block(parley, alice, bob.user_id)
    with pytest.raises(Invalid):
        await roles.appoint(parley, alice, bob.user_id, Role.OWNER)
    with pytest.raises(Forbidden):
        await roles.assign_role(parley, "bob@example.com", Role.OWNER)
    assert (await find_user_named(parley, "bob")).role == Role.MEMBER
