"""Rolls: what processes say to each other of who is where. What comes in is judged here, and bounded."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from app.live.model import MAX_TOPIC_LENGTH
from app.live.viewers import Viewer

MAX_NAMED = 50  # people that a roll names; the rest are a number
MAX_MESSAGE_LENGTH = 32_768  # characters of a message: twice what fifty of the longest names take
MAX_COUNT = 1_000_000  # people or guests that a roll may speak of
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
    """Who is at a topic in one process. With `asks`, that one wants to hear the others'."""

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
    """This person types at a topic, or no longer."""

    kind: Literal["typing"] = "typing"
    process: Annotated[str, Field(min_length=1, max_length=64)]
    topic: Annotated[str, Field(max_length=MAX_TOPIC_LENGTH)]
    person: Person
    goes_on: bool


class ProcessEndMessage(BaseModel):
    """This process ends."""

    kind: Literal["farewell"] = "farewell"
    process: Annotated[str, Field(min_length=1, max_length=64)]


Message = PresenceMessage | Typing | ProcessEndMessage

_MESSAGES: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="kind")])


def parse(text: str) -> Message:
    """What a process has said. Raises ValueError."""
    if len(text) > MAX_MESSAGE_LENGTH:
        raise ValueError(f"more than {MAX_MESSAGE_LENGTH} characters")
    return _MESSAGES.validate_json(text)
