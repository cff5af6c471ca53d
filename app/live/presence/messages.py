"""Presence messages between processes. Incoming messages are validated and bounded here."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from app.live.model import MAX_TOPIC_LENGTH
from app.live.viewers import Viewer

MAX_NAMED = 50  # people that a message names; the others are only counted
MAX_MESSAGE_LENGTH = 32_768  # characters; twice the length of a message with the fifty longest names
MAX_COUNT = 1_000_000  # people or guests in one message
NAMELESS = "?"

# Control characters, surrogates, line breaks, and characters that change the direction of the text around (UAX #9).
_HARMFUL = ("Cc", "Cs", "Zl", "Zp")
_DIRECTIONS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def harmless(name: str) -> str:
    """The name without characters that could affect the text around it."""
    name = "".join(letter for letter in _DIRECTIONS.sub("", name) if unicodedata.category(letter) not in _HARMFUL)
    return name.strip() or NAMELESS


class Person(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: UUID
    username: Annotated[str, Field(min_length=1, max_length=100), AfterValidator(harmless)]

    @classmethod
    def of(cls, viewer: Viewer) -> Person | None:
        """None for a guest."""
        return cls(id=viewer.user_id, username=viewer.username) if viewer.user_id and viewer.username else None


Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]


class PresenceMessage(BaseModel):
    """The people at a topic in one process. `asks` requests the messages of the other processes."""

    kind: Literal["roll"] = "roll"
    process: Annotated[str, Field(min_length=1, max_length=64)]
    topic: Annotated[str, Field(max_length=MAX_TOPIC_LENGTH)]
    people: Annotated[list[Person], Field(max_length=MAX_NAMED)]
    more: Count
    guests: Count
    asks: bool = False

    @property
    def is_empty(self) -> bool:
        return not (self.people or self.more or self.guests)


class Typing(BaseModel):
    """This person types at a topic (`goes_on`), or has stopped."""

    kind: Literal["typing"] = "typing"
    process: Annotated[str, Field(min_length=1, max_length=64)]
    topic: Annotated[str, Field(max_length=MAX_TOPIC_LENGTH)]
    person: Person
    goes_on: bool


class ProcessEndMessage(BaseModel):
    """This process ends, so its people have left."""

    kind: Literal["farewell"] = "farewell"
    process: Annotated[str, Field(min_length=1, max_length=64)]


Message = PresenceMessage | Typing | ProcessEndMessage

_MESSAGES: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="kind")])


def parse(text: str) -> Message:
    """The message that a process has sent. Raises ValueError."""
    if len(text) > MAX_MESSAGE_LENGTH:
        raise ValueError(f"more than {MAX_MESSAGE_LENGTH} characters")
    return _MESSAGES.validate_json(text)
