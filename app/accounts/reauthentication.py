"""Reauthentication: checks of an account's password, with counted failures (`app.accounts.login_throttle`).

At sign-in, failures count for the typed address, or for the device if the owner has signed in there before. If a
signed-in person enters the password again, failures count for the account, separately. So a stranger at an open browser
can neither guess without limit nor lock the owner out of sign-in.
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

# -- at sign-in ---------------------------------------------------------------------------------------------


async def key_for(parley: Parley, reading: Reading, user: User | None, email: str, known_as: Gid | None) -> str:
    """The key for failures at sign-in: the owner's device, or the address if the device is unknown or locked.

    A browser that only signed up counts as unknown until the account is confirmed. Otherwise a lock would reveal which
    addresses have accounts. Raises TooMany if the address is locked.
    """
    if user and known_as and not user.is_unclaimed and is_known(user, known_as):
        key = login_throttle.key_of("device", known_as.params.get("nonce", ""))
        with suppress(TooMany):
            if parley.settings.rate_limits:
                await login_throttle.refuse_locked(reading, key)
            return key
    key = login_throttle.key_of("address", email)
    await refuse_locked(parley, reading, key, user)
    return key


def device_gid(user: User) -> Gid:
    """The gid for the device cookie of a browser in which the owner has signed in. A new password makes it invalid."""
    return Gid("User", str(user.id), {"of": _password_of(user), "nonce": uuid4().hex})


def is_known(user: User, known_as: Gid | None) -> bool:
    """Whether this is the account's `device_gid` for its current password."""
    return known_as is not None and known_as.id == str(user.id) and known_as.params.get("of") == _password_of(user)


def _password_of(user: User) -> str:
    return fingerprint(user.password_hash)


# -- when signed in -----------------------------------------------------------------------------------------


async def verify_current_password(parley: Parley, viewer: Viewer, password: str) -> User:
    """The viewer's account, if this is its password. Raises Invalid, SignInFirst, TooMany."""
    async with parley.reading() as reading:
        user = await reading.get(User, viewer.user_id) if viewer.user_id else None
        if user is None or user.deleted_at:
            raise SignInFirst
        await refuse_locked(parley, reading, _account_key(user), user)
    if not await verify_password(password, user.password_hash):
        logs.security("password refused", warn=True, account=user.id)
        await count_failure(parley, _account_key(user), user)
        raise Invalid("current_password", "Wrong password.")
    return user


async def recheck_under_lock(parley: Parley, write: Write, proven: User) -> User:
    """The account under the topic's lock, if its password is still the verified one. Clears its failures.

    Raises Invalid, SignInFirst, TooMany.
    """
    user = await write.get(User, proven.id)
    if user is None or user.deleted_at:
        raise SignInFirst
    if user.password_hash != proven.password_hash:
        raise Invalid("current_password", "Your password was just changed. Enter the new one.")
    await refuse_locked(parley, write.session, _account_key(user), user)
    await login_throttle.clear_failures(write.session, _account_key(user))
    return user


def _account_key(user: User) -> str:
    return login_throttle.key_of("account", str(user.id))


# -- counting -----------------------------------------------------------------------------------------------


async def refuse_locked(parley: Parley, reading: Reading, key: str, user: User | None) -> None:
    """Raises TooMany while this key is locked, if rate limits are on."""
    if parley.settings.rate_limits:
        try:
            await login_throttle.refuse_locked(reading, key)
        except TooMany:
            logs.security("refused while locked", warn=True, account=user and user.id)
            raise


async def count_failure(parley: Parley, key: str, user: User | None, unlock: str | None = None) -> None:
    """Count a wrong password. If this failure locks the key, an unlock link is queued for the address `unlock`.

    Raises TooMany if parallel requests have locked the key meanwhile. So of parallel guesses, wrong ones and the right
    one get the same response.
    """
    if parley.settings.rate_limits:
        async with parley.database.transaction() as writing, writing.begin():
            locks = await login_throttle.count_failure(writing, key)
            if locks and unlock:
                mail_queue.queue(writing, mail_queue.Kind.UNLOCK, unlock)
        if locks:
            logs.security("locked", warn=True, account=user and user.id)
