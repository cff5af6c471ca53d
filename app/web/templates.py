"""Templates: Jinja2 with escaping always on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import HTMLResponse

from app.models import markdown
from app.models.bidi import isolated
from app.models.fold import is_long
from app.models.thread import as_drawn
from app.settings import PACKAGE
from app.web.identity import parley_of


def _tojson(value: Any) -> Markup:
    """JSON that is safe inside a <script> block: no `<` can close it."""
    text = to_json(value).decode()
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _markdown(text: str) -> Markup:
    return Markup(markdown.html(text))


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(PACKAGE / "templates"), autoescape=True, undefined=StrictUndefined
    )
    environment.filters |= {"tojson": _tojson, "as_drawn": as_drawn, "markdown": _markdown}
    environment.filters |= {"isolated": isolated, "is_long": is_long}
    return environment


_templates = _environment()


def compile_all() -> None:
    """Compile every template, so that no request waits for it. The first page after a start would stop the event loop
    for 100 to 200 ms."""
    for name in _templates.list_templates():
        _templates.get_template(name)


def page(request: Request, name: str, context: Mapping[str, Any], status: int = 200) -> HTMLResponse:
    """A rendered page. Never cached: it carries a snapshot, and a person's name.

    Its paths begin with `base`, which is where on its host Parley is.
    """
    html = _templates.get_template(name).render(base=parley_of(request).settings.root_path, **context)
    return HTMLResponse(html, status, {"Cache-Control": "no-store"})
