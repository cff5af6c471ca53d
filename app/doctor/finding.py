"""A finding: what was looked at, how it is, and what to do where that is not well."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    OK = "ok"
    WARNING = "warning"  # it works, and not for everybody or not for long
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    state: State
    about: str  # one word
    said: str  # a line without any secret
    advice: str = ""


def ok(about: str, said: str) -> Finding:
    return Finding(State.OK, about, said)


def warning(about: str, said: str, advice: str) -> Finding:
    return Finding(State.WARNING, about, said, advice)


def wrong(about: str, said: str, advice: str) -> Finding:
    return Finding(State.WRONG, about, said, advice)


def masked(url: str) -> str:
    """The URL without its passwords."""
    return re.sub(r"(?i)(password=)[^&]*", r"\1***", re.sub(r"(?<=://)([^:@/]*):.*@", r"\1:***@", url))
