"""Proofs: that somebody knows the password. Who does not is counted, and after too many may not try for a while.

At sign-in failures count under the address that was typed, or under the device in which its owner has signed in
before. Where a signed-in person shows the password once more, they have a count of their own: who found an open browser
can neither guess on, nor lock the owner out.
"""

from __future__ import annotations

from contextlib import suppress
from uuid import uuid4

from app import logs
from app.accounts import login_throttle
from app.accounts.passwords import verify_password
from app.accounts.user import User
from app.database import Reading
from app.errors import Invalid, SignInFirst, TooMany
from app.live.gids import Gid
from app.live.service import Parley
from app.live.signing import fingerprint
from app.live.viewers import Viewer
from app.live.write.transaction import Write
from app.mail import mail_queue

# -- at the door --------------------------------------------------------------------------------------------


async def key_for(parley: Parley, reading: Reading, user: User | None, email: str, known_as: Gid | None) -> str:
    """What failures count under: the owner's device, and after too many there the address, as for anybody.

    A browser that only signed up has shown no password yet: until the account is confirmed its failures count under
    the address, or else a lock would tell which addresses have accounts. Raises TooMany where that is locked.
    """
    if user and known_as and not user.is_waiting and is_known(user, known_as):
        key = login_throttle.key_of("device", known_as.params.get("nonce", ""))
        with suppress(TooMany):
            if parley.settings.rate_limits:
                await login_throttle.refuse_locked(reading, key)
            return key
    key = login_throttle.key_of("address", email)
    await refuse_locked(parley, reading, key, user)
    return key


def device_gid(user: User) -> Gid:
    """What a browser carries in which this account's owner has signed in; worthless after a change of password."""
    return Gid("User", str(user.id), {"of": _password_of(user), "nonce": uuid4().hex})


def is_known(user: User, known_as: Gid | None) -> bool:
    """Whether this is the account's `device_gid` for its current password."""
    return known_as is not None and known_as.id == str(user.id) and known_as.params.get("of") == _password_of(user)


def _password_of(user: User) -> str:
    return fingerprint(user.password_hash)


# -- once more ----------------------------------------------------------------------------------------------


async def prove(parley: Parley, viewer: Viewer, password: str) -> User:
    """The viewer's account, if this is its password. Raises Invalid, TooMany."""
    async with parley.reading() as reading:
        user = await reading.get(User, viewer.user_id) if viewer.user_id else None
        if user is None or user.deleted_at:
            raise SignInFirst
        await refuse_locked(parley, reading, _proofs_of(user), user)
    if not await verify_password(password, user.password_hash):
        logs.security("password refused", warn=True, account=user.id)
        await count_failure(parley, _proofs_of(user), user)
        raise Invalid("current_password", "Wrong password.")
    return user


async def prove_again(parley: Parley, write: Write, proven: User) -> User:
    """The account under the lock, if it is still the one that was proven. Raises Invalid, SignInFirst, TooMany."""
    user = await write.get(User, proven.id)
    if user is None or user.deleted_at:
        raise SignInFirst
    if user.password_hash != proven.password_hash:
        raise Invalid("current_password", "Your password was just changed. Enter the new one.")
    await refuse_locked(parley, write.session, _proofs_of(user), user)
    await login_throttle.forgive(write.session, _proofs_of(user))
    return user


def _proofs_of(user: User) -> str:
    return login_throttle.key_of("account", str(user.id))


# -- counting -----------------------------------------------------------------------------------------------


async def refuse_locked(parley: Parley, reading: Reading, key: str, user: User | None) -> None:
    """Raises TooMany while this key is locked, unless there are no limits."""
    if parley.settings.rate_limits:
        try:
            await login_throttle.refuse_locked(reading, key)
        except TooMany:
            logs.security("refused while locked", warn=True, account=user and user.id)
            raise


async def count_failure(parley: Parley, key: str, user: User | None, unlock: str | None = None) -> None:
    """One more wrong password. The one that locks sends the way out to `unlock`, if that is somebody's address.

    Raises TooMany where others have locked it meanwhile: of guesses at once, wrong ones and the right one are told
    the same.
    """
    if parley.settings.rate_limits:
        async with parley.database.transaction() as writing, writing.begin():
            locks = await login_throttle.count_failure(writing, key)
            if locks and unlock:
                mail_queue.queue(writing, mail_queue.Kind.UNLOCK, unlock)
        if locks:
            logs.security("locked", warn=True, account=user and user.id)
