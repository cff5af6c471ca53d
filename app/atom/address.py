"""The address of an account's own Atom feed. Feed readers cannot sign in, so the address itself gives access.

1. The address has a key: the account's id, a number, and a signature of both. So nobody can guess it, and a copy of the
   database does not contain it.
2. The number is `User.atom_number`. A new address has the next number, so the old address is no longer valid. The end
   of a login and a new password change nothing.
3. The key is the same whenever it is shown, as long as the first SECRET_KEY is. A signature by any SECRET_KEY is valid.
"""

from __future__ import annotations

from uuid import UUID

from app.accounts.logins import lock_active_user
from app.accounts.user import User
from app.database import Reading
from app.errors import Missing, SignInFirst
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import Viewer
from app.live.write.transaction import owned

PURPOSE = "atom"  # of the signature
MAX_KEY_LENGTH = 200  # characters


def key_of(parley: Parley, user: User) -> str:
    """The key of the account's current address."""
    named = f"{user.id}.{user.atom_number}"
    return f"{named}.{parley.signer.signatures(named, PURPOSE)[-1]}"  # the last is that of the first SECRET_KEY


async def find_owner(parley: Parley, reading: Reading, key: str) -> User:
    """The active account with this key. Raises Missing."""
    named, _, signature = key.rpartition(".")
    if len(key) <= MAX_KEY_LENGTH and parley.signer.verifies(named, [signature], PURPOSE):
        id_, _, number = named.partition(".")
        user = await reading.get(User, UUID(id_))
        if user and str(user.atom_number) == number and not (user.deleted_at or user.blocked_at):
            return user
    raise Missing("This address is not valid. The account page has the current one.")


@owned
async def replace(parley: Parley, viewer: Viewer) -> User:
    """Give the account a new address, which ends the old one. Raises SignInFirst."""
    if viewer.user_id is None:
        raise SignInFirst
    async with parley.writing(Topic.account(viewer.user_id)) as write:
        user = await lock_active_user(write.session, viewer)
        user.atom_number += 1
        write.update(user)
    return user
