"""The built front end, as a page would name its files."""

from __future__ import annotations

from functools import cache

from app.pages.assets import FrontEnd, Release
from app.settings import Settings


@cache
def release() -> Release:
    """What an app of this checkout serves, built from the sources as they are now."""
    return FrontEnd(Settings(_env_file=None)).release


def static(source: str) -> str:
    """("js/app.js") The path of the file that is built from this source."""
    return release().url(source)
