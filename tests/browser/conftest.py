"""Alice, Bob and a guest, each with their own browser context, on a site that uvicorn serves."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import Browser, Playwright, async_playwright

from tests.browser.gate import is_in_gate
from tests.browser.network_faults import proxy_to
from tests.browser.page_errors import NETWORK, PageErrors
from tests.browser.people import Person, cookies_of
from tests.support import people
from tests.support.chromium import FLAGS
from tests.support.database import write_comments

if TYPE_CHECKING:
    import httpx

    from app.live.service import Parley
    from app.settings import Settings
    from tests.chaos.proxy import Proxy
    from tests.support.serving import Site

FAILED = pytest.StashKey[bool]()

# FLIP animations end in their first frame, because each frame costs a layout and a paint.
NO_MOTION = """const animate = Element.prototype.animate;
Element.prototype.animate = function (frames, options) {
  return animate.call(this, frames, { ...options, duration: 0 });
};"""

OpenBrowser = Callable[..., Awaitable[Person]]
AddComments = Callable[[int], Awaitable[list[dict[str, Any]]]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--screenshots", type=Path, metavar="DIR", help="write the pictures of the documentation to this folder"
    )


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Run browser tests on SQLite only: a browser does the same on both databases. A closer mark overrides this one."""
    if isinstance(collector, pytest.Module):
        collector.add_marker("sqlite_only")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "virtual_clock: the test moves the clock of its pages")
    config.addinivalue_line("markers", "motion: FLIP animations run in the pages of this test, as people see them")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Run tests that `gate.py` does not list with `--everything` only."""
    if not is_in_gate(item.path.name, item.name):
        item.add_marker(pytest.mark.extended)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    """The settings of all tests, changed by `parametrize("settings", [{…}], indirect=True)`.

    A delete is sent at once, unless the test sets `undo_seconds`.
    """
    return settings.model_copy(update={"undo_seconds": 0, "sweep_seconds": 5.0, **getattr(request, "param", {})})


@pytest.fixture(scope="session")
async def playwright() -> AsyncIterator[Playwright]:
    async with async_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def launch_options(chromium_path: Path) -> dict[str, Any]:
    """The options with which Playwright starts Chromium."""
    return {
        "executable_path": chromium_path,
        "args": FLAGS,
        # The site is local, so no browser may use the machine's HTTP proxy.
        "env": {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
    }


@pytest.fixture(scope="session")
async def browser(playwright: Playwright, launch_options: dict[str, Any]) -> AsyncIterator[Browser]:
    """One Chromium for all tests. Each person has a browser context."""
    async with await playwright.chromium.launch(**launch_options) as browser:
        yield browser


@pytest.fixture
def page_errors() -> PageErrors:
    """The errors in all pages. Each fails the test, unless the test allows it."""
    return PageErrors()


@pytest.fixture
def network_errors(page_errors: PageErrors) -> None:
    """Requests are refused or lost in this test, so the browser may log network errors."""
    page_errors.allow(NETWORK)


@pytest.fixture
async def open_browser(
    request: pytest.FixtureRequest, browser: Browser, site: Site, page_errors: PageErrors, tmp_path: Path
) -> AsyncIterator[OpenBrowser]:
    """`await open_browser("Alice")` signs Alice up and shows her Article/1. `open_browser()` does so for a guest.

    Options: `at` is another path. `scripts` run before the scripts of each page. If `clock` is true, the test moves the
    clock of the pages. All others go to the browser context: viewport, colour scheme, `base_url` (of a proxy).
    Service workers are blocked without `service_workers="allow"`, because they answer requests that tests intercept.
    The mark `virtual_clock` sets `clock=True`. FLIP animations run with the mark `motion` only.
    """
    has_clock = request.node.get_closest_marker("virtual_clock") is not None
    has_motion = request.node.get_closest_marker("motion") is not None
    people_here: list[Person] = []
    page_errors.allow("Service Worker registration blocked by Playwright")
    async with AsyncExitStack() as stack:

        async def open_browser(
            name: str | None = None,
            at: str = "/Article/1",
            *,
            clock: bool = has_clock,
            scripts: Sequence[str] = (),
            **options: Any,
        ) -> Person:
            client = await stack.enter_async_context(site.client())
            if name:
                await people.sign_up(client, name)
            options = {"base_url": site.url, "service_workers": "block", **options}
            context = await stack.enter_async_context(await browser.new_context(**options))
            await context.add_cookies(cookies_of(client))
            if clock:
                await context.clock.install()
            for script in scripts if has_motion else (NO_MOTION, *scripts):
                await context.add_init_script(script)
            person = Person(name or "a guest", context, client, page_errors)
            people_here.append(person)
            return await person.visit(at)

        yield open_browser
        if request.node.stash.get(FAILED, False):
            for person in people_here:
                await person.take_screenshots(tmp_path)
    page_errors.raise_unexpected()


@pytest.fixture
async def proxy(site: Site) -> AsyncIterator[Proxy]:
    """A TCP proxy in front of the site. The test can delay, cut or change its traffic."""
    async with proxy_to(site) as proxy:
        yield proxy


@pytest.fixture
async def alice(open_browser: OpenBrowser) -> Person:
    return await open_browser("Alice")


@pytest.fixture
async def bob(open_browser: OpenBrowser) -> Person:
    return await open_browser("Bob")


@pytest.fixture
async def carol_client(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    """Carol's HTTP client, without a browser. Alice and Bob see her changes."""
    async with people.person(site, "Carol") as carol_client:
        yield carol_client


@pytest.fixture
def add_comments(carol_client: httpx.AsyncClient, served: Parley) -> AddComments:
    """`await add_comments(30)` writes 30 comments by Carol under Article/1 at once: Comment 0, Comment 1 …"""

    async def add_comments(count: int) -> list[dict[str, Any]]:
        first = await people.write(carol_client, "Comment 0")
        bodies = [f"Comment {number}" for number in range(1, count)]
        return [first, *await write_comments(served, first, bodies)]

    return add_comments


@pytest.fixture
async def guest(open_browser: OpenBrowser) -> Person:
    return await open_browser()


@pytest.fixture
def served(site: Site) -> Parley:
    """The Parley object of the served app."""
    parley: Parley = site.state.parley
    return parley
