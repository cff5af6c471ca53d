"""Types that several endpoints share, errors, and the events of a stream that are not changes.

The type of each other response stands with its endpoint, and that of each object with its `render`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from app.accounts.logins import End
from app.live.model import Count
from app.live.presence.messages import Person
from app.live.stream.resume import Reason

Cursor = Annotated[str, Field(description="The start of a stream that continues from here, for `/streams?cursor=`.")]
Before = Annotated[int | None, Field(description="The `before=` of the next page; null at the beginning.")]


class Wrong(BaseModel):
    field: str
    detail: str


class Problem(BaseModel):
    """An error (RFC 9457). It never repeats the request's values."""

    type: Literal["about:blank"]
    title: str
    status: int
    detail: str
    errors: list[Wrong] = []
    topic_positions: Annotated[
        list[int], Field(description="The positions, from 0, of a stream's topics that cannot be followed.")
    ] = []


class Invalid(Problem):
    """A 422: an error for each invalid field."""

    errors: Annotated[list[Wrong], Field(min_length=1)]


class HeartbeatEvent(BaseModel):
    """The first event, and then one every 15 seconds. Its `id:` is this session's cursor."""

    cursor: Annotated[str, Field(description="The head. If it differs from the `id:`, more events follow.")]


class ResetEvent(BaseModel):
    """The client may have missed changes of these topics, and must read them again. The stream continues at `id:`."""

    topics: list[str]
    reason: Annotated[str, Field(json_schema_extra={"enum": [*Reason]})]


class AuthEvent(BaseModel):
    """The login of this stream has ended. The event has no `id:`."""

    reason: Annotated[End | None, Field(description="How it ended; null if unknown.")]


class PresenceEvent(BaseModel):
    """The people at a topic, and those who type there, for a stream with `presence=1`. The event has no `id:`."""

    topic: str
    people: Annotated[list[Person], Field(description="The first of them.")]
    count: Count
    guests: Count
    typing: list[Person]
    typing_count: Count


# By the names of the events.
STREAM: dict[str, type[BaseModel]] = {
    "heartbeat": HeartbeatEvent,
    "reset": ResetEvent,
    "auth": AuthEvent,
    "presence": PresenceEvent,
}
