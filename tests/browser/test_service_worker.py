"""The service worker: without a connection a page opens as its viewer last read it, and continues when one is back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import Error

from tests.browser.network_faults import url_of
from tests.browser.people import Person
from tests.support.people import PASSWORD, email_of, sign_up, write

if TYPE_CHECKING:
    import httpx

    from tests.browser.conftest import OpenBrowser
    from tests.chaos.proxy import Proxy
    from tests.support.serving import Site

pytestmark = pytest.mark.usefixtures("network_errors")

MAX_PAGES = 20

# Whether the page is stored, with all files that it has loaded.
IS_STORED = """(async (path) => {
  const names = await caches.keys();
  const pages = names.filter((name) => name.startsWith("pages "));
  const stored = await Promise.all(pages.map((name) => caches.match(path, { cacheName: name })));
  if (!stored.some(Boolean)) return false;
  const files = performance.getEntriesByType("resource").map((entry) => new URL(entry.name).pathname);
  const ours = files.filter((name) => name.startsWith("/static/"));
  return (await Promise.all(ours.map((name) => caches.match(name)))).every(Boolean);
})"""
STORED_FILES = """(async () => {
  const paths = [];
  for (const name of await caches.keys()) {
    if (!name.startsWith("files ")) continue;
    for (const request of await (await caches.open(name)).keys()) paths.push(new URL(request.url).pathname);
  }
  return paths;
})"""
STORED_PAGES = """(async () => {
  const urls = [];
  for (const name of await caches.keys()) {
    if (!name.startsWith("pages ")) continue;
    for (const request of await (await caches.open(name)).keys()) urls.push(new URL(request.url).pathname);
  }
  return urls;
})"""
LOADED_FILES = """() => performance.getEntriesByType("resource").map((entry) => new URL(entry.name).pathname)
  .filter((path) => !path.startsWith("/streams") && !path.startsWith("/api/"))"""


# Records each address that a page names to the service worker. The empty page before the first one has no workers.
RECORD_NAMED = """
  window.named = [];
  const post = window.ServiceWorker?.prototype.postMessage;
  if (post) ServiceWorker.prototype.postMessage = function (urls) {
    window.named.push(...urls.map((url) => new URL(url).pathname));
    post.call(this, urls);
  };
"""


@pytest.fixture
async def open_stored_page(open_browser: OpenBrowser, proxy: Proxy) -> OpenBrowser:
    """Open the thread through the proxy, and wait until the page is stored."""

    async def open_stored_page(name: str | None = None) -> Person:
        return await wait_until_stored(await open_browser(name, base_url=url_of(proxy), service_workers="allow"))

    return open_stored_page


@pytest.fixture
async def reader(open_stored_page: OpenBrowser) -> Person:
    return await open_stored_page("Alice")


def disconnect(proxy: Proxy) -> None:
    proxy.weather.refusing = True
    proxy.cut()


async def wait_until_stored(person: Person, path: str = "/Article/1") -> Person:
    await person.until(f"{IS_STORED}('{path}')", f"{path} to be stored")
    return person


async def sees_stored_page(person: Person, path: str | None = None) -> None:
    await (person.page.goto(path) if path else person.page.reload())
    await person.until("window.parley && document.documentElement.dataset.kept", "the stored page")


async def cannot_open(person: Person, path: str = "/Article/1") -> None:
    """The page does not open in a new tab either: the browser shows its own error page."""
    tab = await person.context.new_page()
    with pytest.raises(Error, match="ERR_"):
        await tab.goto(path)
    await tab.close()


# -- a reload ------------------------------------------------------------------------------------------------


async def test_alice_reloads_without_a_connection_and_continues_when_it_is_back(
    reader: Person, proxy: Proxy, carol_client: httpx.AsyncClient
) -> None:
    await write(carol_client, "Before")
    await reader.sees("Before")
    await reader.reload()
    disconnect(proxy)
    await write(carol_client, "Meanwhile")
    await sees_stored_page(reader)
    assert await reader.bodies() == ["Before"]
    await reader.is_signed_in()
    await reader.until("parley.connector.state !== 'live'", "the lost connection")
    proxy.mend()
    await reader.sees("Before", "Meanwhile")
    await reader.matches_server()
    assert await reader.page.evaluate("performance.getEntriesByType('navigation')[0].type") == "reload"


async def test_a_guest_can_open_a_page_offline_after_one_visit(open_stored_page: OpenBrowser, proxy: Proxy) -> None:
    guest = await open_stored_page()
    disconnect(proxy)
    await sees_stored_page(guest)


async def test_a_guests_first_visit_names_each_file_to_the_service_worker_once(open_browser: OpenBrowser) -> None:
    guest = await wait_until_stored(await open_browser(service_workers="allow", scripts=[RECORD_NAMED]))
    named = await guest.page.evaluate("window.named")
    assert named[0] == "/Article/1"
    assert len(named) == len(set(named))
    assert [path for path in named if path.endswith(".js")]


async def test_alice_can_open_offline_only_the_pages_that_she_has_read(reader: Person, proxy: Proxy) -> None:
    await reader.go("/")
    await wait_until_stored(reader, "/")
    disconnect(proxy)
    await sees_stored_page(reader, "/Article/1")
    await sees_stored_page(reader, "/")
    await cannot_open(reader, "/Article/2")


async def test_alice_can_open_a_stored_page_in_a_new_tab(reader: Person, proxy: Proxy) -> None:
    disconnect(proxy)
    reader.page = await reader.context.new_page()
    await sees_stored_page(reader, "/Article/1")


async def test_alice_sees_the_stored_page_behind_a_gateway_that_answers_502(reader: Person, proxy: Proxy) -> None:
    proxy.weather.gateway = True
    proxy.cut()
    await sees_stored_page(reader)
    response = await reader.page.goto("/Article/2")
    assert response
    assert response.status == 502
    proxy.mend()
    await reader.go("/Article/1")
    assert not await reader.page.evaluate("document.documentElement.dataset.kept")


async def test_alice_gets_the_page_from_the_server_while_she_is_online(
    reader: Person, carol_client: httpx.AsyncClient
) -> None:
    await reader.page.evaluate("parley.connector.close()")
    await write(carol_client, "New")
    await reader.page.reload()
    await reader.until("window.parley", "the page")
    assert await reader.bodies() == ["New"]
    assert not await reader.page.evaluate("document.documentElement.dataset.kept")


async def test_alice_gets_the_files_of_a_stored_page_from_the_cache(reader: Person, proxy: Proxy) -> None:
    files = await reader.page.evaluate(LOADED_FILES)
    assert [path for path in files if path.endswith(".js")]
    assert set(files) <= set(await reader.page.evaluate(STORED_FILES))
    disconnect(proxy)
    await sees_stored_page(reader)
    assert set(await reader.page.evaluate(LOADED_FILES)) <= set(files)


async def test_alice_loads_no_file_from_the_server_on_her_second_visit(
    reader: Person, carol_client: httpx.AsyncClient
) -> None:
    """Neither the page nor the service worker requests a file twice, because its address names its content."""
    first = await files_served(carol_client)
    assert first == len(set(await reader.page.evaluate(STORED_FILES)))
    await reader.reload()
    await reader.go("/Article/2")
    await wait_until_stored(reader, "/Article/2")
    assert await files_served(carol_client) == first


async def files_served(client: httpx.AsyncClient) -> float:
    samples = (await client.get("/metrics")).text
    return sum(map(float, re.findall(r'^parley_requests_total{.*route="/static".*} (.*)$', samples, re.MULTILINE)))


async def test_alice_does_not_see_pages_of_another_release(
    reader: Person, site: Site, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site.state.front_end.release, "version", "new")
    await reader.go("/")
    await wait_until_stored(reader, "/")
    assert await reader.page.evaluate(STORED_PAGES) == ["/"]
    disconnect(proxy)
    await cannot_open(reader, "/Article/1")
    await sees_stored_page(reader, "/")
    caches = await reader.page.evaluate("caches.keys()")
    assert sorted(name.split(" ")[:2] for name in caches) == [["files", "new"], ["pages", "new"]]


async def test_alice_has_the_newest_twenty_pages_stored(reader: Person) -> None:
    paths = [f"/Article/{number}" for number in range(100, 100 + MAX_PAGES)]
    for path in paths:
        await store_pages(reader, path)
        await reader.until(f"{STORED_PAGES}().then((paths) => paths.includes('{path}'))", path)
    await reader.until(
        f"{STORED_PAGES}().then((paths) => paths.length === {MAX_PAGES})", "the oldest page to be deleted"
    )
    assert await reader.page.evaluate(STORED_PAGES) == paths


async def store_pages(person: Person, *paths: str) -> None:
    """Name these pages to the service worker, as each page names itself."""
    script = "(paths) => navigator.serviceWorker.controller.postMessage(paths.map((path) => location.origin + path))"
    await person.page.evaluate(script, paths)


# -- the viewer ----------------------------------------------------------------------------------------------


async def sign_in(person: Person, name: str) -> None:
    script = "(fields) => parley.account.signIn(fields)"
    await person.page.evaluate(script, {"email": email_of(name), "password": PASSWORD})
    await person.is_signed_in(name)


async def test_alice_leaves_no_stored_page_when_she_signs_out(reader: Person, proxy: Proxy) -> None:
    await reader.go("/")
    await wait_until_stored(reader, "/")
    await reader.page.locator(".account__sign-out").click()
    await reader.is_guest()
    await reader.until(
        f"{STORED_PAGES}().then((paths) => !paths.includes('/Article/1'))", "Alice's pages to be deleted"
    )
    disconnect(proxy)
    await cannot_open(reader, "/Article/1")


async def test_alice_leaves_no_stored_page_though_the_tab_closes_as_she_signs_out(reader: Person, proxy: Proxy) -> None:
    """The cookie of the viewer is gone, although no script deletes the stored page."""
    await reader.page.evaluate("() => { caches.delete = caches.keys = () => new Promise(() => {}) }")
    await reader.page.evaluate("parley.account.signOut()")
    await reader.until("cookieStore.get('parley_viewer').then((cookie) => !cookie)", "the cookie to be deleted")
    disconnect(proxy)
    await cannot_open(reader)


async def test_alices_page_is_deleted_without_the_service_worker(reader: Person, proxy: Proxy) -> None:
    assert await reader.page.evaluate(STORED_PAGES) == ["/Article/1"]
    disconnect(proxy)  # so the worker cannot store a new page
    await reader.page.evaluate("parley.bus.trigger('local.login.ended', { reason: 'signed_out' })")
    await reader.is_guest()
    await reader.until(f"{STORED_PAGES}().then((paths) => paths.length === 0)", "Alice's page to be deleted")


async def test_alice_signs_out_and_the_page_of_a_guest_is_stored(reader: Person, proxy: Proxy) -> None:
    await reader.page.locator(".account__sign-out").click()
    await reader.is_guest()
    await wait_until_stored(reader)
    disconnect(proxy)
    await sees_stored_page(reader)
    await reader.is_guest()
    assert "Alice" not in await reader.page.content()


async def test_a_guest_who_signs_in_as_bob_is_bob_on_the_stored_page(
    open_stored_page: OpenBrowser, site: Site, proxy: Proxy
) -> None:
    async with site.client() as client:
        await sign_up(client, "Bob")
    bob = await open_stored_page()
    await sign_in(bob, "Bob")
    await bob.until(
        "caches.keys().then((names) => names.some((name) => name.endsWith(parley.account.id)))", "a cache for Bob"
    )
    await wait_until_stored(bob)
    disconnect(proxy)
    await sees_stored_page(bob)
    await bob.is_signed_in("Bob")


async def test_bob_cannot_open_offline_what_alice_has_read(reader: Person, site: Site, proxy: Proxy) -> None:
    async with site.client() as client:
        await sign_up(client, "Bob")
    await reader.go("/")
    await wait_until_stored(reader, "/")
    await sign_in(reader, "Bob")
    await reader.until(
        f"{STORED_PAGES}().then((paths) => !paths.includes('/Article/1'))", "Alice's pages to be deleted"
    )
    disconnect(proxy)
    await cannot_open(reader, "/Article/1")


@pytest.mark.parametrize("how", ["in another tab", "by another device"])
async def test_alice_leaves_no_stored_page_when_her_login_ends_elsewhere(
    how: str, reader: Person, proxy: Proxy, carol_client: httpx.AsyncClient
) -> None:
    if how == "in another tab":
        tab = await reader.open_another_tab("/account")
        await tab.page.evaluate("parley.account.signOut()")
        await tab.page.close()
    else:
        await reader.client.delete("/api/session")
    await reader.is_guest()
    await wait_until_stored(reader)
    disconnect(proxy)
    await sees_stored_page(reader)
    await reader.is_guest()
    assert "Alice" not in await reader.page.content()


async def test_alices_next_page_deletes_stored_pages_after_her_login_ended(reader: Person, proxy: Proxy) -> None:
    await reader.page.goto("about:blank")
    await reader.client.delete("/api/session")
    await reader.go("/")
    await wait_until_stored(reader, "/")
    disconnect(proxy)
    await cannot_open(reader, "/Article/1")


async def test_alice_cannot_open_stored_pages_after_she_closed_the_browser(reader: Person, proxy: Proxy) -> None:
    assert await has_session_cookie(reader)
    await reader.page.goto("about:blank")
    await reader.context.clear_cookies()  # as a browser does when it closes
    disconnect(proxy)
    await cannot_open(reader)


async def has_session_cookie(person: Person) -> bool:
    cookies: list[Any] = await person.context.cookies()
    return [cookie["expires"] for cookie in cookies if cookie["name"] == "parley_viewer"] == [-1]


# -- pages that are not stored ------------------------------------------------------------------------------


async def test_alices_other_pages_are_not_stored(reader: Person, proxy: Proxy) -> None:
    others = ["/account", "/reset", "/confirm", "/unlock", "/dev/mail", "/Article/1?token=secret"]
    for path in others:
        await reader.go(path)
    await store_pages(reader, *others, "/Article/2")
    await reader.until(f"{STORED_PAGES}().then((paths) => paths.includes('/Article/2'))", "the page that may be stored")
    assert await reader.page.evaluate(STORED_PAGES) == ["/Article/1", "/Article/2"]
    disconnect(proxy)
    for path in others:
        await cannot_open(reader, path)


async def test_alices_api_requests_and_streams_bypass_the_service_worker(
    reader: Person, site: Site, carol_client: httpx.AsyncClient
) -> None:
    await reader.reload()
    async with reader.page.expect_response("**/api/session") as fetched:
        await reader.page.evaluate("fetch('/api/session').then((response) => response.text())")
    async with reader.page.expect_response("**/streams?*") as opened:
        await reader.page.evaluate("() => { parley.connector.close(); parley.connector.resume() }")
    script = site.state.front_end.release.url("js/app.js")
    async with reader.page.expect_response(f"**{script}") as loaded:
        await reader.page.evaluate(f"fetch('{script}').then((response) => response.text())")
    assert not (await fetched.value).from_service_worker
    assert not (await opened.value).from_service_worker
    assert (await loaded.value).from_service_worker


async def test_a_guest_without_service_workers_has_a_live_page(open_browser: OpenBrowser) -> None:
    guest = await open_browser()
    await guest.context.add_init_script("delete Navigator.prototype.serviceWorker")
    await guest.reload()
    assert await guest.page.evaluate("'serviceWorker' in navigator") is False
    await guest.sees_connection_status("live")
