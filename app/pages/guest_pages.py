"""Guest pages: the HTML of threads as guests see them, in memory for as long as the topic does not change.

1. All guests get the same page, except for the time of the request and the id of the composer's form. Both are
   replaced in the stored HTML. No comment can contain them: a comment that is written after somebody has seen them
   changes the topic, and with it the page.
2. A page is valid for one version: the epoch, the seqs of the topic and of the topic about it, and the templates and
   files of that moment, which change in development. Every change that a guest can see takes a seq. The counters are
   read before the rows, so a stored page may be newer than its version, and never older. Each request reads the
   counters from the database, so nothing that is erased or hidden is shown.
3. All pages together have at most `MAX_CHARACTERS`. The least recently used ones are removed first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic_core import to_json

from app.live.topics import Topic

MAX_CHARACTERS = 8_000_000  # of one process; about 200 pages of 40,000

Key = tuple[str, Topic]  # a template, and the topic that it shows
Version = tuple[str, Mapping[Topic, int], object]  # the epoch, the heads, and a version of templates and files (2)


@dataclass(frozen=True)
class GuestPage:
    """The HTML that was rendered for one request."""

    version: Version
    html: str
    now: datetime
    form_id: UUID

    def renewed(self, now: datetime, form_id: UUID) -> str:
        """The HTML for another request (1)."""
        return self.html.replace(_time(self.now), _time(now)).replace(str(self.form_id), str(form_id))


def _time(now: datetime) -> str:
    """As in the page's bootstrap."""
    return f'"now":{to_json(now).decode()}'


class GuestPages:
    """The guest pages of one process."""

    def __init__(self) -> None:
        self._pages: OrderedDict[Key, GuestPage] = OrderedDict()
        self._characters = 0

    def get(self, key: Key, version: Version) -> GuestPage | None:
        """The stored page, if it is of this version."""
        page = self._pages.get(key)
        if page is None or page.version != version:
            return None
        self._pages.move_to_end(key)
        return page

    def put(self, key: Key, page: GuestPage) -> None:
        self._remove(key)
        self._pages[key] = page
        self._characters += len(page.html)
        while self._characters > MAX_CHARACTERS:
            self._remove(next(iter(self._pages)))

    def _remove(self, key: Key) -> None:
        if page := self._pages.pop(key, None):
            self._characters -= len(page.html)
