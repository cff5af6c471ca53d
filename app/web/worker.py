"""The service worker, by which a page that was read before opens without a connection, too. `static/js/worker.js`.

1. It keeps what we say that it may: `Parley-Keep` names the cache, `files <version>` for a static file and
   `pages <version> <viewer>` for a page. The version is that of all static files together, so that a page is never
   joined with the modules of another release.
2. Pages say `no-store` all the same. That is for HTTP's caches: nobody can empty those when a login ends, and on "back"
   Chromium shows what is in them without asking, even where it said `no-cache`. The worker's hold one viewer's pages,
   and are emptied.
"""

from __future__ import annotations

import os
from functools import cache
from hashlib import blake2b
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

from app.settings import PACKAGE
from app.web.identity import current_viewer

STATIC = PACKAGE / "static"
KEEP = "Parley-Keep"
ASK_FIRST = {"Cache-Control": "no-cache"}  # else browsers guess for how long a file is good, and mix releases
# Modules of another origin are read only where that says so. They are public, and know nothing of who asks.
FOR_ANYBODY = {"Access-Control-Allow-Origin": "*"}


async def show(request: Request) -> Response:
    """From the root, since a worker serves what lies below it."""
    return FileResponse(STATIC / "js" / "worker.js", headers=ASK_FIRST)


async def embed(request: Request) -> Response:
    """What others' pages have in a <script>. They are many and it is small, so they need not ask each time."""
    headers = {"Cache-Control": "public, max-age=300", **FOR_ANYBODY}
    return FileResponse(STATIC / "js" / "embed.js", headers=headers)


class Files(StaticFiles):
    """The static files, each of which may be kept."""

    def __init__(self) -> None:
        super().__init__(directory=STATIC)
        version()  # at the start: what is changed later is another release

    def file_response(self, full_path: str | os.PathLike[str], *more: Any, **others: Any) -> Response:
        response = super().file_response(full_path, *more, **others)
        response.headers.update({**ASK_FIRST, **FOR_ANYBODY, KEEP: f"files {version()}"})
        return response


async def may_keep(request: Request, page: Response) -> Response:
    """The page, which may be shown to the same viewer again while we cannot be reached."""
    viewer = await current_viewer(request)
    page.headers[KEEP] = f"pages {version()} {viewer.user_id or 'guest'}"
    return page


@cache
def version() -> str:
    """Of all static files together: the same on every server that has the same files."""
    digest = blake2b(digest_size=8)
    for path in sorted(path for path in STATIC.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(STATIC).as_posix()}\0".encode())
        digest.update(blake2b(path.read_bytes()).digest())
    return digest.hexdigest()
