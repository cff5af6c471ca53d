"""Refusals: why a person may not do what they asked. The web gives each its status."""

from __future__ import annotations

from math import ceil

from app.live.model import Live


class Refusal(Exception):
    """The message is for the person who asked."""


class Missing(Refusal):
    """There is no such object, or no longer, or not for you."""


class SignInFirst(Refusal):
    """Only people with an account may do this."""

    def __init__(self) -> None:
        super().__init__("Please sign in.")


class Forbidden(Refusal):
    """You are known, and may not."""


class TooMany(Refusal):
    """Too many attempts. `seconds` from now there may be another."""

    def __init__(self, seconds: float, message: str = "Too many attempts.") -> None:
        self.seconds = max(1, ceil(seconds))
        minutes = ceil(self.seconds / 60)
        wait = f"{self.seconds} second{'s' * (self.seconds != 1)}" if self.seconds < 90 else f"{minutes} minutes"
        super().__init__(f"{message} Try again in {wait}.")


class Busy(TooMany):
    """Not of this person: too many do the same."""

    def __init__(self) -> None:
        super().__init__(5, "Too many people are signing in right now.")


class NetworkBusy(TooMany):
    """Too many requests of this network are waiting."""

    def __init__(self) -> None:
        super().__init__(5, "Too many sign-ins from your network are waiting.")


class Invalid(Refusal):
    """A field's value cannot be taken, for a reason that only the database knows."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Conflict(Refusal):
    """The id is in use for something else, or the service would be left in a state that it must not be in."""


class Stale(Refusal):
    """The object has changed since the version that the change was made for. `current` is what it is now."""

    def __init__(self, current: Live) -> None:
        super().__init__("This was changed in the meantime.")
        self.current = current
