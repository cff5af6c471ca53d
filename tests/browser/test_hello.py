"""docs/hello.md: its page, copied as it is, shows what Carol does in Parley."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from tests.support.manual import Block, blocks_of
from tests.support.people import delete, edit, write
from tests.support.serving import Site, serving
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import httpx

    from app.settings import Settings
    from tests.browser.conftest import OpenBrowser
    from tests.browser.people import Person

ROOT = Path(__file__).resolve().parents[2]
PARLEY = "http://127.0.0.1:8000"
SHOWN = "Array.from(document.querySelectorAll('li'), (el) => el.textContent)"
OPEN = "stream.readyState === EventSource.OPEN"
MAX_LINES = 40


def page_block() -> Block:
    return next(blocks_of(ROOT / "docs" / "hello.md"))


@pytest.fixture
async def checkout() -> AsyncIterator[Site]:
    """Serve the page as `python3 -m http.server` would in a checkout. The address of Parley is replaced."""

    async def hello(request: Request) -> HTMLResponse:
        html = "\n".join(page_block().lines)
        assert html.count(PARLEY) == 1
        return HTMLResponse(html.replace(PARLEY, request.query_params["parley"]))

    libraries = Mount("/node_modules", StaticFiles(directory=ROOT / "node_modules"))
    async with serving(Starlette(routes=[Route("/hello.html", hello), libraries])) as site:
        yield site


@pytest.fixture
def settings(settings: Settings, checkout: Site) -> Settings:
    return settings.model_copy(update={"allowed_origins": frozenset({checkout.url})})


async def sees_list(person: Person, *bodies: str) -> None:
    async def is_shown() -> bool:
        return bool(await person.page.evaluate(SHOWN) == list(bodies))

    await wait_until(is_shown, f"the page to show {bodies}")


def test_a_reader_has_at_most_forty_lines_to_type() -> None:
    assert len(page_block().lines) <= MAX_LINES


async def test_a_reader_of_the_page_sees_a_conversation_change(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, site: Site, checkout: Site
) -> None:
    first = await write(carol_client, "There before the page")
    reader = await open_browser()
    await reader.go(f"{checkout.url}/hello.html?parley={site.url}")
    await reader.until(OPEN, "the stream")
    await sees_list(reader, "There before the page")
    second = await write(carol_client, "Written while it is open")
    await sees_list(reader, "There before the page", "Written while it is open")
    await edit(carol_client, first, "Edited while it is open")
    await sees_list(reader, "Edited while it is open", "Written while it is open")
    await delete(carol_client, second)
    await sees_list(reader, "Edited while it is open")
