"""Users: people with an account."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import Any
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, Instant, Reading
from app.live.model import Live, LiveModel
from app.live.viewers import Kind
from app.models.refusals import Invalid

LONGEST_USERNAME = 30
MARKS = frozenset(" .'-")  # between letters


class User(Live, Base):
    """An account, live on its own topic `User/<id>`, so that a change shows in all of one's tabs."""

    __tablename__ = "users"

    email: Mapped[str] = mapped_column(String(254), unique=True)
    username: Mapped[str] = mapped_column(String(LONGEST_USERNAME))
    username_key: Mapped[str] = mapped_column(String(4 * LONGEST_USERNAME), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(20), default="member")
    created_at: Mapped[datetime] = mapped_column(Instant)

    @property
    def author_id(self) -> UUID:
        return self.id


def render(user: User, kind: Kind = Kind.AUTHOR) -> dict[str, Any]:
    """An account as its owner sees it. Nobody else is sent one."""
    return {"id": user.id, "username": user.username, "email": user.email, "role": user.role}


USER = LiveModel("user", User, render, visible=lambda user, kind: kind is Kind.AUTHOR)


def _is_letter(character: str) -> bool:
    """A letter, a digit, or what a script writes above, below or inside one; programmers' underscore, too."""
    return unicodedata.category(character)[0] in "LNM" or character == "_"


def clean_email(email: str) -> str:
    """The address in its one form. Raises ValueError."""
    try:
        return validate_email(email, check_deliverability=False).normalized.lower()
    except EmailNotValidError:
        raise ValueError("an address like alice@example.com") from None


def username_key(username: str) -> str:
    """What must be unique: names that people would take for the same have the same."""
    return unicodedata.normalize("NFKC", username.casefold())


def clean_username(username: str) -> str:
    """The name in its one form: letters, digits and a few marks between them. Raises ValueError."""
    name = unicodedata.normalize("NFKC", username).strip()
    if not 3 <= len(name) <= LONGEST_USERNAME:
        raise ValueError(f"3 to {LONGEST_USERNAME} characters")
    if not all(_is_letter(character) or character in MARKS for character in name) or not (
        _is_letter(name[0]) and _is_letter(name[-1])
    ):
        raise ValueError("letters and digits, with spaces, dots, hyphens or apostrophes between them")
    return name


async def find_user(reading: Reading, id: UUID) -> User | None:
    return await reading.get(User, id)


async def anybody(reading: Reading) -> bool:
    """Whether there is an account at all."""
    return await reading.scalar(select(User.id).limit(1)) is not None


async def refuse_taken(reading: Reading, email: str, username: str) -> None:
    """Raises Invalid, naming the field, where another account has one of these."""
    if await reading.scalar(select(User.id).where(User.username_key == username_key(username))):
        raise Invalid("username", "This name is taken.")
    if await reading.scalar(select(User.id).where(User.email == email)):
        raise Invalid("email", "There is an account with this address.")
