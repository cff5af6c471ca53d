"""Host pages: plain HTML on another server, with threads of Parley in iframes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from playwright.async_api import Frame, Locator, Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from tests.support.serving import serving
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.browser.people import Person

# A host's style sheet with rules that match every element, also inside a thread if they could reach it.
HOSTILE = """
  * { color: red !important; font: 700 9px/1 fantasy !important; letter-spacing: 1em !important }
  div, iframe, dialog, p, li, button, textarea { display: none }
  iframe { height: 10px !important; width: 50px !important; border: 9px solid red !important; opacity: 0.1 !important }
  .comment, .thread, .composer, .button { position: fixed !important; inset: -99rem auto auto !important }
"""


@dataclass
class Host:
    """A server of host pages.

    `pages` has the HTML of each body and its style sheet, by path. `script` is the address of embed.js, and
    `attributes` are the attributes of the script element.
    """

    url: str = ""
    script: str = ""
    attributes: str = "async"
    pages: dict[str, tuple[str, str]] = field(default_factory=dict)

    def show(self, body: str, style: str = "", path: str = "/") -> str:
        """Set the page at this path, and return its address."""
        self.pages[path] = body, style
        return f"{self.url}{path}"

    async def respond(self, request: Request) -> Response:
        body, style = self.pages[request.url.path]
        return HTMLResponse(
            "<!doctype html><html lang=en><title>Somebody's page</title><link rel=icon href=data:,>"
            f'<style>{style}</style><body>{body}<script {self.attributes} src="{self.script}"></script>'
        )

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self.respond)])


@asynccontextmanager
async def serve_host() -> AsyncIterator[Host]:
    """Serve host pages on another port than Parley: two ports of one host are one site but two origins."""
    host = Host()
    async with serving(host.app()) as site:
        host.url = site.url
        yield host


def thread(topic: str = "Article/1", more: str = "", inside: str = "") -> str:
    return f'<div data-parley="{topic}" {more}>{inside}</div>'


def iframe_of(page: Page, topic: str = "Article/1") -> Locator:
    return page.locator(f'[data-parley="{topic}"] iframe')


async def enter_frame(person: Person, topic: str = "Article/1") -> Person:
    """The same person in the iframe of this thread, once the thread is live."""
    frame = await wait_until(lambda: _frame(person.page, topic), f"an iframe of {topic}")
    inside = person.inside(frame)
    await inside.is_ready()
    return inside


def _frame(page: Page, topic: str) -> Frame | None:
    return next((frame for frame in page.frames if frame.url.split("#")[0].endswith(f"/embed/{topic}")), None)


async def wait_for_fit(page: Page, topic: str = "Article/1") -> None:
    """Wait until the iframe is as high as its content."""
    iframe = iframe_of(page, topic)
    content = iframe.content_frame.locator("html")

    async def is_as_high() -> bool:
        outer, inner = await iframe.bounding_box(), await content.bounding_box()
        return bool(outer and inner and inner["height"] > 0 and abs(outer["height"] - inner["height"]) <= 1)

    await wait_until(is_as_high, f"the iframe of {topic} to fit")
