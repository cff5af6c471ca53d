"""Accounts: sign-up, e-mail address, name, password, and deletion.

A change of the address or the password requires the current password, and the owner gets an e-mail about it.

A new address waits in `unconfirmed_email` until its owner opens the link. Each link contains a fingerprint of the
address that it was sent to. So if two changes run at once, the link of one cannot confirm the other.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app import logs
from app.accounts import bylines, login_throttle
from app.accounts.logins import (
    UNKNOWN_BROWSER,
    Browser,
    End,
    Login,
    end_all,
    end_previous_login,
    lock_active_user,
    open_login,
)
from app.accounts.mailed_links import Purpose, invalid_link, open_link
from app.accounts.passwords import hash_password, refuse_weak
from app.accounts.reauthentication import device_gid, is_known, recheck_under_lock, verify_current_password
from app.accounts.roles import refuse_last_owner
from app.accounts.user import MailChoice, Role, User, refuse_taken_name, user_at, username_key
from app.comments import comments
from app.database import DATABASE_ERRORS, one_line
from app.errors import Invalid, SignInFirst
from app.likes import likes
from app.live.gids import Gid
from app.live.service import Parley
from app.live.signing import fingerprint
from app.live.topics import QUEUE, Topic
from app.live.viewers import Viewer
from app.live.write.transaction import Write, owned
from app.mail import mail_queue
from app.mail.mail_queue import Kind
from app.moderation import moderation
from app.notifications import mutes, notifications
from app.reply_mail import queueing
from app.text.lookalikes import skeleton

log = logging.getLogger(__name__)

# -- signing up ---------------------------------------------------------------------------------------------


@owned
async def sign_up(
    parley: Parley, email: str, username: str, password: str, browser: Browser = UNKNOWN_BROWSER
) -> tuple[User, Login] | Gid:
    """Create an account and its first login. If addresses must be confirmed by a mailed link, return a gid instead.
    The browser presents that gid when it opens the link (see `confirm`).

    Takes cleaned values. Raises Invalid for a taken name, and for a taken address if nothing must be confirmed.
    If addresses must be confirmed, a taken address gets the same response as a free one, and its owner gets an e-mail.
    An unconfirmed account holds no name yet. So no response reveals which address has which name.
    """
    refuse_weak(password, username, email)
    hash = await hash_password(password)
    try:
        return await _sign_up(parley, email, username, hash, browser)
    except IntegrityError:  # another sign-up took the address or the name first; the second try reads its row
        return await _sign_up(parley, email, username, hash, browser)


async def _sign_up(parley: Parley, email: str, username: str, hash: str, browser: Browser) -> tuple[User, Login] | Gid:
    confirming = parley.settings.require_confirmation
    async with parley.reading() as reading:
        taken = await user_at(reading, email)
        await refuse_taken_name(reading, username)
    if taken and not confirming:
        raise Invalid("email", "An account with this email already exists.")
    if taken:
        return await _repeat_sign_up(parley, taken, username, hash)
    user = _new(email, username, hash)
    if confirming:
        user.release_name()
    async with parley.writing(Topic.account(user.id)) as write:
        write.create(user)
        write.log_after_commit("account made", account=user.id)
        await write.session.flush()  # the login refers to it
        if confirming:
            mail_queue.queue(write.session, Kind.CONFIRM, email)
            return device_gid(user)
        user.track_sign_in(browser.address)
        login = await open_login(write, user, remember=False, browser=browser)
    await end_previous_login(parley, browser.login_id, user.id)
    return user, login


async def _repeat_sign_up(parley: Parley, taken: User, username: str, hash: str) -> Gid:
    """Sign up with an address that has an account.

    Until the address is confirmed, the latest sign-up counts and earlier links are invalid, because the first person to
    enter the address may not be its owner. Once it is confirmed, its owner gets an e-mail, and this browser a gid that
    opens nothing.
    """
    async with parley.writing(Topic.account(taken.id)) as write:
        user = await write.get(User, taken.id)
        if user and not user.deleted_at and not user.confirmed_at:
            mail_queue.queue(write.session, Kind.CONFIRM, user.email)
            write.update(user)
            if user.is_unclaimed:  # otherwise the account is in use: it was created when no confirmation was required
                user.username, user.password_hash = username, hash
                return device_gid(user)
            return device_gid(_new(user.email, username, hash))
    await _send(parley, Kind.TAKEN, taken.email)
    return device_gid(_new(taken.email, username, hash))


async def _claim_name(write: Write, user: User, username: str) -> None:
    """Set the account's name. Raises Invalid if it is taken."""
    await refuse_taken_name(write.session, username, but=user)
    user.rename(username)


@owned
async def create_account(parley: Parley, email: str, username: str, password: str) -> User:
    """Create an account whose address is confirmed from the start: for demos and consoles."""
    user = _new(email, username, await hash_password(password))
    user.confirmed_at = user.created_at
    async with parley.writing(Topic.account(user.id)) as write:
        write.create(user)
    return user


def _new(email: str, username: str, hash: str) -> User:
    id_ = uuid4()
    return User(
        id=id_, topic=str(Topic.account(id_)), email=email, username=username, username_key=username_key(username),
        username_skeleton=skeleton(username), password_hash=hash, role=Role.MEMBER, created_at=datetime.now(UTC),
        sign_in_count=0, signed_in_address="", mail_on_reply=MailChoice.AT_ONCE, mail_on_mention=MailChoice.AT_ONCE,
        mail_on_followed=MailChoice.AT_ONCE,
    )  # fmt: skip


# -- the address --------------------------------------------------------------------------------------------


@owned
async def send_link(parley: Parley, purpose: Purpose, email: str) -> None:
    """Send a link for this purpose, if an account has this address and needs it (`app.mail.emails`)."""
    if purpose is Purpose.RESET:
        logs.security("reset asked")  # without the account, which is not looked up here
    await _send(parley, Kind(purpose.value), email)


@owned
async def change_email(parley: Parley, viewer: Viewer, email: str, password: str) -> User:
    """Store the new address until it is confirmed, and send an e-mail to the old one. Returns the account.

    Raises Invalid, TooMany.
    """
    user = await verify_current_password(parley, viewer, password)
    async with parley.writing(Topic.account(user.id)) as write:
        user = await recheck_under_lock(parley, write, user)
        user.unconfirmed_email = None if email == user.email else email
        write.update(user)
        write.log_after_commit("e-mail change asked", account=user.id)
        if user.unconfirmed_email:
            mail_queue.queue(write.session, Kind.CONFIRM_CHANGE, email, user.id)
            mail_queue.queue(write.session, Kind.CHANGING, user.email, user.id, about=email)
    return user


@owned
async def confirm(
    parley: Parley, token: str, password: str | None = None, username: str | None = None, known_as: Gid | None = None
) -> None:
    """Confirm the address that this link was sent to. Confirming again is no error. Raises Invalid.

    Anybody can sign up with any address. So if accounts must be confirmed, the password and the name of the sign-up
    count only if the same browser confirms (`known_as` is the gid that `sign_up` returned to it). Any other browser
    must send a password, and may send another name. The person with access to the mailbox decides both.
    """
    id_, address = open_link(parley, Purpose.CONFIRM, token)
    async with parley.reading() as reading:
        found = await reading.get(User, id_)
    if found and _is_first_confirmation(parley, found, address):
        await _confirm_first_time(parley, found, password, username, is_known(found, known_as))
        return
    if password is not None:
        raise invalid_link()  # a confirmation never changes the password of an account in use
    try:
        async with parley.writing(Topic.account(id_)) as write:
            user = await write.get(User, id_)
            if user is None or user.deleted_at:
                raise invalid_link()
            if user.unconfirmed_email and fingerprint(user.unconfirmed_email) == address:
                mail_queue.queue(write.session, Kind.CHANGED, user.email, user.id, about=user.unconfirmed_email)
                user.email, user.unconfirmed_email = user.unconfirmed_email, None
                write.log_after_commit("e-mail changed", account=user.id)
            elif user.confirmed_at and address in (bound_to(user), fingerprint(user.email)):
                return
            elif bound_to(user) != address:
                raise invalid_link()
            user.confirmed_at = user.confirmed_at or datetime.now(UTC)
            write.update(user)
            write.log_after_commit("e-mail confirmed", account=user.id)
    except IntegrityError:  # another account has taken the address
        raise invalid_link() from None


def _is_first_confirmation(parley: Parley, user: User, address: str) -> bool:
    """Whether this link confirms an account for the first time, so that its owner can start to use it."""
    waits = user.is_unclaimed or (parley.settings.require_confirmation and not user.confirmed_at)
    return waits and not user.deleted_at and bound_to(user) == address


async def _confirm_first_time(
    parley: Parley, found: User, password: str | None, username: str | None, known: bool
) -> None:
    if password is None and not known:
        raise Invalid("password", "Choose a password.")
    name = username or found.username
    hash = found.password_hash
    if password is not None:
        refuse_weak(password, name, found.email)
        hash = await hash_password(password)
    try:
        async with parley.writing(Topic.account(found.id)) as write:
            user = await write.get(User, found.id)
            if user is None or user.confirmed_at or bound_to(user) != bound_to(found):
                raise invalid_link()  # if two confirmations run at once, only the first counts
            await _claim_name(write, user, name)
            user.password_hash, user.confirmed_at = hash, datetime.now(UTC)
            if password is not None:
                await end_all(write, user.id, End.PASSWORD)
            write.update(user)
            write.log_after_commit("e-mail confirmed", account=user.id)
    except IntegrityError:  # another account took the name at the same moment
        raise Invalid("username", "This name is taken.") from None


def bound_to(user: User) -> str:
    """The fingerprint that a link carries. A change of the address or the password makes the link invalid."""
    return fingerprint(user.email, user.password_hash)


# -- the name -----------------------------------------------------------------------------------------------


@owned
async def change_username(parley: Parley, viewer: Viewer, username: str) -> User:
    """Change the account's name. Its comments get that name soon after. Raises Invalid, SignInFirst."""
    if viewer.user_id is None:
        raise SignInFirst
    try:
        async with parley.writing(Topic.account(viewer.user_id)) as write:
            await bylines.lock_author(write, viewer.user_id)
            user = await lock_active_user(write.session, viewer)
            if user.username == username:
                return user
            await _claim_name(write, user, username)
            bylines.note_change(user)
            write.update(user)
            write.log_after_commit("name changed", account=user.id)
    except IntegrityError:  # another account took it at the same moment
        raise Invalid("username", "This name is taken.") from None
    parley.begin(bylines.rewrite_later(parley, user.id))
    return user


# -- the password -------------------------------------------------------------------------------------------


@owned
async def change_password(
    parley: Parley, viewer: Viewer, password: str, new: str, browser: Browser
) -> tuple[User, Login]:
    """Change the password and end all other logins. Returns the account and a new login. Raises Invalid, TooMany."""
    user = await verify_current_password(parley, viewer, password)
    refuse_weak(new, user.username, user.email)
    hash = await hash_password(new)
    async with parley.writing(Topic.account(user.id)) as write:
        user = await recheck_under_lock(parley, write, user)
        before = await write.get(Login, viewer.login_id) if viewer.login_id else None
        await end_all(write, user.id, End.PASSWORD, but=viewer.login_id)
        _set_password(write, user, hash)
        return user, await open_login(write, user, remember=bool(before and before.remember), browser=browser)


@owned
async def reset_password(parley: Parley, token: str, new: str) -> User:
    """Set a new password with a mailed link, end every login, and lift the lock. Raises Invalid.

    The link proves access to the mailbox, so it also confirms the address.
    """
    id_, bound = open_link(parley, Purpose.RESET, token)
    async with parley.reading() as reading:
        user = _bound(await reading.get(User, id_), bound)
    refuse_weak(new, user.username, user.email)
    hash = await hash_password(new)
    async with parley.writing(Topic.account(id_)) as write:
        user = _bound(await write.get(User, id_), bound)  # if two resets run at once, only the first counts
        if user.is_unclaimed:
            await _claim_name(write, user, user.username)
        await end_all(write, id_, End.PASSWORD)
        user.confirmed_at = user.confirmed_at or datetime.now(UTC)
        await login_throttle.clear_failures(write.session, login_throttle.key_of("address", user.email))
        _set_password(write, user, hash)
    return user


def _bound(user: User | None, bound: str) -> User:
    if user is None or user.deleted_at or bound_to(user) != bound:
        raise invalid_link()
    return user


def _set_password(write: Write, user: User, hash: str) -> None:
    """Store the hash, and drop an unconfirmed address: an intruder may have requested that address."""
    user.password_hash, user.unconfirmed_email = hash, None
    write.update(user)
    write.log_after_commit("password changed", account=user.id)
    mail_queue.queue(write.session, Kind.PASSWORD, user.email, user.id)


# -- login throttling ---------------------------------------------------------------------------------------


@owned
async def unlock(parley: Parley, token: str) -> User:
    """Lift the lock. Raises Invalid for the link of another lock, and if the account is not locked."""
    id_, bound = open_link(parley, Purpose.UNLOCK, token)
    async with parley.reading() as reading:
        user = await reading.get(User, id_)
        since = await login_throttle.read_lock(reading, user.email) if user else None
    if user is None or since is None or fingerprint(since) != bound:
        raise invalid_link()
    async with parley.database.transaction() as writing, writing.begin():
        await login_throttle.clear_failures(writing, login_throttle.key_of("address", user.email))
    logs.security("unlocked", account=user.id)
    return user


# -- deletion -----------------------------------------------------------------------------------------------


@owned
async def delete(parley: Parley, viewer: Viewer, password: str, then: Literal["keep", "erase"]) -> None:
    """Delete the account, then `erase` its comments or `keep` them without its name, and remove its likes.

    The account and its logins are deleted first. The tombstone records the work that is left. If the process is killed,
    `finish_deletions` does it. Raises Invalid, TooMany, and Conflict for the last owner.
    """
    user = await verify_current_password(parley, viewer, password)
    async with parley.writing(Topic.account(user.id), QUEUE) as write:
        await bylines.lock_author(write, user.id)
        user = await recheck_under_lock(parley, write, user)
        await refuse_last_owner(parley, write, user)
        mail_queue.queue(write.session, Kind.DELETED, user.email)
        await _erase(write, user, then)
    await _try_to_clean_up(parley, user.id, then)


@owned
async def remove(parley: Parley, user_id: UUID) -> None:
    """Delete an account with its comments, for the operator. It needs no password, sends no e-mail, and may delete the
    last owner."""
    async with parley.writing(Topic.account(user_id), QUEUE) as write:
        await bylines.lock_author(write, user_id)
        user = await write.get(User, user_id)
        if user is None or user.deleted_at:
            return
        await _erase(write, user, "erase")
    await _try_to_clean_up(parley, user_id, "erase")


async def _erase(write: Write, user: User, then: str) -> None:
    await end_all(write, user.id, End.DELETED)
    await mail_queue.forget_dead_letters(write.session, user.email)
    user.leaving, user.role = then, Role.MEMBER
    write.destroy(user)
    write.log_after_commit("account deleted", account=user.id)


async def _try_to_clean_up(parley: Parley, user_id: UUID, then: str) -> None:
    try:
        await _clean_up(parley, user_id, then)
    except DATABASE_ERRORS as error:
        log.warning("cannot clean up after a deleted account; maintenance retries it: %s", one_line(error))


async def finish_deletions(parley: Parley) -> None:
    """Clean up after deleted accounts if a process was killed before it did so."""
    async with parley.reading() as reading:
        left = (await reading.execute(select(User.id, User.leaving).where(User.leaving.is_not(None)))).all()
    for id_, how in left:
        await _clean_up(parley, id_, str(how))


async def _clean_up(parley: Parley, user_id: UUID, how: str) -> None:
    await notifications.clean_up_account(parley, user_id, erase=how == "erase")
    if how == "erase":
        await comments.erase_all(parley, user_id)
    await bylines.rewrite_rows(parley, user_id)
    await likes.clean_up_account(parley, user_id)
    await moderation.clean_up_account(parley, user_id)  # last: until then decisions copy the name from comments
    async with parley.database.transaction() as writing, writing.begin():
        await mutes.clean_up_account(writing, user_id)
        await queueing.clean_up_account(writing, user_id)
        if user := await writing.get(User, user_id):
            user.leaving = None


async def _send(parley: Parley, kind: Kind, address: str) -> None:
    async with parley.database.transaction() as writing, writing.begin():
        mail_queue.queue(writing, kind, address)
