"""From one page to another: the time from Alice's key press until Bob's page shows her change.

1. Both view the same thread, each in a separate browser context.
2. The time starts when the browser receives the key press, before any script does. Both pages use the machine's clock.
3. Alice writes, edits and deletes comments. The target for the medians is 100 ms.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from playwright.async_api import Browser

from bench import servers
from bench.measure import median
from bench.page import chromium
from tests.browser.page_errors import PageErrors
from tests.browser.people import Person, cookies_of
from tests.support.people import sign_up

COMMENTS = 15  # in a round

WATCH_KEYS = """() => addEventListener("keydown", (event) => {
  window.pressedAt = Date.now() - (performance.now() - event.timeStamp);
}, true)"""

WATCH_THREAD = """() => {
  const list = document.querySelector(".thread__list");
  const times = window.times = {};
  const record = () => {
    const bodies = Array.from(list.querySelectorAll(".comment__body"), (body) => body.textContent);
    for (const body of bodies) times[body] ??= { appeared: Date.now() };
    for (const body of Object.keys(times)) {
      if (!bodies.includes(body)) times[body].vanished ??= Date.now();
    }
  };
  new MutationObserver(record).observe(list, { childList: true, characterData: true, subtree: true });
}"""


async def run(rounds: int, log: Any = print) -> dict[str, Any]:
    found = []
    for kind in servers.DATABASES:
        async with (
            servers.data(kind) as url,
            servers.parley(url, environment={"UNDO_SECONDS": "0"}) as server,
            chromium() as browser,
            _person(browser, server.port, "Alice") as alice,
            _person(browser, server.port, "Bob") as bob,
        ):
            await alice.page.evaluate(WATCH_KEYS)
            await bob.page.evaluate(WATCH_THREAD)
            times = await measure(alice, bob, rounds * COMMENTS)
            found.append({"database": kind, "median_ms": {act: median(of) for act, of in times.items()}})
            log(f"journey: {found[-1]}")
    return {"comments": rounds * COMMENTS, "databases": found}


async def measure(alice: Person, bob: Person, comments: int) -> dict[str, list[float]]:
    """The times from Alice's key press to Bob's page in milliseconds, by the kind of change."""
    times: dict[str, list[float]] = {"create": [], "edit": [], "delete": []}
    for number in range(comments):
        first, then = f"Word {number}", f"Second thought {number}"
        await alice.write(first)
        times["create"].append(await _took(alice, bob, first, "appeared"))
        await alice.is_settled()
        await alice.edit(first, then)
        times["edit"].append(await _took(alice, bob, then, "appeared"))
        await alice.is_settled()
        await alice.comment(then).locator(".comment__delete").click()
        await alice.page.keyboard.press("Enter")  # the confirmation has the focus
        times["delete"].append(await _took(alice, bob, then, "vanished"))
    return times


async def _took(alice: Person, bob: Person, body: str, event: str) -> float:
    await bob.until(f"window.times['{body}']?.{event}", f"“{body}”")
    seen: float = await bob.page.evaluate(f"window.times['{body}'].{event}")
    pressed: float = await alice.page.evaluate("window.pressedAt")
    return seen - pressed


@asynccontextmanager
async def _person(browser: Browser, port: int, name: str) -> AsyncIterator[Person]:
    """A signed-in person who views Article/1."""
    url = f"http://127.0.0.1:{port}"
    async with (
        httpx.AsyncClient(base_url=url, headers={"Origin": url}, trust_env=False, verify=False) as client,
        await browser.new_context(base_url=url, service_workers="block") as context,
    ):
        await sign_up(client, name)
        await context.add_cookies(cookies_of(client))
        yield await Person(name, context, client, PageErrors()).visit("/Article/1")
