"""WebKitGTK's MiniBrowser on a virtual screen, driven over WebDriver, because Playwright cannot drive it."""

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

TIMEOUT_SECONDS = 40  # it is slower than Chromium
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # how WebDriver marks a reference to an element
CONTROL, ENTER = "\ue009", "\ue007"

# The state of a page, for the message of a failed wait.
STATE = f"""() => JSON.stringify({{
  shown: ({BODIES})(),
  loaded: parley.comments.map((comment) => comment.text()),
  stream: [parley.connector.state, parley.connector.leads, document.visibilityState],
  place: [scrollY, innerHeight, document.documentElement.scrollHeight],
}})"""
# Compares two frames, because a FLIP animation is at its old position in its first frame.
HAS_STOPPED = """const [selector, done] = arguments;
const top = () => document.querySelector(selector).getBoundingClientRect().top;
const before = top();
requestAnimationFrame(() => requestAnimationFrame(() => done(top() === before)));"""


class Webkit:
    """A person's browser. Selectors are CSS and scripts are functions without arguments, as in Playwright."""

    def __init__(self, session: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
        self._session = session
        self._client = client

    async def sign_in(self) -> None:
        """Copy the cookies of this person's client. A page of the site must be open."""
        for cookie in self._client.cookies.jar:
            given = {"name": cookie.name, "value": cookie.value, "path": cookie.path, "httpOnly": True}
            await self._post("cookie", cookie=given)

    async def go(self, path: str) -> None:
        await self._post("url", url=str(self._client.base_url.join(path)))
        await self.until("window.parley && ['live', 'idle'].includes(parley.connector.state)")

    async def open_tab(self, path: str) -> str:
        """Open a tab and switch to it. Returns its handle for `switch_to`."""
        tab = (await self._post("window/new", type="tab"))["handle"]
        await self.switch_to(tab)
        await self.go(path)
        return str(tab)

    async def current_tab(self) -> str:
        return str(await self._send("GET", "window"))

    async def switch_to(self, tab: str) -> None:
        await self._post("window", handle=tab)

    async def evaluate(self, script: str) -> Any:
        return await self._post("execute/sync", script=f"return ({script})()", args=[])

    async def until(self, condition: str) -> None:
        await wait_until(lambda: self.evaluate(f"() => Boolean({condition})"), condition, TIMEOUT_SECONDS)

    async def click(self, selector: str) -> None:
        """Click once the element has stopped moving: the driver measures its position first and clicks there later."""
        await wait_until(lambda: self._has_stopped(selector), f"{selector} to stop moving", TIMEOUT_SECONDS)
        await self._post(f"element/{await self._find(selector)}/click")

    async def write(self, body: str) -> None:
        composer = await self._find(".composer textarea")
        await self._post(f"element/{composer}/value", text=f"{body}{CONTROL}{ENTER}")

    async def scroll_to_the_end(self) -> None:
        """Scroll to the end, where new comments appear at once instead of behind the pill."""
        await self.evaluate("() => scrollTo({ top: document.documentElement.scrollHeight, behavior: 'instant' })")

    async def sees(self, *bodies: str) -> None:
        wanted = json.dumps(bodies)
        try:
            await self.until(f"JSON.stringify(({BODIES})()) === JSON.stringify({wanted})")
        except AssertionError:
            raise AssertionError(f"not {wanted}: {await self.evaluate(STATE)}") from None

    async def matches_server(self) -> None:
        """Wait until the models and the page equal a fresh snapshot of the client."""
        await wait_until(self._equals_snapshot, "models and page to equal a snapshot", TIMEOUT_SECONDS)

    async def _equals_snapshot(self) -> bool:
        fresh = (await self._client.get("/api/comments/", params=ARTICLE)).json()["comments"]
        shown = [(one["id"], one["body"], one["state"]) for one in await self.evaluate(SHOWN)]
        wanted = [(one["id"], one["body"], "settled") for one in fresh]
        return bool(shown == wanted and await self.evaluate(MODELS) == fresh)

    async def _has_stopped(self, selector: str) -> bool:
        return bool(await self._post("execute/async", script=HAS_STOPPED, args=[selector]))

    async def _find(self, selector: str) -> str:
        found = await self._post("element", using="css selector", value=selector)
        return str(found[ELEMENT])

    async def _post(self, command: str, **body: Any) -> Any:
        return await self._send("POST", command, json=body)

    async def _send(self, method: str, command: str, **options: Any) -> Any:
        value = (await self._session.request(method, command, **options)).json()["value"]
        if isinstance(value, dict) and "error" in value:
            raise AssertionError(f"{method} {command}: {value['error']}: {value['message']}")
        return value


@asynccontextmanager
async def webkit(client: httpx.AsyncClient, directory: Path) -> AsyncIterator[Webkit]:
    """A browser for the person of this client. The logs of its processes go to the directory."""
    screen = Process(["Xvfb", "-displayfd", "1", "-nolisten", "tcp"], directory, directory / "xvfb.log")
    port = free_port()
    try:
        await wait_until(lambda: screen.log.strip().isdigit(), "the virtual screen", TIMEOUT_SECONDS)
        # The site is local, so the browser may not use the machine's HTTP proxy.
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
    async with httpx.AsyncClient(base_url=driver, trust_env=False, verify=False, timeout=TIMEOUT_SECONDS) as client:
        await wait_until(lambda: _is_ready(client), "WebKitWebDriver", TIMEOUT_SECONDS)
        session = (await client.post("session", json={"capabilities": {}})).json()["value"]
        client.base_url = httpx.URL(f"{driver}/session/{session['sessionId']}")
        yield client
        await client.delete("")


async def _is_ready(client: httpx.AsyncClient) -> bool:
    try:
        return bool((await client.get("status")).json()["value"]["ready"])
    except httpx.TransportError:
        return False
