"""Paths: refuses paths that two programs may read differently, before any route gets them.

A proxy, a cache and this app each decode and normalize paths in their own way. If they disagree, a cache may store one
person's page under the address of a public file ("web cache deception"), or a request may evade a rule of the proxy. So
only paths with one reading are accepted:

1. No segment is `.` or `..`, even if written %2e. There is no backslash, no control character, and no byte that is not
   UTF-8, encoded or not. No id needs any of these.
2. An encoded slash (%2F) is allowed in an id, and means the same as a plain one: clients of the API encode ids as a
   whole. Elsewhere it is refused, and so is a path that begins with two slashes.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote_to_bytes

from starlette.types import Scope

from app.http.problems import Problem

DOTS = frozenset({".", ".."})
REFUSED = re.compile(r"[\x00-\x1f\x7f\\]")
# The part of a path before an id: its type, after one of the prefixes that `app.main` has for a type and an id.
BEFORE_ID = re.compile(r"/(?:api/commentables/|embed/|feeds/)?[A-Z][A-Za-z0-9]*/")


def refuse_ambiguous_path(root_path: str, scope: Scope) -> Problem | None:
    """404 for a path that a proxy may read as another one."""
    return Problem(404, "Page not found.") if is_ambiguous(_raw_path(scope), root_path) else None


def is_ambiguous(raw_path: str, root_path: str = "") -> bool:
    """Whether this path, as it was sent, is refused. It may begin with `root_path`, more than once."""
    while root_path and raw_path.startswith(f"{root_path}/"):
        raw_path = raw_path[len(root_path) :]
    try:
        path = unquote_to_bytes(raw_path).decode()
    except UnicodeDecodeError:
        return True
    if REFUSED.search(path) or path.startswith("//") or not DOTS.isdisjoint(path.split("/")):
        return True
    before = BEFORE_ID.match(raw_path)
    return "%2f" in raw_path[: before.end() if before else None].lower()


def _raw_path(scope: Scope) -> str:
    """The path as it was sent, without the query. Not every server provides it."""
    raw = scope.get("raw_path")
    return raw.partition(b"?")[0].decode("latin-1") if raw else quote(scope["path"])
