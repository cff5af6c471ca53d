"""Links: what a mail leads to. A signed gid, for one purpose, for a time, and until what it is bound to has changed.

It stands after the `#`, which browsers keep to themselves: no log, no proxy and no Referer ever has it. The page takes
it from there and sends it with what the person decides, so that mail scanners, which open links, decide nothing.
"""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from app.errors import Invalid
from app.live.gids import BadGid, Gid
from app.live.service import Parley


class Purpose(StrEnum):
    """What a link is for: its page's path, too."""

    RESET = "reset"
    CONFIRM = "confirm"
    UNLOCK = "unlock"


SECONDS = {Purpose.RESET: 3600, Purpose.CONFIRM: 3 * 24 * 3600, Purpose.UNLOCK: 24 * 3600}


def write_link(parley: Parley, purpose: Purpose, user_id: UUID, bound_to: str, hint: str = "") -> str:
    """The address of a link. It becomes invalid when the values change whose fingerprint is `bound_to`.

    `hint` is a word for the page, which cannot read the token: it follows an `&`, is not signed, and grants nothing.
    """
    gid = Gid("User", str(user_id), {"of": bound_to})
    return f"{parley.settings.public_url}/{purpose}#{parley.signer.sign(gid, purpose)}{hint and f'&{hint}'}"


def open_link(parley: Parley, purpose: Purpose, token: str) -> tuple[UUID, str]:
    """(the user's id, what it is bound to), of what came after the `#`. Raises Invalid."""
    try:
        gid = parley.signer.open(token.partition("&")[0], purpose, SECONDS[purpose])
        return UUID(gid.id), gid.params["of"]
    except (BadGid, KeyError, ValueError):
        raise worthless() from None


def worthless() -> Invalid:
    return Invalid("token", "This link has expired or was already used. Request a new one.")
