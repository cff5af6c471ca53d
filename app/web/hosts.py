"""Hosts: pages that are not ours, with a conversation of ours in an iframe. What a host's page says of itself.

The embed hears the page's address and title from the page (`static/js/host.js`), whose origin the browser vouches for,
and sends both with each comment. Here the origin is checked again: an API client may send anything.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, StringConstraints
from pydantic_core import PydanticCustomError
from starlette.requests import Request

from app.models.commentable import LONGEST_TITLE, MAX_URL, HostPage
from app.models.visible_text import shows_something
from app.settings import Settings
from app.web.identity import parley_of
from app.web.input import Input, without_nul
from app.web.problems import invalid

MAX_RAW_TITLE = 1_000  # characters; what is longer than a title may be is cut

# As browsers write them: ASCII, percent-encoded. A fragment belongs to a comment.
_URL = re.compile(r"https?://[!-~]+")
_NEVER = re.compile(r'["<>\\^`{|}#]')


def _is_address(url: str) -> str:
    if url and (not _URL.fullmatch(url) or _NEVER.search(url)):
        raise PydanticCustomError("url", "An address like https://www.example.com/post, without a fragment")
    return url


Url = Annotated[str, StringConstraints(max_length=MAX_URL), AfterValidator(_is_address)]


class NewHostPage(Input):
    url: Url
    title: Annotated[str, StringConstraints(max_length=MAX_RAW_TITLE), AfterValidator(without_nul)] = ""


def page_from(request: Request, page: NewHostPage | None) -> HostPage | None:
    """The page, if its origin is one that may embed us. Of another one nothing is stored, and the comment counts."""
    if page is None or not is_listed(parley_of(request).settings, page.url):
        return None
    return HostPage(page.url, _title(page.title))


def require_listed(request: Request, url: str) -> str:
    """The address, if its origin may embed us. Raises Problem 422."""
    settings = parley_of(request).settings
    if not is_listed(settings, url):
        known = ", ".join(sorted(_origins(settings))) or "none"
        raise invalid(("url", f"The origin must be one of ALLOWED_ORIGINS ({known})"))
    return url


def is_listed(settings: Settings, url: str) -> bool:
    """Whether pages of the origin of this address may embed us."""
    return "/".join(url.split("/", 3)[:3]) in _origins(settings)


def _origins(settings: Settings) -> Collection[str]:
    """Those that are listed, and behind a prefix our own, because the other pages of that host are somebody's."""
    if not settings.root_path:
        return settings.allowed_origins
    own = urlsplit(settings.public_url)
    return {*settings.allowed_origins, f"{own.scheme}://{own.netloc}"}


def _title(text: str) -> str:
    """One line of it, as people see it."""
    line = "".join(character if character.isprintable() else " " for character in text)
    line = " ".join(line.split())[:LONGEST_TITLE].rstrip()
    return line if shows_something(line) else ""
