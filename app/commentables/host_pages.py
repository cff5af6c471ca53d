"""Host pages: the URL and title of a page of another site that shows a conversation in an iframe.

The page sends both to the embed (`static/js/embed/host.js`), and the browser guarantees the page's origin. The embed
sends them with each comment. The origin is checked again here, because an API client may send anything.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Annotated
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, StringConstraints
from starlette.requests import Request

from app.accounts.identity import parley_of
from app.commentables.commentables import MAX_TITLE_LENGTH, MAX_URL, HostPage
from app.http.problems import invalid
from app.http.requests import Input, without_nul
from app.settings import Settings
from app.text.visible_text import in_one_line, shows_something

MAX_RAW_TITLE = 1_000  # characters; a title is cut to `MAX_TITLE_LENGTH`

# URLs as browsers write them: ASCII, percent-encoded. There is no fragment: it is for the comment's id.
_URL = re.compile(r"https?://[!-~]+")
_NEVER = re.compile(r'["<>\\^`{|}#]')


def _is_address(url: str) -> str:
    if url and (not _URL.fullmatch(url) or _NEVER.search(url)):
        raise ValueError("An address like https://www.example.com/post, without a fragment")
    return url


Url = Annotated[str, StringConstraints(max_length=MAX_URL), AfterValidator(_is_address)]


class NewHostPage(Input):
    url: Url
    title: Annotated[str, StringConstraints(max_length=MAX_RAW_TITLE), AfterValidator(without_nul)] = ""


def page_from(request: Request, page: NewHostPage | None) -> HostPage | None:
    """The page if its origin may embed Parley; otherwise None, and the comment is posted without it."""
    if page is None or not is_listed(parley_of(request).settings, page.url):
        return None
    return HostPage(page.url, _title(page.title))


def require_listed(request: Request, url: str) -> str:
    """The URL, if its origin may embed Parley. Raises Problem 422."""
    settings = parley_of(request).settings
    if not is_listed(settings, url):
        known = ", ".join(sorted(_origins(settings))) or "none"
        raise invalid(("url", f"The origin must be one of ALLOWED_ORIGINS ({known})"))
    return url


def is_listed(settings: Settings, url: str) -> bool:
    """Whether the origin of this URL may embed Parley."""
    return "/".join(url.split("/", 3)[:3]) in _origins(settings)


def public_page(settings: Settings, place: str, url: str) -> str:
    """The address of the page with a conversation: the host's, if it may still embed Parley, else Parley's own."""
    return url if url and is_listed(settings, url) else f"{settings.public_url}/{quote(place)}"


def _origins(settings: Settings) -> Collection[str]:
    """ALLOWED_ORIGINS, and with ROOT_PATH also Parley's origin, because other pages of that host may embed Parley."""
    if not settings.root_path:
        return settings.allowed_origins
    own = urlsplit(settings.public_url)
    return {*settings.allowed_origins, f"{own.scheme}://{own.netloc}"}


def _title(text: str) -> str:
    """The title in one line, cut to its limit; "" if it shows nothing."""
    line = in_one_line(text)[:MAX_TITLE_LENGTH].rstrip()
    return line if shows_something(line) else ""
