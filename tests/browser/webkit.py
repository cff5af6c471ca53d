"""WebKitGTK's small browser, on a screen that nobody sees, over WebDriver: what Playwright cannot drive."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.browser.people import BODIES, MODELS, SHOWN
from tests.support.people import ARTICLE
from tests.support.processes import Process
from tests.support.serving import free_port
from tests.support.waiting import wait_until

PATIENCE = 40  # seconds: its answers take longer than Chromium's
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # how WebDriver marks a reference to an element
CONTROL, ENTER = "\ue009", "\ue007"

# What to know of a page that does not show what it should.
STATE = f"""() => JSON.stringify({{
  shown: ({BODIES})(),
  loaded: parley.comments.map((comment) => comment.text()),
  stream: [parley.connector.state, parley.connector.leads, document.visibilityState],
  place: [scrollY, innerHeight, document.documentElement.scrollHeight],
}})"""
# For two frames, as in its first one what glides is where it was.
STANDS_STILL = """const [selector, answer] = arguments;
const top = () => document.querySelector(selector).getBoundingClientRect().top;
const before = top();
requestAnimationFrame(() => requestAnimationFrame(() => answer(top() === before)));"""


class Webkit:
    """Somebody's window. Selectors are CSS, scripts functions without arguments, as with Playwright."""

    def __init__(self, session: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
        self._session = session
        self._client = client

    async def sign_in(self) -> None:
        """Take over the cookies of this person's client. A page of the site must be open."""
        for cookie in self._client.cookies.jar:
            given = {"name": cookie.name, "value": cookie.value, "path": cookie.path, "httpOnly": True}
            await self._post("cookie", cookie=given)

    async def go(self, path: str) -> None:
        await self._post("url", url=str(self._client.base_url.join(path)))
        await self.until("window.parley && ['live', 'idle'].includes(parley.connector.state)")

    async def open_tab(self, path: str) -> str:
        """One more tab, which is looked at from now on. Answers what `look_at` takes."""
        tab = (await self._post("window/new", type="tab"))["handle"]
        await self.look_at(tab)
        await self.go(path)
        return str(tab)

    async def tab(self) -> str:
        return str(await self._send("GET", "window"))

    async def look_at(self, tab: str) -> None:
        await self._post("window", handle=tab)

    async def evaluate(self, script: str) -> Any:
        return await self._post("execute/sync", script=f"return ({script})()", args=[])

    async def until(self, condition: str) -> None:
        await wait_until(lambda: self.evaluate(f"() => Boolean({condition})"), condition, PATIENCE)

    async def click(self, selector: str) -> None:
        """Once it stands still: the driver looks where it is, and presses there, wherever it has glided meanwhile."""
        await wait_until(lambda: self._stands_still(selector), f"{selector} to stand still", PATIENCE)
        await self._post(f"element/{await self._find(selector)}/click")

    async def write(self, body: str) -> None:
        composer = await self._find(".composer textarea")
        await self._post(f"element/{composer}/value", text=f"{body}{CONTROL}{ENTER}")

    async def scroll_to_the_end(self) -> None:
        """Where what others write is shown at once, and does not wait to be asked for."""
        await self.evaluate("() => scrollTo({ top: document.documentElement.scrollHeight, behavior: 'instant' })")

    async def sees(self, *bodies: str) -> None:
        wanted = json.dumps(bodies)
        try:
            await self.until(f"JSON.stringify(({BODIES})()) === JSON.stringify({wanted})")
        except AssertionError:
            raise AssertionError(f"not {wanted}: {await self.evaluate(STATE)}") from None

    async def sees_the_truth(self) -> None:
        """Waits until models and page equal a fresh snapshot, as the client gets it."""
        await wait_until(self._shows_the_truth, "models and page to equal a snapshot", PATIENCE)

    async def _shows_the_truth(self) -> bool:
        fresh = (await self._client.get("/api/comments/", params=ARTICLE)).json()["comments"]
        shown = [(one["id"], one["body"], one["state"]) for one in await self.evaluate(SHOWN)]
        wanted = [(one["id"], one["body"], "settled") for one in fresh]
        return bool(shown == wanted and await self.evaluate(MODELS) == fresh)

    async def _stands_still(self, selector: str) -> bool:
        return bool(await self._post("execute/async", script=STANDS_STILL, args=[selector]))

    async def _find(self, selector: str) -> str:
        found = await self._post("element", using="css selector", value=selector)
        return str(found[ELEMENT])

    async def _post(self, command: str, **what: Any) -> Any:
        return await self._send("POST", command, json=what)

    async def _send(self, method: str, command: str, **options: Any) -> Any:
        answer = (await self._session.request(method, command, **options)).json()["value"]
        if isinstance(answer, dict) and "error" in answer:
            raise AssertionError(f"{method} {command}: {answer['error']}: {answer['message']}")
        return answer


@asynccontextmanager
async def webkit(client: httpx.AsyncClient, directory: Path) -> AsyncIterator[Webkit]:
    """A window for whoever this client acts for. Its processes' logs are put into the directory."""
    screen = Process(["Xvfb", "-displayfd", "1", "-nolisten", "tcp"], directory, directory / "xvfb.log")
    port = free_port()
    try:
        await wait_until(lambda: screen.log.strip().isdigit(), "a screen", PATIENCE)
        # A proxy of the machine's is not for what is served on it.
        environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        environment |= {"DISPLAY": f":{screen.log.strip()}", "GDK_BACKEND": "x11"}
        driver = Process(
            ["WebKitWebDriver", f"--port={port}"], directory, directory / "webdriver.log", environment=environment
        )
        try:
            async with _session(f"http://127.0.0.1:{port}") as session:
                yield Webkit(session, client)
        finally:
            driver.end()
    finally:
        screen.end()


@asynccontextmanager
async def _session(driver: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=driver, trust_env=False, verify=False, timeout=PATIENCE) as client:
        await wait_until(lambda: _ready(client), "the driver", PATIENCE)
        made = (await client.post("session", json={"capabilities": {}})).json()["value"]
        client.base_url = httpx.URL(f"{driver}/session/{made['sessionId']}")
        yield client
        await client.delete("")


async def _ready(client: httpx.AsyncClient) -> bool:
    try:
        return bool((await client.get("status")).json()["value"]["ready"])
    except httpx.TransportError:
        return False
