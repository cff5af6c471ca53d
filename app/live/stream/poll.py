"""Polls: the batch of a session as a value, for a response that ends (`app.changes`)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from app.live.stream.session import Session

# In a block: how far the session has been sent, or an event.
_LINES = re.compile(rb"^(?:id: (?P<id>.*)|event: (?P<name>.*)\ndata: (?P<data>.*))$", re.MULTILINE)


@dataclass(frozen=True)
class Batch:
    """Events by name, with their data, and the cursor after them."""

    events: Sequence[tuple[str, Any]]
    cursor: str


async def poll(session: Session, *, wait: bool) -> Batch | None:
    """The batch of a `once` session: changes, or a reset. Without `wait`, it is empty if there are none yet.

    None if the session ended before that, because the database is unavailable, or because this process shuts down.
    """
    ids: list[str] = []
    events: list[tuple[str, Any]] = []
    async with aclosing(session.stream()) as blocks:
        async for block in blocks:
            for line in _LINES.finditer(block):
                if line["id"]:
                    ids.append(line["id"].decode())
                else:
                    events.append((line["name"].decode(), from_json(line["data"])))
            if not wait and ids and ids[-1] == events[0][1]["cursor"]:  # the first heartbeat has the head
                break
        else:
            if len(ids) < 2:  # the first one is the beginning
                return None
    return Batch([event for event in events if event[0] != "heartbeat"], ids[-1])
