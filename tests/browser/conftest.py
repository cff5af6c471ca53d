"""Alice, Bob and a guest, each in a real browser of their own, in front of a really served site."""

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
from tests.browser.page_errors import NETWORK, Complaints
from tests.browser.people import Person, cookies_of
from tests.support import people
from tests.support.chromium import FLAGS
from tests.web.database import write_many

if TYPE_CHECKING:
    import httpx

    from app.live.service import Parley
    from app.settings import Settings
    from tests.chaos.proxy import Proxy
    from tests.support.serving import Site

FAILED = pytest.StashKey[bool]()

# Glides end in their first frame, because each frame costs a layout and a painted page.
NO_MOTION = """const animate = Element.prototype.animate;
Element.prototype.animate = function (frames, options) {
  return animate.call(this, frames, { ...options, duration: 0 });
};"""

Arrive = Callable[..., Awaitable[Person]]
Fill = Callable[[int], Awaitable[list[dict[str, Any]]]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", type=Path, metavar="DIR", help="where the README's picture of the page is put")


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Mark the modules here: what a browser does is the same on each database. The journey's closer mark says both."""
    if isinstance(collector, pytest.Module):
        collector.add_marker("sqlite_only")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "virtual_clock: the pages of this test have a clock that the test moves")
    config.addinivalue_line("markers", "motion: changes glide in the pages of this test, as people see them")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Run what `gate.py` does not list with `--everything` only."""
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
    """As everywhere, and what a test asks for: `parametrize("settings", [{…}], indirect=True)`.

    What is deleted is deleted at once, where a test does not ask for time to undo it.
    """
    return settings.model_copy(update={"undo_seconds": 0, **getattr(request, "param", {})})


@pytest.fixture(scope="session")
async def playwright() -> AsyncIterator[Playwright]:
    async with async_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def launching(chromium_path: Path) -> dict[str, Any]:
    """How a Chromium is started here."""
    return {
        "executable_path": chromium_path,
        "args": FLAGS,
        # A proxy of the machine's is not for what is served on it.
        "env": {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
    }


@pytest.fixture(scope="session")
async def browser(playwright: Playwright, launching: dict[str, Any]) -> AsyncIterator[Browser]:
    """One Chromium for all; what separates people is their contexts."""
    async with await playwright.chromium.launch(**launching) as browser:
        yield browser


@pytest.fixture
def complaints() -> Complaints:
    """What pages complained of. All of it fails the test, but for what the test allows."""
    return Complaints()


@pytest.fixture
def network_errors(complaints: Complaints) -> None:
    """Requests are refused or lost in this test, and the browser may complain of it."""
    complaints.allow(NETWORK)


@pytest.fixture
async def arrive(
    request: pytest.FixtureRequest, browser: Browser, site: Site, complaints: Complaints, tmp_path: Path
) -> AsyncIterator[Arrive]:
    """`await arrive("Alice")`: somebody with an account, signed in; `arrive()`: a guest. Both look at Article/1.

    Options: `at`, another path; `scripts`, which run before those of each page; `clock`, whether the pages have a clock
    that the test moves; and what a browser's context takes: a viewport, a colour scheme, a road (`base_url`).
    A service worker would answer what tests mean to intercept: there is none without `service_workers="allow"`.
    The mark `virtual_clock` stands for `clock=True`. Nothing glides without the mark `motion`.
    """
    has_clock = request.node.get_closest_marker("virtual_clock") is not None
    has_motion = request.node.get_closest_marker("motion") is not None
    here: list[Person] = []
    complaints.allow("Service Worker registration blocked by Playwright")
    async with AsyncExitStack() as doors:

        async def arrive(
            name: str | None = None,
            at: str = "/Article/1",
            *,
            clock: bool = has_clock,
            scripts: Sequence[str] = (),
            **options: Any,
        ) -> Person:
            client = await doors.enter_async_context(site.client())
            if name:
                await people.sign_up(client, name)
            options = {"base_url": site.url, "service_workers": "block", **options}
            context = await doors.enter_async_context(await browser.new_context(**options))
            await context.add_cookies(cookies_of(client))
            if clock:
                await context.clock.install()
            for script in scripts if has_motion else (NO_MOTION, *scripts):
                await context.add_init_script(script)
            person = Person(name or "a guest", context, client, complaints)
            here.append(person)
            return await person.visit(at)

        yield arrive
        if request.node.stash.get(FAILED, False):
            for person in here:
                await person.take_pictures(tmp_path)
    complaints.raise_unexpected()


@pytest.fixture
async def road(site: Site) -> AsyncIterator[Proxy]:
    """The way to the site, which a test can make bad."""
    async with proxy_to(site) as proxy:
        yield proxy


@pytest.fixture
async def alice(arrive: Arrive) -> Person:
    return await arrive("Alice")


@pytest.fixture
async def bob(arrive: Arrive) -> Person:
    return await arrive("Bob")


@pytest.fixture
async def phone(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    """Carol, on something that is no browser: whose changes Alice and Bob see."""
    async with people.person(site, "Carol") as phone:
        yield phone


@pytest.fixture
def fill(phone: httpx.AsyncClient, served: Parley) -> Fill:
    """`await fill(30)`: so many comments by Carol under Article/1, in one moment: Comment 0, Comment 1 …"""

    async def fill(count: int) -> list[dict[str, Any]]:
        first = await people.write(phone, "Comment 0")
        bodies = [f"Comment {number}" for number in range(1, count)]
        return [first, *await write_many(served, first, bodies)]

    return fill


@pytest.fixture
async def guest(arrive: Arrive) -> Person:
    return await arrive()


@pytest.fixture
def served(site: Site) -> Parley:
    """The site's own Parley."""
    parley: Parley = site.server.config.app.state.parley
    return parley
