"""The load of a thread's page in a browser: requests, bytes, the time until it is live, and the server's CPU time.

1. The thread is the first one of the demo. The viewer is signed in, except for the server's CPU time (5).
2. Each visit is a new browser context: no cache, no service worker. A repeat visit is a new tab in the same context.
   `bench.road` counts every request, including those of the service worker, until no data passes for two seconds.
3. A page is live when a script handles the composer's form (it prevents the form's own submission) and the stream has
   received its first event, so that its state is `live`. The page measures the time from the start of the navigation.
   The network has 300 ms of latency and 700 kbit/s.
4. Bytes of scripts and styles: all files that the page has loaded when a comment was posted from it. A file that the
   server does not compress counts with its size after gzip.
5. The server's CPU time: the requests of a guest's first visit are recorded, and repeated without a browser for one
   guest after the other. The result is the median of these visits. Nobody writes during them.
6. With `--before`, another checkout is measured in turn with this one.
7. Checkouts must be built (`make assets`). They run without Node. With Node, a checkout in development would look for
   changed sources before each page.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from app.demo import ADDRESSES, PASSWORD
from bench import servers
from bench.measure import cpu, family, median
from bench.road import FAST, MOBILE, Network, Road
from tests.browser.hosts import Host, serve_host, thread
from tests.support.chromium import FLAGS, find
from tests.support.processes import remove
from tests.support.serving import Spawned, spawned

PATH = "/Article/1"
VIEWS = 40  # for the median of the server's CPU time
LIVE_TIMEOUT_MS = 120_000  # for a page to become live
LONG_ARTICLE = '<p style="height: 5000px">A long article.</p>'  # before the thread in a host's page

# `liveAfter` resolves to the time at which the page is live. A synthetic submit event submits nothing.
WATCH = """
  window.liveAfter = new Promise((resolve) => {
    const watch = setInterval(() => {
      const form = document.querySelector("form.composer");
      if (!form || document.querySelector(".light")?.dataset.state !== "live") return;
      if (form.dispatchEvent(new Event("submit", { bubbles: true, cancelable: true }))) return;
      clearInterval(watch);
      resolve(performance.now());
    }, 10);
  });
"""
LOADED = "() => performance.getEntriesByType('resource').map(({ name }) => name)"


@dataclass(frozen=True)
class Checkout:
    """A running checkout of Parley. The road relays to it."""

    app: Spawned
    road: Road
    host: Host

    async def cookies(self) -> list[Any]:
        """The cookies of the demo's first person after signing in."""
        async with self.app.client() as client:
            person = {"email": ADDRESSES[0], "password": PASSWORD}
            (await client.post("/api/session", json=person)).raise_for_status()
            return [{"name": name, "value": value, "url": self.road.url} for name, value in client.cookies.items()]


async def run(rounds: int, before: Path | None = None, log: Any = print) -> dict[str, Any]:
    async with AsyncExitStack() as stack:
        browser = await stack.enter_async_context(chromium())
        checkouts = {
            name: await stack.enter_async_context(_served(place)) for name, place in servers.checkouts(before).items()
        }
        found: dict[str, list[dict[str, float]]] = {name: [] for name in checkouts}
        for _ in range(rounds):
            for name, checkout in checkouts.items():
                found[name].append(await measure(browser, checkout))
                log(f"page: {name}: {found[name][-1]}")
    return {"rounds": rounds, "checkouts": {name: _medians(of) for name, of in found.items()}}


def _medians(rounds: list[dict[str, float]]) -> Mapping[str, float]:
    return {name: median([of[name] for of in rounds]) for name in rounds[0]}


async def measure(browser: Browser, checkout: Checkout, network: Network = MOBILE) -> dict[str, float]:
    return {
        **await _visits(browser, checkout, network),
        **await _weight(browser, checkout),
        **await _host(browser, checkout),
        **await _cost(browser, checkout),
    }


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The Chromium that the tests use, without the machine's proxy."""
    environment: dict[str, str | float | bool] = {
        name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")
    }
    async with (
        async_playwright() as playwright,
        await playwright.chromium.launch(executable_path=find(), args=FLAGS, env=environment) as browser,
    ):
        yield browser


@asynccontextmanager
async def _served(place: Path) -> AsyncIterator[Checkout]:
    """`python -m app` of that checkout."""
    directory = Path(tempfile.mkdtemp(prefix="parley-bench-"))
    async with AsyncExitStack() as stack:
        stack.callback(remove, directory)
        host = await stack.enter_async_context(serve_host())
        environment = {
            "DATABASE_URL": f"sqlite+aiosqlite:///{directory / 'parley.db'}",
            "ALLOWED_ORIGINS": host.url,
            "RATE_LIMITS": "off",
            "LOG_LEVEL": "warning",
            "PATH": "",  # (7)
        }
        python = servers.python_of(place)
        app = await stack.enter_async_context(spawned(environment, checkout=place, module="app", python=python))
        road = await stack.enter_async_context(Road(httpx.URL(app.url).port or 0))
        host.script = f"{road.url}/embed.js"
        host.attributes = 'type="module"'  # as older checkouts require; later ones accept it
        yield Checkout(app, road, host)


async def _visits(browser: Browser, checkout: Checkout, network: Network) -> dict[str, float]:
    """The first visit and a repeat visit of a signed-in person."""
    found = {}
    checkout.road.network = network
    async with await browser.new_context() as context:
        await context.add_cookies(await checkout.cookies())
        await context.add_init_script(WATCH)
        for visit in ("first", "repeat"):
            async with _visit(context, checkout) as page:
                found[f"{visit}_live_s"] = await _live(page) / 1_000
                await checkout.road.quiet()
                found[f"{visit}_requests"] = len(checkout.road.requests)
                found[f"{visit}_kb"] = checkout.road.received / 1_000
    checkout.road.network = FAST
    return found


@asynccontextmanager
async def _visit(context: BrowserContext, checkout: Checkout, url: str | None = None) -> AsyncIterator[Page]:
    """A new tab. The road starts to count again."""
    checkout.road.reset_counts()
    page = await context.new_page()
    await page.goto(url or f"{checkout.road.url}{PATH}", wait_until="commit", timeout=LIVE_TIMEOUT_MS)
    yield page
    await page.close()


async def _live(page: Page) -> float:
    """Milliseconds from the navigation's start until the page was live."""
    async with asyncio.timeout(LIVE_TIMEOUT_MS / 1_000):
        return float(await page.evaluate("window.liveAfter"))


async def _weight(browser: Browser, checkout: Checkout) -> dict[str, float]:
    """The compressed bytes of scripts and styles of a page from which a comment was posted."""
    async with await browser.new_context(service_workers="block") as context:
        await context.add_cookies(await checkout.cookies())
        await context.add_init_script(WATCH)
        async with _visit(context, checkout) as page:
            await _live(page)
            await page.fill(".composer textarea", "Hello")
            await page.click(".composer .composer__post")
            await page.locator('.comment[data-state="settled"]', has_text="Hello").first.wait_for()
            await checkout.road.quiet()
            urls = {url for url in await page.evaluate(LOADED) if url.split("?")[0].endswith((".js", ".css"))}
    async with checkout.app.client(headers={"Accept-Encoding": "br, gzip"}) as client:
        sizes = [await _compressed(client, httpx.URL(url).raw_path.decode()) for url in urls]
    return {"files": len(urls), "files_kb": sum(sizes) / 1_000}


async def _compressed(client: httpx.AsyncClient, path: str) -> int:
    async with client.stream("GET", path) as answer:
        answer.raise_for_status()
        sent = b"".join([piece async for piece in answer.aiter_raw()])
    return len(sent) if "content-encoding" in answer.headers else len(gzip.compress(sent))


async def _host(browser: Browser, checkout: Checkout) -> dict[str, float]:
    """The data that a host's page loads for a thread below the fold, before the reader scrolls there."""
    road = checkout.road
    url = checkout.host.show(LONG_ARTICLE + thread())
    async with await browser.new_context() as context, _visit(context, checkout, url) as page:
        await page.wait_for_load_state()
        await road.quiet()
        found = {"host_requests": len(road.requests), "host_kb": road.received / 1_000}
        await page.locator("[data-parley]").scroll_into_view_if_needed()
        composer = page.frame_locator("[data-parley] iframe").locator(".composer")
        await composer.wait_for(state="attached")
        return found


async def _cost(browser: Browser, checkout: Checkout) -> dict[str, float]:
    """The server's CPU time in milliseconds for all requests of a guest's first visit."""
    async with await browser.new_context() as context:
        await context.add_init_script(WATCH)
        async with _visit(context, checkout) as page:
            await _live(page)
            await checkout.road.quiet()
    heads = [_parsed(head) for head in checkout.road.requests if head.startswith(b"GET ")]
    await _replay(checkout, heads)  # fill the caches first
    pids = family(checkout.app.process.pid)
    times = []
    for _ in range(VIEWS):
        began = cpu(pids)
        await _replay(checkout, heads)
        times.append(cpu(pids) - began)
    return {"cpu_ms": median(times) * 1e3, "guest_requests": len(heads)}


def _parsed(head: bytes) -> tuple[str, dict[str, str]]:
    """The target of a request, and its headers."""
    first, *lines = head.decode("latin-1").split("\r\n")
    return first.split(" ")[1], dict(line.split(": ", 1) for line in lines)


async def _replay(checkout: Checkout, heads: list[tuple[str, dict[str, str]]]) -> None:
    async with checkout.app.client() as client:
        for target, headers in heads:
            async with client.stream("GET", target, headers=headers) as answer:
                async for piece in answer.aiter_raw():
                    if b"event: heartbeat" in piece:  # a stream's first event
                        break
