"""A page from the disk alone: the libraries of npm, our modules over them or not, and somebody's tests."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, Route

ROOT = Path(__file__).resolve().parents[3]
STATIC = ROOT / "app/static"
NPM = ROOT / "node_modules"
ORIGIN = "http://localhost"  # never asked: every request is answered here
PATIENCE = 60_000  # milliseconds for some hundred small tests

# The libraries, which the build gives to our modules as globals or by a bare import (build.mjs).
IMPORTED = {
    "@github/relative-time-element": "/npm/@github/relative-time-element/dist/bundle.js",
    "idb": "/npm/idb/build/index.js",
    "node-diff3": "/npm/node-diff3/dist/diff3.mjs",
    "uuid": "/npm/uuid/dist/index.js",
}
IMPORT_MAP = f"<script type='importmap'>{json.dumps({'imports': IMPORTED})}</script>"
# Pages of the site have no jQuery. Backbone finds it if it is loaded first: Backbone's own tests need it.
UNDERSCORE, JQUERY, BACKBONE, RADIO = (
    f"<script defer src='/npm/{path}'></script>"
    for path in (
        "underscore/underscore-umd.js",
        "jquery/dist/jquery.js",
        "backbone/backbone.js",
        "backbone.radio/build/backbone.radio.js",
    )
)
LIBRARIES = (IMPORT_MAP, UNDERSCORE, BACKBONE, RADIO)
LIBRARIES_WITH_JQUERY = (IMPORT_MAP, UNDERSCORE, JQUERY, BACKBONE, RADIO)


def ours() -> list[str]:
    """What the real page's root imports, which is all we have: whatever of it touches Backbone is loaded."""
    return [f"/static/js/{name}" for name in re.findall(r'"\./([\w/]+\.js)"', (STATIC / "js/app.js").read_text())]


@dataclass(frozen=True)
class Suite:
    """Tests as their package has them: the files in their order, what they need first, and who runs them."""

    directory: Path
    files: list[str]
    needs: str
    runner: str
    test: str  # how one begins
    libraries: tuple[str, ...] = LIBRARIES

    def count(self) -> int:
        sources = [(self.directory / name).read_text() for name in self.files]
        return sum(len(re.findall(rf"^\s*{re.escape(self.test)}", source, re.MULTILINE)) for source in sources)

    async def run(self, browser: Browser, ours: list[str]) -> dict[str, list[str]]:
        """{passed: ["full name", …], failed: ["full name: why", …]}, with these of our modules loaded."""
        scripts = f"{self.needs}<script type='module' src='/upstream/{self.runner}'></script>"
        places = {"suite": self.directory}
        async with await browser.new_context() as context:
            told = {"ours": ours, "suite": self.files}
            page = await open_page(await context.new_page(), scripts, told, places, self.libraries)
            await page.wait_for_function("window.verdict", timeout=PATIENCE)
            verdict: dict[str, list[str]] = await page.evaluate("window.verdict")
            return verdict


async def open_page(
    page: Page,
    scripts: str,
    told: dict[str, Any],
    places: dict[str, Path] | None = None,
    libraries: tuple[str, ...] = LIBRARIES,
) -> Page:
    """The libraries, then these scripts; they find what they are told in `window.told`."""
    html = f"<!doctype html><meta charset='utf-8'><body><script>window.told = {json.dumps(told)}</script>"
    places = {"npm": NPM, "static": STATIC, "upstream": Path(__file__).parent, **(places or {})}

    async def answer(route: Route) -> None:
        place, _, path = route.request.url.removeprefix(f"{ORIGIN}/").partition("/")
        if not place:
            await route.fulfill(body="".join([html, *libraries, scripts]), content_type="text/html")
        elif place in places and (places[place] / path).is_file():
            await route.fulfill(path=places[place] / path)
        else:
            await route.fulfill(status=404)

    await page.route("**/*", answer)
    await page.goto(ORIGIN)
    return page
