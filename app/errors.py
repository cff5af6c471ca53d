"""Errors for the person who sent a request. `app.http.problems` gives each its HTTP status."""

from __future__ import annotations

from collections.abc import Collection
from math import ceil

from app.live.model import Live


class Refusal(Exception):
    """The message is for the person who sent the request."""


class Missing(Refusal):
    """The object does not exist, was deleted, or is hidden from this viewer."""


class SignInFirst(Refusal):
    """The request needs a signed-in account."""

    def __init__(self) -> None:
        super().__init__("Please sign in.")


class Forbidden(Refusal):
    """The account may not do this."""


class TooMany(Refusal):
    """Too many attempts. The next one is possible in `seconds`."""

    def __init__(self, seconds: float, message: str = "Too many attempts.") -> None:
        self.seconds = max(1, ceil(seconds))
        minutes = ceil(self.seconds / 60)
        wait = f"{self.seconds} second{'s' * (self.seconds != 1)}" if self.seconds < 90 else f"{minutes} minutes"
        super().__init__(f"{message} Try again in {wait}.")


class Busy(TooMany):
    """Too many requests of other people are waiting."""

    def __init__(self) -> None:
        super().__init__(5, "Too many people are signing in right now.")


class Invalid(Refusal):
    """A field's value is invalid, for a reason that only the database knows."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Conflict(Refusal):
    """The id is in use for another object, or the change would leave the service in an invalid state."""


class Stale(Refusal):
    """The object has changed since the version that the change is based on. `current` is its current state."""

    def __init__(self, current: Live) -> None:
        super().__init__("This was changed in the meantime.")
        self.current = current


Seen = Collection[int] | None  # seqs of an object that a client has seen; None: any


def refuse_stale(row: Live, seen: Seen) -> None:
    """Raises Stale unless the content is the same as at one of these seqs."""
    if seen is not None and not any(row.content_seq <= seq <= row.seq for seq in seen):
        raise Stale(row)
