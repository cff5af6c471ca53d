"""Parley behind the prefix /talk of a host: its own pages work, and so do threads in frames of the host's pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from tests.browser.hosts import Host, enter_frame, thread, wait_for_fit
from tests.browser.network_faults import url_of, wait_for_streams
from tests.browser.page_errors import NETWORK, PageErrors
from tests.support.serving import Site, serving
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from app.settings import Settings
    from tests.browser.conftest import OpenBrowser
    from tests.browser.people import Person
    from tests.chaos.proxy import Proxy

ROOT = "/talk"
HAS_OWN_CACHE = "caches.keys().then((names) => names.filter((name) => name.startsWith('/talk pages ')).length === 1)"


class SharedHost:
    """A proxy that serves Parley at /talk, without the prefix, and the host's own pages elsewhere."""

    def __init__(self, parley: ASGIApp, host: ASGIApp) -> None:
        self.parley, self.host = parley, host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.parley(scope, receive, send)
        elif scope["path"].startswith(f"{ROOT}/"):
            await self.parley({**scope, "path": scope["path"].removeprefix(ROOT)}, receive, send)
        else:
            await self.host(scope, receive, send)


@pytest.fixture
def host() -> Host:
    return Host(script=f"{ROOT}/embed.js")


@pytest.fixture
async def site(settings: Settings, host: Host) -> AsyncIterator[Site]:
    from app.main import create_app

    parley = create_app(settings.model_copy(update={"root_path": ROOT}))
    async with serving(SharedHost(parley, host.app())) as served_site:
        host.url = served_site.url
        yield Site(f"{served_site.url}{ROOT}", served_site.server)


async def test_alice_and_bob_use_parley_behind_a_prefix(open_browser: OpenBrowser, site: Site) -> None:
    alice, bob = await open_browser("Alice", at=f"{ROOT}/Article/1"), await open_browser("Bob", at=f"{ROOT}/Article/1")
    await alice.write("At a prefix")
    await bob.sees("At a prefix")
    await alice.edit("At a prefix", "Behind one")
    await bob.sees("Behind one")
    await alice.is_settled()
    await alice.reload()
    await alice.sees("Behind one")
    await alice.page.locator(".account__name").click()
    await alice.page.wait_for_url(f"**{ROOT}/account")
    await alice.page.locator(".logins__list .login").wait_for()
    await alice.page.locator(".brand").click()
    await alice.page.wait_for_url(f"**{ROOT}/")
    assert [request for request in alice.requests if not request.split(" ")[1].startswith(f"{ROOT}/")] == []
    await alice.page.locator(".account__sign-out").click()
    await alice.is_guest()


async def test_alice_follows_a_mailed_link_behind_a_prefix(open_browser: OpenBrowser) -> None:
    alice = await open_browser("Alice", at=f"{ROOT}/account")
    await alice.client.post("/api/resets", json={"email": "alice@example.com"})
    await wait_until(lambda: _has_mail(alice), "the mail")
    await alice.page.goto(f"{ROOT}/dev/mail")
    await alice.page.locator(f".mail a[href*='{ROOT}/reset#']").click()
    await alice.until("document.querySelector('.mailed-link').dataset.state === 'ready'", "the form")


async def _has_mail(person: Person) -> bool:
    return "/reset#" in (await person.client.get("/dev/mail")).text


async def test_alice_uses_threads_on_pages_of_the_same_host(open_browser: OpenBrowser, host: Host, site: Site) -> None:
    url = host.show(thread() + thread("Article/2") + "<b data-parley-count='Article/1'></b>")
    alice = await open_browser("Alice", at=url)
    one, other = await enter_frame(alice), await enter_frame(alice, "Article/2")
    await one.write("In a frame")
    await one.sees("In a frame")
    await other.sees()
    await wait_for_fit(alice.page)
    await alice.until("document.querySelector('b').textContent === '1'", "the count of comments")
    await wait_for_streams(site, 2)  # one for the threads, one for the counts of the host page
    tab = await alice.open_another_tab(f"{ROOT}/Article/1")
    await tab.sees("In a frame")
    await wait_for_streams(site, 2)


async def test_alice_opens_a_page_offline_and_other_caches_of_the_host_stay(
    open_browser: OpenBrowser, proxy: Proxy, page_errors: PageErrors
) -> None:
    page_errors.allow(NETWORK)
    alice = await open_browser("Alice", at=f"{ROOT}/Article/1", base_url=url_of(proxy), service_workers="allow")
    await alice.page.evaluate("Promise.all(['theirs', 'pages of theirs'].map((name) => caches.open(name)))")
    await alice.until(HAS_OWN_CACHE, "the page to be stored")
    await alice.reload()
    await alice.until(HAS_OWN_CACHE, "the page to be stored")
    assert {"theirs", "pages of theirs"} < set(await alice.page.evaluate("caches.keys()"))
    proxy.weather.refusing = True
    proxy.cut()
    await alice.page.reload()
    await alice.until("window.parley && document.documentElement.dataset.kept", "the stored page")
    await alice.is_signed_in()
    await alice.write("Without a connection")
    proxy.mend()
    await alice.sees("Without a connection")
    await alice.is_settled()
