"""Viewers: the people that a row is rendered for. There are few kinds, so each change is encoded only a few times."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Kind(StrEnum):
    """The kinds of viewer of one row."""

    PUBLIC = "public"
    AUTHOR = "author"
    MODERATOR = "moderator"

    __hash__ = str.__hash__  # Enum's own is ten times as slow, and each delivery needs it


KINDS = PUBLIC, AUTHOR, MODERATOR = tuple(Kind)  # Enum looks members up slowly


@dataclass(frozen=True, slots=True)
class Viewer:
    """The person that a request or a stream belongs to: a login of an account, or a guest."""

    user_id: UUID | None = None
    username: str | None = None
    moderator: bool = False
    login_id: UUID | None = None

    @property
    def signed_in(self) -> bool:
        return self.user_id is not None

    def kind(self, author_id: UUID | None) -> Kind:
        """The kind of this viewer for a row by `author_id`."""
        if self.user_id is not None and self.user_id == author_id:
            return AUTHOR
        return MODERATOR if self.moderator else PUBLIC


GUEST = Viewer()


class LoginEnded(Exception):
    """The login of a request or a stream has ended. `reason` is a word for the browser, or None if it is unknown."""

    def __init__(self, reason: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
