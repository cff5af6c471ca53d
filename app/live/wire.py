"""Blocks: what goes over the wire, as bytes of an event stream. All that a client can rely on is in this file.

    id: <how far this session has been sent>
    event: global.comment.create.success        (… update … destroy …)
    data: {"payload": {"model": {…}}}

An `id:` alone moves the client's position over a change that it is not sent. The rest is about the stream itself.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

from pydantic_core import to_json

from app.live.topics import Topic

RETRY_MS = (1_000, 3_000)  # milliseconds that a client waits before it comes back, so that not all come at once
RETRY_POLLING_MS = (50, 250)
RETRY_TROUBLE_MS = (3_000, 8_000)


def data_line(value: Any) -> bytes:
    """The last line of a block. JSON holds no bare line break, so one line is enough."""
    return b"data: %s\n\n" % to_json(value)


def change(id: bytes, event_line: bytes, data: bytes) -> bytes:
    """A change: lines of this session's own before the data that all sessions share."""
    return b"id: %s\n%s%s" % (id, event_line, data)


def position(id: bytes) -> bytes:
    return b"id: %s\n\n" % id


def heartbeat(id: bytes, head: bytes) -> bytes:
    """`id:` is how far this session has been sent, `data.cursor` how far there is: a gap shows."""
    return b"id: %s\nevent: heartbeat\n%s" % (id, data_line({"cursor": head}))


def reset(id: bytes, topics: Iterable[Topic], reason: str) -> bytes:
    """Fetch these topics anew; the stream goes on from `id`."""
    return b"id: %s\nevent: reset\n%s" % (id, data_line({"topics": [str(topic) for topic in topics], "reason": reason}))


def auth(reason: str | None) -> bytes:
    """The login of this stream has ended."""
    return b"event: auth\n" + data_line({"reason": reason})


def presence(value: Any) -> bytes:
    """Who is at a topic, and who types there. Without an `id:`, since it is no change and moves no cursor."""
    return b"event: presence\n" + data_line(value)


def retry(milliseconds: tuple[int, int]) -> bytes:
    """A wait, drawn from this range, before the client comes back. Goes before another block, or ends the stream."""
    return b"retry: %d\n" % random.randint(*milliseconds)
