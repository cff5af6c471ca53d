"""Links in e-mails. Each carries a token: a gid, signed for one purpose and a time, and bound to the account.

The token follows the `#`. Browsers do not send that part, so the token never reaches a log, a proxy or a Referer
header. The page reads it and sends it with the person's decision. So mail scanners, which open links, confirm nothing.
`app.reply_mail.choices` has the links that stop mail, which are different.
"""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from app.errors import Invalid
from app.live.gids import BadGid, Gid
from app.live.service import Parley


class Purpose(StrEnum):
    """The purpose of a link, the path of its page, and the kind of its e-mail."""

    RESET = "reset"
    CONFIRM = "confirm"
    UNLOCK = "unlock"


SECONDS = {Purpose.RESET: 3600, Purpose.CONFIRM: 3 * 24 * 3600, Purpose.UNLOCK: 24 * 3600}


def write_link(parley: Parley, purpose: Purpose, user_id: UUID, bound_to: str, hint: str = "") -> str:
    """The URL of a link. It becomes invalid when the values behind the fingerprint `bound_to` change.

    The page cannot read the token, so `hint` tells it what to show. It follows an `&`, is unsigned, and grants nothing.
    """
    gid = Gid("User", str(user_id), {"of": bound_to})
    return f"{parley.settings.public_url}/{purpose}#{parley.signer.sign(gid, purpose)}{hint and f'&{hint}'}"


def open_link(parley: Parley, purpose: Purpose, token: str) -> tuple[UUID, str]:
    """(the user's id, the fingerprint that the link is bound to), from the part after the `#`. Raises Invalid."""
    try:
        gid = parley.signer.open(token.partition("&")[0], purpose, SECONDS[purpose])
        return UUID(gid.id), gid.params["of"]
    except (BadGid, KeyError, ValueError):
        raise invalid_link() from None


def invalid_link() -> Invalid:
    return Invalid("token", "This link has expired or was already used. Request a new one.")
