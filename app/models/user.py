"""Users: people with an account."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import String, select, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, Instant, Reading
from app.live.model import Live, LiveModel, to_its_author
from app.live.viewers import Kind, Viewer
from app.models.refusals import Invalid, SignInFirst

SHORTEST_USERNAME, LONGEST_USERNAME = 3, 30
LONGEST_EMAIL = 254
LONGEST_ADDRESS = 45  # of a network, IPv6 at its longest
DELETED = "deleted account"  # whose name is shown over what is left of theirs
MARKS = frozenset(" .'-")  # between letters

# Letters and marks that nobody sees (Unicode's Default_Ignorable_Code_Point): with one more a name is another's.
INVISIBLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")

# Names that people would take for the service's own.
RESERVED = frozenset({
    "abuse", "admin", "administrator", "anonymous", "deletedaccount", "everyone", "hostmaster", "moderator", "noreply",
    "owner", "parley", "postmaster", "root", "security", "staff", "support", "sysadmin", "system", "webmaster",
})  # fmt: skip


class Role(StrEnum):
    """What an account may do beyond writing; see `app.models.role`."""

    MEMBER = "member"
    MODERATOR = "moderator"
    OWNER = "owner"


MODERATING = frozenset({Role.MODERATOR, Role.OWNER})


class User(Live, Base):
    """An account, live on its own topic `User/<id>`, so that a change shows in all of one's tabs."""

    __tablename__ = "users"

    email: Mapped[str] = mapped_column(String(LONGEST_EMAIL), unique=True)
    username: Mapped[str] = mapped_column(String(LONGEST_USERNAME))
    username_key: Mapped[str] = mapped_column(String(4 * LONGEST_USERNAME), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(20), default=Role.MEMBER)
    created_at: Mapped[datetime] = mapped_column(Instant)
    confirmed_at: Mapped[datetime | None] = mapped_column(Instant)
    unconfirmed_email: Mapped[str | None] = mapped_column(String(LONGEST_EMAIL))  # is to take the place of `email`
    sign_in_count: Mapped[int] = mapped_column(default=0, server_default="0")
    signed_in_at: Mapped[datetime | None] = mapped_column(Instant)
    signed_in_address: Mapped[str] = mapped_column(String(LONGEST_ADDRESS), default="", server_default=text("''"))
    last_signed_in_at: Mapped[datetime | None] = mapped_column(Instant)  # the time before
    last_signed_in_address: Mapped[str] = mapped_column(String(LONGEST_ADDRESS), default="", server_default=text("''"))
    blocked_at: Mapped[datetime | None] = mapped_column(Instant)  # may read, and not sign in
    leaving: Mapped[str | None] = mapped_column(String(5), index=True)  # what is still to be done with the comments

    @property
    def author_id(self) -> UUID:
        return self.id

    def track_sign_in(self, address: str) -> None:
        self.last_signed_in_at, self.last_signed_in_address = self.signed_in_at, self.signed_in_address
        self.signed_in_at, self.signed_in_address = datetime.now(UTC), address
        self.sign_in_count += 1

    def erase(self) -> None:
        self.email = f"{self.id}@deleted.invalid"
        self.username, self.username_key = DELETED, f"{DELETED} {self.id}"
        self.password_hash = self.signed_in_address = self.last_signed_in_address = ""
        self.unconfirmed_email = self.confirmed_at = self.signed_in_at = self.last_signed_in_at = None
        self.sign_in_count = 0


def render(user: User, kind: Kind = Kind.AUTHOR) -> dict[str, Any]:
    """An account as its owner sees it. Nobody else is sent one."""
    return {
        "id": user.id,
        "username": user.username,
        "email": user.email,
        "unconfirmed_email": user.unconfirmed_email,
        "confirmed": user.confirmed_at is not None,
        "role": user.role,
    }


USER = LiveModel("user", User, render, to_its_author, lives_on=lambda topic: topic.is_account)


def is_letter(character: str) -> bool:
    """A letter, a digit, or what a script writes above, below or inside one; programmers' underscore, too."""
    return (unicodedata.category(character)[0] in "LNM" and not INVISIBLE.match(character)) or character == "_"


def clean_email(email: str) -> str:
    """The address in its one form: composed (NFC), in small letters, its domain in Unicode. Raises ValueError.

    Accounts, limits and mail all use this form. It is an addr-spec (RFC 5322) without quotes or comments. Those that
    hold an encoded word (RFC 2047) are refused: mail software decodes it, and then has another address.
    """
    try:
        cleaned = validate_email(email, check_deliverability=False).normalized.lower()
        if "=?" in cleaned or validate_email(cleaned, check_deliverability=False).normalized != cleaned:
            raise EmailNotValidError
    except EmailNotValidError:
        raise ValueError("Enter an email address, like alice@example.com") from None
    return cleaned


def ascii_email(email: str) -> str:
    """The same address for mail servers that know ASCII alone, where there is such a form."""
    return validate_email(email, check_deliverability=False).ascii_email or email


def username_key(username: str) -> str:
    """What must be unique: names that people would take for the same have the same."""
    return unicodedata.normalize("NFKC", username.casefold())


def clean_username(username: str) -> str:
    """The name in its one form: letters, digits and a few marks between them. Raises ValueError."""
    name = unicodedata.normalize("NFKC", username).strip()
    if not SHORTEST_USERNAME <= len(name) <= LONGEST_USERNAME:
        raise ValueError(f"Use {SHORTEST_USERNAME} to {LONGEST_USERNAME} characters.")
    if not all(is_letter(character) or character in MARKS for character in name) or not (
        is_letter(name[0]) and is_letter(name[-1])
    ):
        raise ValueError("Use letters, numbers, spaces, dots, hyphens or apostrophes.")
    if "".join(character for character in username_key(name) if character.isalnum()) in RESERVED:
        raise ValueError("This name is reserved.")
    return name


async def find_user(reading: Reading, id: UUID) -> User | None:
    return await reading.get(User, id)


async def standing(reading: Reading, viewer: Viewer) -> User:
    """The viewer's account as it is by now. Raises SignInFirst where it was deleted or blocked meanwhile.

    In a write it is held to the commit: a deletion or a block has to wait for us, or we for it.
    """
    query = select(User).where(User.id == viewer.user_id).with_for_update(read=True, key_share=True)
    user = await reading.scalar(query.execution_options(populate_existing=True))
    if user is None or user.deleted_at or user.blocked_at:
        raise SignInFirst
    return user


async def anybody(reading: Reading) -> bool:
    """Whether there is an account at all."""
    return await reading.scalar(select(User.id).limit(1)) is not None


async def user_at(reading: Reading, email: str) -> User | None:
    """The account with this address."""
    return await reading.scalar(select(User).where(User.email == email))


async def oldest_made(reading: Reading, limit: int) -> list[User]:
    """The oldest accounts that nobody signed up for: `app.models.account.make` confirms them as it makes them."""
    made = select(User).where(User.confirmed_at == User.created_at, User.deleted_at.is_(None))
    return list((await reading.scalars(made.order_by(User.created_at).limit(limit))).all())


async def refuse_taken_name(reading: Reading, username: str, but: User | None = None) -> None:
    """Raises Invalid where an account, another than this, has this name."""
    holder = await reading.scalar(select(User.id).where(User.username_key == username_key(username)))
    if holder and not (but and but.id == holder):
        raise Invalid("username", "This name is taken.")
