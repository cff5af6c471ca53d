"""Logins: one sign-in of one account in one browser. A signed cookie carries its id, and the database can end it.

A login is on its account's topic, and its end is a tombstone there. The tombstone wakes the account's streams, and each
stream checks whether its login is still active.

1. A login ends after an idle timeout, and at the latest after an absolute timeout. Both are longer with "remember me".
   An open stream is not activity.
2. Activity is stored at most once per interval, so that a read request rarely costs a write.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from secrets import token_bytes
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    ForeignKey,
    Select,
    String,
    and_,
    bindparam,
    delete,
    func,
    or_,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column
from typing_extensions import TypedDict

from app import logs
from app.accounts import login_throttle, reauthentication
from app.accounts.passwords import verify_password
from app.accounts.user import MAX_ADDRESS_LENGTH, MODERATING, User, user_at
from app.among import among
from app.database import DATABASE_ERRORS, Base, Instant, Reading, one_line
from app.errors import Forbidden, Missing, SignInFirst
from app.live.gids import Gid
from app.live.model import Live, LiveModel, is_account
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import LoginEnded, Viewer
from app.live.write.transaction import Write, owned

IDLE_TIMEOUT = {False: timedelta(days=1), True: timedelta(days=14)}  # by `remember` (1)
ABSOLUTE_TIMEOUT = {False: timedelta(days=7), True: timedelta(days=30)}
MAX_LOGINS = 100  # logins of one account
ACTIVITY_INTERVAL = timedelta(minutes=5)  # (2)
ENDED_LOGIN_RETENTION = timedelta(days=30)  # so that the login's browser can show how it ended
MAX_DEVICE_LENGTH = 100
BATCH_SIZE = 1_000  # logins that one run of `expire` ends; the next run continues

log = logging.getLogger(__name__)


class End(StrEnum):
    """How a login ended. Its browser shows this."""

    SIGNED_OUT = "signed_out"
    ENDED = "ended"  # from another browser
    PASSWORD = "password"  # the password was changed, so logins with the old one end
    EXPIRED = "expired"
    DELETED = "deleted"  # with the account
    BLOCKED = "blocked"  # with the account, by a moderator
    REPLACED = "replaced"  # by a newer login of the same browser


@dataclass(frozen=True)
class Browser:
    """The browser of a sign-in: its network address, a description of the device, and the login and the device gid
    from its cookies."""

    address: str = ""
    device: str = ""
    login_id: UUID | None = None
    known_as: Gid | None = None


UNKNOWN_BROWSER = Browser()


class Login(Live, Base):
    __tablename__ = "logins"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    remember: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(Instant)
    address: Mapped[str] = mapped_column(String(MAX_ADDRESS_LENGTH), default="", server_default=text("''"))
    device: Mapped[str] = mapped_column(String(MAX_DEVICE_LENGTH), default="", server_default=text("''"))
    seen_at: Mapped[datetime | None] = mapped_column(Instant)  # None: no activity after the sign-in
    expires_at: Mapped[datetime | None] = mapped_column(Instant, index=True)
    ended: Mapped[str | None] = mapped_column(String(20))  # an End

    @property
    def author_id(self) -> UUID:
        return self.user_id

    def erase(self) -> None:
        self.address = self.device = ""


# A login is never sent. Its changes only wake the account's streams.
LOGIN = LiveModel("login", Login, render=None, lives_on=is_account)


class RenderedLogin(TypedDict):
    """A login for its owner's list."""

    id: UUID
    device: str
    address: str
    created_at: datetime
    seen_at: datetime
    remembered: bool
    current: bool


def render(login: Login, current_id: UUID | None) -> RenderedLogin:
    return {
        "id": login.id,
        "device": login.device,
        "address": login.address,
        "created_at": login.created_at,
        "seen_at": login.seen_at or login.created_at,
        "remembered": login.remember,
        "current": login.id == current_id,
    }


def _active_logins(user_id: UUID | None) -> Select[Login]:
    """The account's logins that have not been ended."""
    return select(Login).where(Login.user_id == user_id, Login.deleted_at.is_(None))


def expiry(remember: bool, created_at: datetime, seen_at: datetime) -> datetime:
    return min(seen_at + IDLE_TIMEOUT[remember], created_at + ABSOLUTE_TIMEOUT[remember])


# -- signing in and out -------------------------------------------------------------------------------------


@owned
async def sign_in(
    parley: Parley, email: str, password: str, remember: bool, browser: Browser = UNKNOWN_BROWSER
) -> tuple[User, Login] | None:
    """Open a login of the account with this address. None if the password is wrong, or the address is unconfirmed and
    must be confirmed. Raises TooMany while the account is locked for this browser, and Forbidden if the account is
    blocked. The response reveals a block only after the right password.
    """
    async with parley.reading() as reading:
        user = await user_at(reading, email)
        key = await reauthentication.key_for(parley, reading, user, email, browser.known_as)
    right = await verify_password(password, user.password_hash if user else None)
    unconfirmed = user and (user.is_unclaimed or (parley.settings.require_confirmation and not user.confirmed_at))
    if user is None or not right or unconfirmed:
        logs.security(
            "sign-in refused", warn=True, account=user and user.id, why="unconfirmed" if right else "password"
        )
        await reauthentication.count_failure(parley, key, user, unlock=email)
        return None
    async with parley.writing(Topic.account(user.id)) as write:
        await reauthentication.refuse_locked(parley, write.session, key, user)  # after guesses meanwhile
        current = await write.get(User, user.id)
        if current is None or current.password_hash != user.password_hash:
            return None  # another request has changed the password or deleted the account
        await login_throttle.clear_failures(write.session, key)
        current.track_sign_in(browser.address)
        login = await open_login(write, current, remember, browser)
    await end_previous_login(parley, browser.login_id, user.id)
    return current, login


async def open_login(write: Write, user: User, remember: bool, browser: Browser) -> Login:
    """Create a login in this write, and end the account's previous login of the same browser.

    Raises Forbidden for a blocked account.
    """
    if user.blocked_at:
        logs.security("sign-in refused", warn=True, account=user.id, why="blocked")
        raise Forbidden("This account is blocked.")
    if browser.login_id and (before := await write.get(Login, browser.login_id)) and before.user_id == user.id:
        end(write, before, End.REPLACED)
        await write.session.flush()
    await _end_oldest_logins(write, user.id)
    now = datetime.now(UTC)
    login = Login(
        id=UUID(bytes=token_bytes(16)), topic=user.topic, user_id=user.id, remember=remember, created_at=now,
        address=browser.address, device=browser.device, expires_at=expiry(remember, now, now),
    )  # fmt: skip
    write.create(login)
    write.log_after_commit("signed in", account=user.id, began=login.id)
    return login


def end(write: Write, login: Login, how: End) -> None:
    """End this login and its streams. Ending it again is no error."""
    if login.deleted_at is None:
        login.ended = how
        write.destroy(login)
        write.log_after_commit("login ended", account=login.user_id, ended=login.id, how=how)


async def end_all(write: Write, user_id: UUID, how: End, but: UUID | None = None) -> None:
    """End every login of this account except `but`."""
    for login in await write.session.scalars(_active_logins(user_id).where(Login.id != but)):
        end(write, login, how)


@owned
async def sign_out(parley: Parley, viewer: Viewer) -> None:
    if viewer.login_id and viewer.user_id:
        await _end_one(parley, viewer.login_id, viewer.user_id, End.SIGNED_OUT)


async def _end_oldest_logins(write: Write, user_id: UUID) -> None:
    """End the least recently used logins, so that one more stays within the limit."""
    latest = func.coalesce(Login.seen_at, Login.created_at)
    surplus = _active_logins(user_id).order_by(latest.desc()).offset(MAX_LOGINS - 1)
    for login in (await write.session.scalars(surplus)).all():
        end(write, login, End.EXPIRED)


async def end_previous_login(parley: Parley, login_id: UUID | None, by: UUID) -> None:
    """End the browser's previous login if it belongs to another account than `by`."""
    if login_id is None:
        return
    async with parley.reading() as reading:
        before = await reading.get(Login, login_id)
    if before and before.deleted_at is None and before.user_id != by:
        await _end_one(parley, before.id, before.user_id, End.REPLACED)


async def _end_one(parley: Parley, login_id: UUID, user_id: UUID, how: End) -> None:
    async with parley.writing(Topic.account(user_id)) as write:
        if login := await write.get(Login, login_id):
            end(write, login, how)


# -- reading with a login -----------------------------------------------------------------------------------


async def viewer_of(reading: Reading, login_id: UUID) -> tuple[Viewer, datetime]:
    """(the viewer with this login, the time of its last stored activity). Raises LoginEnded."""
    (found,) = await viewers_of(await reading.connection(), [login_id])
    if isinstance(found, LoginEnded):
        raise found
    return found


async def viewers_of(connection: AsyncConnection, login_ids: list[UUID]) -> list[tuple[Viewer, datetime] | LoginEnded]:
    """For each login what `viewer_of` returns or raises, in one statement for all."""
    found = {row.id: row for row in await connection.execute(_VIEWERS, {"ids": login_ids})}
    return [_viewer_from(found.get(login_id)) for login_id in login_ids]


def _viewer_from(row: Any) -> tuple[Viewer, datetime] | LoginEnded:
    if row is None:
        return LoginEnded()
    if row.deleted_at is not None:
        return LoginEnded(row.ended)
    if row.expires_at is not None and row.expires_at <= datetime.now(UTC):
        return LoginEnded(End.EXPIRED)
    viewer = Viewer(row.user_id, row.username, moderator=row.role in MODERATING, login_id=row.id)
    return viewer, row.seen_at or row.created_at


_VIEWERS = (
    select(
        Login.id, Login.user_id, Login.created_at, Login.seen_at, Login.expires_at, Login.deleted_at, Login.ended,
        User.username, User.role,
    )
    .join(User, Login.user_id == User.id)
    .where(among(Login.id, "ids"))
)  # fmt: skip


def _is_active(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    return and_(Login.deleted_at.is_(None), or_(Login.expires_at.is_(None), Login.expires_at > now))


async def lock_active_user(reading: Reading, viewer: Viewer) -> User:
    """Read and lock the viewer's account. Raises SignInFirst if it was deleted or blocked, or the login has ended.

    The shared lock lasts until the commit, so a deletion or a block runs either before this write or after it.
    """
    active = await reading.execute(_ACTIVE, _asked([viewer]), execution_options={"populate_existing": True})
    for user, login_id in active:
        if login_id == viewer.login_id:
            return user
    raise SignInFirst


def lock_active_users(connection: Connection, viewers: Iterable[Viewer]) -> dict[Viewer, Any]:
    """Like `lock_active_user`, for several viewers at once, in a transaction of plain statements.

    Returns their usernames and roles. The result leaves out those who would have to sign in.
    """
    asked = list(dict.fromkeys(viewers))
    found = connection.execute(_BYLINES, _asked(asked)).all()
    active = {(row.id, login): row for row in found for login in (row.login_id, None)}
    return {one: active[key] for one in asked if (key := (one.user_id, one.login_id)) in active}


def _asked(viewers: list[Viewer]) -> dict[str, Any]:
    return {
        "people": [viewer.user_id for viewer in viewers],
        "logins": [viewer.login_id for viewer in viewers if viewer.login_id],
        "now": datetime.now(UTC),
    }


# Sorted, so that two transactions cannot wait for each other.
_ACTIVE = (
    select(User, Login.id.label("login_id"))
    .outerjoin(
        Login,
        and_(
            Login.user_id == User.id,
            among(Login.id, "logins"),
            Login.deleted_at.is_(None),
            or_(Login.expires_at.is_(None), Login.expires_at > bindparam("now", type_=Instant)),
        ),
    )
    .where(among(User.id, "people"), User.deleted_at.is_(None), User.blocked_at.is_(None))
    .order_by(User.id)
    .with_for_update(read=True, key_share=True, of=User)
)
_BYLINES = _ACTIVE.with_only_columns(User.id, User.username, User.role, Login.id.label("login_id"))


async def note_activity(parley: Parley, login_id: UUID) -> None:
    """Store that the login was used, which extends it. Runs in the background; a failure is only logged."""
    now = datetime.now(UTC)
    try:
        async with parley.database.transaction() as writing, writing.begin():
            login = await writing.get(Login, login_id, with_for_update=True)
            if login and login.deleted_at is None:
                login.seen_at, login.expires_at = now, expiry(login.remember, login.created_at, now)
    except DATABASE_ERRORS as error:
        log.warning("cannot store the activity of a login; its next request retries it: %s", one_line(error))


# -- the account's logins -----------------------------------------------------------------------------------


async def logins_of(reading: Reading, viewer: Viewer) -> list[Login]:
    """The viewer's active logins: the current one first, then the most recently used."""
    found = (await reading.scalars(_active_logins(viewer.user_id).where(_is_active(datetime.now(UTC))))).all()
    return sorted(found, key=lambda login: (login.id == viewer.login_id, login.seen_at or login.created_at))[::-1]


@owned
async def end_login(parley: Parley, viewer: Viewer, login_id: UUID) -> None:
    """End one of the viewer's logins. Raises Missing if it is not theirs."""
    if viewer.user_id is None:
        raise SignInFirst
    async with parley.reading() as reading:
        login = await reading.get(Login, login_id)
    if login is None or login.user_id != viewer.user_id:
        raise Missing("This sign-in has already ended.")
    await _end_one(parley, login_id, viewer.user_id, End.SIGNED_OUT if login_id == viewer.login_id else End.ENDED)


@owned
async def end_others(parley: Parley, viewer: Viewer) -> None:
    """End all of the viewer's logins except the current one."""
    if viewer.user_id is None:
        raise SignInFirst
    async with parley.writing(Topic.account(viewer.user_id)) as write:
        await end_all(write, viewer.user_id, End.ENDED, but=viewer.login_id)


@owned
async def end_everywhere(parley: Parley, user_id: UUID) -> int:
    """End all logins of an account, for the operator. Returns their number."""
    async with parley.writing(Topic.account(user_id)) as write:
        await end_all(write, user_id, End.ENDED)
    return len(write.changed)


# -- expiry -------------------------------------------------------------------------------------------------


async def expire(parley: Parley) -> None:
    """End expired logins and so their streams, and delete the rows of logins that ended long ago."""
    now = datetime.now(UTC)
    # Logins of an earlier release have no expiry. They get one when they are used; unused ones end here.
    timeless = and_(Login.expires_at.is_(None), Login.created_at <= now - ABSOLUTE_TIMEOUT[True])
    over = select(Login.id, Login.user_id).where(Login.deleted_at.is_(None), or_(Login.expires_at <= now, timeless))
    async with parley.reading() as reading:
        found = (await reading.execute(over.limit(BATCH_SIZE))).all()
    for login_id, user_id in found:
        async with parley.writing(Topic.account(user_id)) as write:
            login = await write.get(Login, login_id)
            if login and (login.expires_at or login.created_at + ABSOLUTE_TIMEOUT[True]) <= now:  # not used meanwhile
                end(write, login, End.EXPIRED)
    async with parley.database.transaction() as writing, writing.begin():
        await writing.execute(delete(Login).where(Login.deleted_at < now - ENDED_LOGIN_RETENTION))
