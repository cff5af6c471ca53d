"""Global IDs: `gid://parley/Comment/<id>?topic=Article%2F1&seq=57`, a string that names an object anywhere.

What is published to Redis, printed in logs and signed into cookies and links in mail. It carries no content: whoever
holds one locates the object in the database and sees it as it is now.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, urlencode

APP = "parley"
MAX_LENGTH = 3_000  # characters; 200 of a topic's id take twelve each when quoted

_SHAPE = re.compile(
    r"gid://parley/(?P<model>[A-Z][A-Za-z0-9]{0,49})/(?P<id>[\w.-]{1,200})(?:\?(?P<params>\S*))?", re.ASCII
)


class BadGid(ValueError):
    """Not a Global ID of ours, or one of an unknown model."""


class GidNotFound(LookupError):
    """A well-formed Global ID of an object that does not exist, or no longer."""


@dataclass(frozen=True)
class Gid:
    model: str
    id: str
    params: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Gid:
        """Raises BadGid. Parameters may be any; a repeated one counts once, the last."""
        shape = _SHAPE.fullmatch(text) if len(text) <= MAX_LENGTH else None
        if not shape:
            raise BadGid(f"not a gid://{APP}/<Model>/<id>: {text[:80]!r}")
        return cls(shape["model"], shape["id"], dict(parse_qsl(shape["params"] or "", keep_blank_values=True)))

    def __str__(self) -> str:
        query = f"?{urlencode(self.params)}" if self.params else ""
        return f"gid://{APP}/{self.model}/{quote(self.id, safe='')}{query}"
