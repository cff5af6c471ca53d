"""Templates: Jinja2 with escaping always on."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import HTMLResponse

from app.accounts.identity import parley_of
from app.comments import markdown
from app.comments.folding import is_long
from app.comments.threads import in_page_order
from app.pages.assets import FrontEnd, accepted
from app.pages.compression import compressed
from app.settings import PACKAGE
from app.text.bidi import isolated

TEMPLATES = PACKAGE / "templates"


def _tojson(value: Any) -> Markup:
    """JSON that is safe inside a <script> block: no `<` can close it."""
    text = to_json(value).decode()
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _markdown(text: str) -> Markup:
    return Markup(markdown.html(text))


def _environment() -> Environment:
    loader = FileSystemLoader((TEMPLATES, PACKAGE / "atom" / "templates"))
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    environment.filters |= {"tojson": _tojson, "in_page_order": in_page_order, "markdown": _markdown}
    environment.filters |= {"isolated": isolated, "is_long": is_long}
    return environment


_templates = _environment()


def compile_all() -> None:
    """Compile every template, so that no request has to. Otherwise the first page after a start would block the event
    loop for 100 to 200 ms."""
    for name in _templates.list_templates():
        _templates.get_template(name)


def render_mail(name: str, context: Mapping[str, Any]) -> str:
    """The HTML of a mail. It has no paths of this site, only whole URLs from the context."""
    return _templates.get_template(name).render(context)


def page(request: Request, name: str, context: Mapping[str, Any], status: int = 200) -> HTMLResponse:
    """A rendered page."""
    html = rendered(request, name, context).encode()
    return respond(request, lambda: html, lambda: compressed(html), status)


def respond(request: Request, html: Callable[[], bytes], gzip: Callable[[], bytes], status: int = 200) -> HTMLResponse:
    """The response with a page, by gzip if the client accepts that. It is never cached: it contains a snapshot, and a
    person's name."""
    headers = {"Cache-Control": "no-store", "Vary": "Accept-Encoding"}
    if "gzip" in accepted(request.headers.get("accept-encoding", "")):
        return HTMLResponse(gzip(), status, {**headers, "Content-Encoding": "gzip"})
    return HTMLResponse(html(), status, headers)


def sources(request: Request) -> tuple[str, int]:
    """The version of the front end, and the time of the newest template. A page changes if its context or these do.
    Outside of development neither changes, and the time is 0."""
    front_end: FrontEnd = request.app.state.front_end
    is_watched = front_end.is_rebuilt
    newest = max(entry.stat().st_mtime_ns for entry in os.scandir(TEMPLATES)) if is_watched else 0
    return front_end.refresh().version, newest


def rendered(request: Request, name: str, context: Mapping[str, Any]) -> str:
    """The HTML of a page.

    Paths in a template begin with `base`, which is where Parley is on its host. `static(source)` is the path of the
    file that is built from this source, and `preloads(script)` are those of the modules that a script imports.
    """
    base = parley_of(request).settings.root_path
    release = request.app.state.front_end.refresh()
    static = {
        "static": lambda source: base + release.url(source),
        "preloads": lambda source: [base + path for path in release.preloads(source)],
    }
    return _templates.get_template(name).render(base=base, **static, **context)
