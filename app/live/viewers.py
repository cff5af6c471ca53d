"""Viewers: for whom a row is rendered. Few kinds, so that a change is encoded few times however many people watch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Kind(StrEnum):
    """The kinds of viewer of one row."""

    PUBLIC = "public"
    AUTHOR = "author"
    MODERATOR = "moderator"

    __hash__ = str.__hash__  # Enum's own is ten times as slow, and is asked for each delivery


@dataclass(frozen=True)
class Viewer:
    """Who is looking: a login of an account, or a guest."""

    user_id: UUID | None = None
    username: str | None = None
    moderator: bool = False
    login_id: UUID | None = None

    @property
    def signed_in(self) -> bool:
        return self.user_id is not None

    def kind(self, author_id: UUID | None) -> Kind:
        """What this viewer is to a row by `author_id`."""
        if self.user_id is not None and self.user_id == author_id:
            return Kind.AUTHOR
        return Kind.MODERATOR if self.moderator else Kind.PUBLIC


GUEST = Viewer()


class LoginEnded(Exception):
    """The login that somebody looks with has ended. `reason` is a word for their browser, where it is known."""

    def __init__(self, reason: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
