"""The built front end: the paths of its files as pages name them."""

from __future__ import annotations

from functools import cache

from app.pages.assets import FrontEnd, Release
from app.settings import Settings


@cache
def release() -> Release:
    """The release that an app of this checkout serves, built from the current sources."""
    return FrontEnd(Settings(_env_file=None)).release


def static(source: str) -> str:
    """The path of the file that is built from a source such as "js/app.js"."""
    return release().url(source)
