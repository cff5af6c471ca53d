"""A finding: the result of one check, and the fix if it failed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    OK = "ok"
    WARNING = "warning"  # Parley works, but not for everybody or not for long
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    state: State
    subject: str  # one or two words
    message: str  # one line, without secrets
    advice: str = ""


def ok(subject: str, message: str) -> Finding:
    return Finding(State.OK, subject, message)


def warning(subject: str, message: str, advice: str) -> Finding:
    return Finding(State.WARNING, subject, message, advice)


def wrong(subject: str, message: str, advice: str) -> Finding:
    return Finding(State.WRONG, subject, message, advice)


def masked(url: str) -> str:
    """The URL without its passwords."""
    return re.sub(r"(?i)(password=)[^&]*", r"\1***", re.sub(r"(?<=://)([^:@/]*):.*@", r"\1:***@", url))
