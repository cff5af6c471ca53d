"""Wire format: the blocks of an event stream, as bytes. This file has everything that a client can rely on.

    id: <how far this session has been sent>
    event: global.comment.create.success        (… update … destroy …)
    data: {"payload": {"model": {…}}}

A block with an `id:` alone moves the client's position past a change that it is not sent. The other events are about
the stream itself.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic_core import from_json, to_json

from app.live.topics import Topic

RETRY_MS = (1_000, 3_000)  # before a client reconnects; a random time, so that not all clients reconnect at once
RETRY_POLLING_MS = (50, 250)  # between two long polls
RETRY_TROUBLE_MS = (3_000, 8_000)  # if the server could not serve the stream


def data_line(value: Any) -> bytes:
    """The last line of a block. JSON contains no raw line break, so one line is enough."""
    return b"data: %s\n\n" % to_json(value)


def model_line(model: Mapping[str, Any]) -> bytes:
    """The data line of a change."""
    return data_line({"payload": {"model": model}})


def with_members(line: bytes, members: Mapping[str, Any]) -> bytes:
    """The data line of a change with other values of these members of its model."""
    model = from_json(line.removeprefix(b"data: "))["payload"]["model"]
    return model_line({**model, **members})


def change(id: bytes, event_line: bytes, data: bytes) -> bytes:
    """A change: the lines of one session, followed by the data that all sessions share."""
    return b"id: %s\n%s%s" % (id, event_line, data)


def position(id: bytes) -> bytes:
    return b"id: %s\n\n" % id


def heartbeat(id: bytes, head: bytes) -> bytes:
    """`id:` is how far this session has been sent, and `data.cursor` the heads, so a client can see a gap."""
    return b"id: %s\nevent: heartbeat\n%s" % (id, data_line({"cursor": head}))


def reset(id: bytes, topics: Iterable[Topic], reason: str) -> bytes:
    """Tells the client to fetch these topics again; the stream continues from `id`."""
    return b"id: %s\nevent: reset\n%s" % (id, data_line({"topics": [str(topic) for topic in topics], "reason": reason}))


def auth(reason: str | None) -> bytes:
    """The login of this stream has ended."""
    return b"event: auth\n" + data_line({"reason": reason})


def presence(value: Any) -> bytes:
    """The people at a topic, and those who type there. It has no `id:`, because presence does not move the cursor."""
    return b"event: presence\n" + data_line(value)


def retry(milliseconds: tuple[int, int]) -> bytes:
    """The time before the client reconnects, at random from this range. Precedes another block, or ends the stream."""
    return b"retry: %d\n" % random.randint(*milliseconds)
