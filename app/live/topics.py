"""Topics: ordered feeds of changes.

`Article/1` has what is said under a commentable, `Commentable/Article/1` the commentable itself, `User/<id>` what
concerns one account alone, and `Moderation/queue` what moderators are to see.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

ACCOUNT = "User"
ABOUT = "Commentable"
MODERATION = "Moderation"
LONGEST_ID = 200  # characters
LONGEST_TYPE = 38  # of a commentable, so that a topic about it has 251 characters at most

_TYPE = re.compile(r"[A-Z][A-Za-z0-9]{0,49}")


class BadTopic(ValueError):
    """Not a topic's name. The message says what is wrong with it."""


@dataclass(frozen=True, order=True)
class Topic:
    """A commentable's type and id. Ordered by name, which is the order in which writers lock topics."""

    type: str
    id: str

    def __post_init__(self) -> None:
        if not _TYPE.fullmatch(self.type):
            raise BadTopic("the type is one capitalised word")
        longest = LONGEST_ID + (LONGEST_TYPE + 1 if self.is_about else 0)
        if not 1 <= len(self.id) <= longest or not self.id.isprintable():
            raise BadTopic(f"the id is 1 to {longest} printable characters")

    @classmethod
    def parse(cls, name: str) -> Topic:
        """`Article/1` → Topic. The id may contain slashes. Raises BadTopic."""
        type_, slash, id_ = name.partition("/")
        if not slash:
            raise BadTopic("a topic is a type and an id, like Article/1")
        return cls(type_, id_)

    @classmethod
    def account(cls, user_id: object) -> Topic:
        return cls(ACCOUNT, str(user_id))

    @property
    def is_account(self) -> bool:
        return self.type == ACCOUNT

    @property
    def is_place(self) -> bool:
        """Whether it is something that people comment on, where they meet."""
        return self.type not in (ACCOUNT, ABOUT, MODERATION)

    @property
    def is_about(self) -> bool:
        return self.type == ABOUT

    @property
    def about(self) -> Topic:
        """Where the commentable itself lives, with its title and its count: who shows those hears of no comment."""
        return Topic(ABOUT, str(self))

    @property
    def place(self) -> Topic:
        """What a topic is about: the inverse of `about`. Raises BadTopic."""
        return Topic.parse(self.id)

    @cached_property
    def key(self) -> str:
        """Eleven characters for this topic in cursors, which would otherwise outgrow a request's headers."""
        digest = blake2b(str(self).encode(), digest_size=8).digest()
        return urlsafe_b64encode(digest).rstrip(b"=").decode()

    def __str__(self) -> str:
        return f"{self.type}/{self.id}"


QUEUE = Topic(MODERATION, "queue")
