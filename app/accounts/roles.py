"""Roles (member, moderator, owner) and blocked accounts. An owner may do everything that a moderator may, and more.

1. Nobody can block an owner. Only owners can block a moderator.
2. The last owner can be neither demoted nor deleted. The operator appoints the first owner (`parley user role`), and
   can demote the last one with `--force`.
3. Every change of the owners locks `QUEUE`, and so does the deletion of an owner's account. So if two owners delete
   their accounts, or demote each other, at the same moment, the second change is refused.
"""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select

from app.accounts import bylines
from app.accounts.logins import End, end_all
from app.accounts.user import MODERATING, Role, User, user_at
from app.database import Reading
from app.errors import Conflict, Forbidden, Invalid, Missing
from app.live.service import Parley
from app.live.topics import QUEUE, Topic
from app.live.viewers import Viewer
from app.live.write.transaction import Write, owned
from app.moderation.audit_log import Act, record
from app.moderation.moderation import moderator_in, owner_in


@owned
async def block(parley: Parley, by: Viewer, user_id: UUID, reason: str = "") -> User:
    """Block the account: all its logins end, and it cannot sign in. Raises Missing, Forbidden."""
    async with parley.writing(Topic.account(user_id), QUEUE) as write:
        moderator, user = await _load_to_block(write, by, user_id)
        if user.blocked_at is None:
            user.blocked_at = datetime.now(UTC)
            write.update(user)
            await end_all(write, user.id, End.BLOCKED)
            record(write, moderator, Act.BLOCK, person=(user.id, user.username), reason=reason)
            write.log_after_commit("blocked", account=user.id, by=moderator.id)
    return user


@owned
async def unblock(parley: Parley, by: Viewer, user_id: UUID) -> None:
    """Allow the account to sign in again. Raises Missing, Forbidden."""
    async with parley.writing(Topic.account(user_id), QUEUE) as write:
        moderator, user = await _load_to_block(write, by, user_id)
        if user.blocked_at is not None:
            user.blocked_at = None
            write.update(user)
            record(write, moderator, Act.UNBLOCK, person=(user.id, user.username))
            write.log_after_commit("unblocked", account=user.id, by=moderator.id)


@owned
async def appoint(parley: Parley, by: Viewer, user_id: UUID, role: Role) -> User:
    """Change the account's role. Raises Missing, Forbidden, and Invalid for a blocked account."""
    async with parley.writing(Topic.account(user_id), QUEUE) as write:
        owner = await owner_in(write, by)
        user = _require_account(await write.get(User, user_id))
        if user.blocked_at:
            raise Invalid("role", "This account is blocked.")
        await _refuse_removing_last_owner(parley, write, user, role)
        await bylines.lock_author(write, user.id)
        _appoint(write, owner, user, role)
    parley.begin(bylines.rewrite_later(parley, user.id))
    return user


@owned
async def assign_role(parley: Parley, email: str, role: Role, *, force: bool = False) -> User:
    """Change the role of the account with this address, for the operator. Raises Missing, Forbidden.

    `force` allows to demote the last owner.
    """
    async with parley.reading() as reading:
        found = await account_at(reading, email)
    async with parley.writing(Topic.account(found.id), QUEUE) as write:
        user = _require_account(await write.get(User, found.id))
        if user.blocked_at:
            raise Forbidden("This account is blocked.")
        if role in MODERATING and parley.settings.require_confirmation and not user.confirmed_at:
            raise Forbidden("This email address isn't confirmed yet, so it may not belong to the person who signed up.")
        if not force:
            await _refuse_removing_last_owner(parley, write, user, role)
        await bylines.lock_author(write, user.id)
        _appoint(write, None, user, role)
    parley.begin(bylines.rewrite_later(parley, user.id))
    return user


async def list_moderators(reading: Reading) -> list[User]:
    """The owners, then the moderators, both sorted by name."""
    query = select(User).where(User.role.in_(MODERATING), User.deleted_at.is_(None))
    found = (await reading.scalars(query)).all()
    return sorted(found, key=lambda user: (user.role != Role.OWNER, user.username_key))


async def account_at(reading: Reading, email: str) -> User:
    """The account with this address. Raises Missing."""
    return _require_account(await user_at(reading, email))


def _appoint(write: Write, by: User | None, user: User, role: Role) -> None:
    if user.role != role:
        user.role = role
        bylines.note_change(user)
        write.update(user)
        record(write, by, Act(role.value), person=(user.id, user.username))
        write.log_after_commit("role changed", account=user.id, role=role.value, by=by and by.id)


async def _load_to_block(write: Write, by: Viewer, user_id: UUID) -> tuple[User, User]:
    """(the moderator, the account), locked. Raises Missing, and Forbidden if the moderator may not block it (1)."""
    moderator = await moderator_in(write, by)
    # The lock waits for comments that this account is posting. Later ones see that it is blocked.
    await bylines.lock_author(write, user_id)
    user = _require_account(await write.get(User, user_id))
    if user.id == moderator.id:
        raise Forbidden("You can't block yourself.")
    if user.role == Role.OWNER:
        raise Forbidden("Owners can't be blocked.")
    if user.role in MODERATING and moderator.role != Role.OWNER:
        raise Forbidden("Only owners can block moderators.")
    return moderator, user


async def _refuse_removing_last_owner(parley: Parley, write: Write, user: User, role: Role) -> None:
    """Raises Forbidden if this role would leave no owner (2)."""
    if role != Role.OWNER and await _is_last_owner(parley, write, user):
        raise Forbidden("There must be at least one owner.")


async def refuse_last_owner(parley: Parley, write: Write, user: User) -> None:
    """Raises Conflict if this account is the last owner (2). The write holds `QUEUE` (3)."""
    if await _is_last_owner(parley, write, user):
        raise Conflict("You are the only owner. Make somebody else an owner first.")


async def _is_last_owner(parley: Parley, write: Write, user: User) -> bool:
    """Whether this account is an owner, and no other owner can sign in."""
    if user.role != Role.OWNER:
        return False
    others = select(User.id).where(
        User.role == Role.OWNER, User.id != user.id, User.deleted_at.is_(None), User.blocked_at.is_(None)
    )
    if parley.settings.require_confirmation:
        others = others.where(User.confirmed_at.is_not(None))
    return await write.session.scalar(others.limit(1)) is None


def _require_account(user: User | None) -> User:
    if user is None or user.deleted_at:
        raise Missing("Account not found.")
    return user
