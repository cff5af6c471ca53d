"""The ledger: the requests of people and the responses to them. The verdict compares the service with it.

A request counts as lost for each time that its response never arrived. Then the server may have executed it, or may
still execute it later (a suspended worker, a network that delays). `If-Match` protects from that. An edit without a
condition is not protected, so only such an edit may take effect late.
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
    """A change of one comment that one person requests, with all its repetitions."""

    by: str
    verb: Verb
    id: UUID
    body: str = ""
    conditional: bool = False
    outcome: Outcome = Outcome.UNCERTAIN
    status: int = 0
    seq: int | None = None  # in the response
    sent: int = 0
    lost: int = 0

    def acknowledge(self, status: int, comment: dict[str, Any] | None) -> None:
        self.outcome, self.status = Outcome.ACKNOWLEDGED, status
        self.seq = comment["seq"] if comment else None

    def refuse(self, status: int) -> None:
        self.outcome, self.status = Outcome.REFUSED, status


@dataclass
class Ledger:
    """The asks of all people in the order in which they began, and responses that break a promise."""

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
