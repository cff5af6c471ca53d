"""What can go wrong between a browser and the server, and what the server sees of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from playwright.async_api import Error, Request, Route

from tests.browser.people import Person
from tests.chaos.proxy import Proxy, to_port
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.support.serving import Site

API, STREAMS = "**/api/**", "**/streams?*"
STEP = 1_000  # milliseconds by which a page's clock is moved at a time
FOR_THE_NETWORK = 0.06  # seconds, which no clock of a page's makes shorter
FOR_ANSWERS = 2.0  # seconds
MOST_STEPS = 200

Lose = Callable[[Request], bool]


def open_streams(site: Site) -> list[Any]:
    """The connections over which the server is sending a stream just now."""
    connections = site.server.server_state.connections
    return [connection for connection in connections if _streams(connection)]


def _streams(connection: Any) -> bool:
    cycle = connection.cycle
    return bool(
        cycle and cycle.scope["path"].endswith("/streams") and not (cycle.response_complete or cycle.disconnected)
    )


async def is_one_stream(site: Site, number: int = 1) -> None:
    """Waits until the server sends so many."""
    await wait_until(lambda: len(open_streams(site)) == number, f"{number} stream(s) at the server")


def tear(site: Site) -> None:
    """Every stream breaks, without a farewell."""
    for connection in open_streams(site):
        connection.transport.abort()


@asynccontextmanager
async def no_road(person: Person, site: Site) -> AsyncIterator[None]:
    """The browser loads pages, but reaches neither REST nor stream."""
    for road in (API, STREAMS):
        await person.context.route(road, _abort)
    tear(site)
    yield
    with suppress(Error):  # the browser may be gone
        for road in (API, STREAMS):
            await person.context.unroute(road, _abort)


async def _abort(route: Route) -> None:
    await route.abort()


async def lose_answers(person: Person, lost: Lose) -> list[str]:
    """What `lost` picks of REST reaches the server, and its answer does not reach the browser. The methods that did."""
    taken: list[str] = []

    async def lose(route: Route) -> None:
        if not lost(route.request):
            await route.fallback()
            return
        await route.fetch()
        taken.append(route.request.method)
        await route.abort()

    await person.context.route(API, lose)
    return taken


@asynccontextmanager
async def proxy_to(site: Site) -> AsyncIterator[Proxy]:
    """`site`, over a road that is ours to break: `base_url=url_of(proxy)`."""
    async with Proxy(to_port(lambda: urlsplit(site.url).port)) as proxy:
        yield proxy


def url_of(proxy: Proxy) -> str:
    return f"http://127.0.0.1:{proxy.port}"


async def time_passes(person: Person, condition: str, what_for: str) -> None:
    """In the person's pages, whose clock is ours, until this is so in this one.

    The pages' time does not run ahead of a slow server: each step waits for the answers to the requests that it led to.
    """
    for _ in range(MOST_STEPS):
        if await person.page.evaluate(f"() => Boolean({condition})"):
            return
        before = set(person.unanswered)
        await person.context.clock.fast_forward(STEP)
        await asyncio.sleep(FOR_THE_NETWORK)
        with suppress(AssertionError):  # on a road that is broken there is no answer
            await wait_until(lambda before=before: person.unanswered <= before, "answers", FOR_ANSWERS)
    raise AssertionError(f"{person.name} waited {MOST_STEPS * STEP // 1_000} s of the page in vain for {what_for}")
