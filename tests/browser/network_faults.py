"""Faults between a browser and the server, and the streams that the server has open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from playwright.async_api import Error, Request, Route

from tests.browser.people import Person
from tests.chaos.proxy import Proxy, to_port
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.support.serving import Site

API, STREAMS = "**/api/**", "**/streams?*"
STEP_MS = 1_000  # of the page's clock, for one call of `fast_forward`
NETWORK_PAUSE_SECONDS = 0.06  # of real time after each step, because the page's clock does not speed the network up
RESPONSE_SECONDS = 2.0
MAX_STEPS = 200

ShouldDrop = Callable[[Request], bool]


def open_streams(site: Site) -> list[Any]:
    """The connections on which the server has an open stream."""
    connections = site.server.server_state.connections
    return [connection for connection in connections if _has_stream(connection)]


def _has_stream(connection: Any) -> bool:
    cycle = connection.cycle
    return bool(
        cycle and cycle.scope["path"].endswith("/streams") and not (cycle.response_complete or cycle.disconnected)
    )


async def wait_for_streams(site: Site, number: int = 1) -> None:
    """Wait until the server has this number of open streams."""
    await wait_until(lambda: len(open_streams(site)) == number, f"the server to have {number} open stream(s)")


def reset_streams(site: Site) -> None:
    """Abort the connection of each stream, so that the browser gets no last event."""
    for connection in open_streams(site):
        connection.transport.abort()


@asynccontextmanager
async def api_unreachable(person: Person, site: Site) -> AsyncIterator[None]:
    """In this block the browser loads pages, but its API requests and streams fail."""
    for proxy in (API, STREAMS):
        await person.context.route(proxy, _abort)
    reset_streams(site)
    yield
    with suppress(Error):  # the browser may be closed
        for proxy in (API, STREAMS):
            await person.context.unroute(proxy, _abort)


async def _abort(route: Route) -> None:
    await route.abort()


async def drop_responses(person: Person, should_drop: ShouldDrop) -> list[str]:
    """The server handles the API requests that `should_drop` picks, and the browser gets no response to them.

    Returns the methods of these requests. The list grows as the browser sends them.
    """
    handled: list[str] = []

    async def drop(route: Route) -> None:
        if not should_drop(route.request):
            await route.fallback()
            return
        await route.fetch()
        handled.append(route.request.method)
        await route.abort()

    await person.context.route(API, drop)
    return handled


@asynccontextmanager
async def proxy_to(site: Site) -> AsyncIterator[Proxy]:
    """A TCP proxy to the site, for `base_url=url_of(proxy)`."""
    async with Proxy(to_port(lambda: urlsplit(site.url).port)) as proxy:
        yield proxy


def url_of(proxy: Proxy) -> str:
    return f"http://127.0.0.1:{proxy.port}"


async def pause_clock(person: Person) -> None:
    """Stop the clock of the person's pages, so that only the test moves it. A slow machine then adds no time."""
    now = await person.page.evaluate("Date.now()")
    await person.context.clock.pause_at(datetime.fromtimestamp(now / 1_000, UTC) + timedelta(seconds=1))


async def advance_clock_until(person: Person, condition: str, what_for: str) -> None:
    """Move the clock of the person's pages in steps, until the condition is true in this page.

    After each step the function waits for responses to its requests, so the clock does not run ahead of a slow server.
    """
    for _ in range(MAX_STEPS):
        if await person.page.evaluate(f"() => Boolean({condition})"):
            return
        before = set(person.open_requests)
        await person.context.clock.fast_forward(STEP_MS)
        await asyncio.sleep(NETWORK_PAUSE_SECONDS)
        with suppress(AssertionError):  # a broken connection brings no response
            await wait_until(lambda before=before: person.open_requests <= before, "responses", RESPONSE_SECONDS)
    raise AssertionError(f"{person.name} waited {MAX_STEPS * STEP_MS // 1_000} s of the page in vain for {what_for}")
