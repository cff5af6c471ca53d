"""The ledger: what people asked for, and what they were told. What the verdict holds the service to.

An ask is lost as often as an answer to it never came: then it may have been done, or be done later still, when the
person has long gone on (a worker that was stopped, a road that was a black hole). `If-Match` is what protects from
that; an unconditional edit does not, so a lost one may turn up late, and only such a one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID


class Verb(StrEnum):
    CREATE = "create"
    EDIT = "edit"
    DELETE = "delete"


class Outcome(StrEnum):
    UNCERTAIN = "uncertain"
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"


@dataclass
class Ask:
    """One thing that one person wants done to one comment, however often it was sent."""

    by: str
    verb: Verb
    id: UUID
    body: str = ""
    conditional: bool = False
    outcome: Outcome = Outcome.UNCERTAIN
    status: int = 0
    seq: int | None = None  # that the answer spoke of
    sent: int = 0
    lost: int = 0

    def acknowledge(self, status: int, comment: dict[str, Any] | None) -> None:
        self.outcome, self.status = Outcome.ACKNOWLEDGED, status
        self.seq = comment["seq"] if comment else None

    def refuse(self, status: int) -> None:
        self.outcome, self.status = Outcome.REFUSED, status


@dataclass
class Ledger:
    """Everybody's asks, in the order in which they began, and what nobody should ever be told."""

    asks: list[Ask] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def ask(self, **what: Any) -> Ask:
        ask = Ask(**what)
        self.asks.append(ask)
        return ask

    def complain(self, what: str) -> None:
        self.complaints.append(what)

    def count(self, outcome: Outcome) -> int:
        return sum(ask.outcome is outcome for ask in self.asks)

    @property
    def sent(self) -> int:
        return sum(ask.sent for ask in self.asks)
