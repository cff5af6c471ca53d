"""The two scripts whose addresses are the same in every release: the service worker and the embed script.

1. The service worker stores a page for use without a connection if the response has `Parley-Keep: <version> <viewer>`.
   The version is the release's: the worker stores the pages of one release, and of one viewer.
2. These pages still have `Cache-Control: no-store`, which is for HTTP caches. Parley cannot empty those when a login
   ends, and on "back" Chromium shows a cached page without a request, even with `no-cache`.
"""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from app.accounts.identity import current_viewer
from app.http.security_headers import DOCUMENT_HEADERS
from app.pages.assets import FOR_ANYBODY, FrontEnd

KEEP_HEADER = "Parley-Keep"
REVALIDATE = {"Cache-Control": "no-cache"}
EMBED_HEADERS = {"Cache-Control": "public, max-age=300", **FOR_ANYBODY}


async def show(request: Request) -> Response:
    """Served at the root, because a worker controls the pages below its own path. Its headers set its policy."""
    return _script(request, "js/offline/service_worker.js", {**REVALIDATE, **DOCUMENT_HEADERS})


async def embed(request: Request) -> Response:
    """The script in pages of other sites. Browsers cache it for five minutes."""
    return _script(request, "js/embed/embed.js", EMBED_HEADERS)


def _script(request: Request, source: str, headers: dict[str, str]) -> Response:
    file = front_end_of(request).release.file(source)
    if file is None:
        raise HTTPException(404)
    return file.response_unless_known(request, headers)


def front_end_of(request: Request) -> FrontEnd:
    front_end: FrontEnd = request.app.state.front_end
    return front_end


async def allow_offline_use(request: Request, page: Response) -> Response:
    """Permit the service worker to store this page, and to show it to the same viewer without a connection."""
    viewer = await current_viewer(request)
    page.headers[KEEP_HEADER] = f"{front_end_of(request).release.version} {viewer.user_id or 'guest'}"
    return page
