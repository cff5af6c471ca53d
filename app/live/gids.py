"""Global IDs: `gid://parley/Comment/<id>?topic=Article%2F1&seq=57`, a string that names an object anywhere.

Gids are published to Redis, printed in logs, and signed into cookies and into links in e-mails. A gid carries no
content: its holder locates the object in the database, and gets its current state.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, urlencode

APP = "parley"
MAX_LENGTH = 3_000  # characters; each of the 200 characters of a topic's id takes up to twelve when quoted

_SHAPE = re.compile(
    r"gid://parley/(?P<model>[A-Z][A-Za-z0-9]{0,49})/(?P<id>[\w.-]{1,200})(?:\?(?P<params>\S*))?", re.ASCII
)


class BadGid(ValueError):
    """The text is not a Parley Global ID, or its model is unknown."""


class GidNotFound(LookupError):
    """The Global ID is well-formed, but its object does not exist, or has been deleted."""


@dataclass(frozen=True)
class Gid:
    model: str
    id: str
    params: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Gid:
        """Raises BadGid. Any parameters are accepted; of a repeated one, the last value counts."""
        shape = _SHAPE.fullmatch(text) if len(text) <= MAX_LENGTH else None
        if not shape:
            raise BadGid(f"not a gid://{APP}/<Model>/<id>: {text[:80]!r}")
        params = shape["params"]
        return cls(shape["model"], shape["id"], dict(parse_qsl(params, keep_blank_values=True)) if params else {})

    def __str__(self) -> str:
        query = f"?{urlencode(self.params)}" if self.params else ""
        return f"gid://{APP}/{self.model}/{quote(self.id, safe='')}{query}"
