"""Without a connection: a page that was read before opens as it was, for whom it was, and goes on from there."""

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

MOST_PAGES = 20

# The page is stored, with all files that it was loaded with.
IS_KEPT = """(async (path) => {
  const names = await caches.keys();
  const pages = names.filter((name) => name.startsWith("pages "));
  const kept = await Promise.all(pages.map((name) => caches.match(path, { cacheName: name })));
  if (!kept.some(Boolean)) return false;
  const files = performance.getEntriesByType("resource").map((entry) => new URL(entry.name).pathname);
  const ours = files.filter((name) => name.startsWith("/static/"));
  return (await Promise.all(ours.map((name) => caches.match(name)))).every(Boolean);
})"""
STORED = """(async () => {
  const paths = [];
  for (const name of await caches.keys()) {
    if (!name.startsWith("files ")) continue;
    for (const request of await (await caches.open(name)).keys()) paths.push(new URL(request.url).pathname);
  }
  return paths;
})"""
PAGES = """(async () => {
  const urls = [];
  for (const name of await caches.keys()) {
    if (!name.startsWith("pages ")) continue;
    for (const request of await (await caches.open(name)).keys()) urls.push(new URL(request.url).pathname);
  }
  return urls;
})"""
FILES = """() => performance.getEntriesByType("resource").map((entry) => new URL(entry.name).pathname)
  .filter((path) => !path.startsWith("/streams") && !path.startsWith("/api/"))"""


# Notes each address that a page names to the service worker. An empty page, before the first one, has no workers.
NOTE_NAMED = """
  window.named = [];
  const post = window.ServiceWorker?.prototype.postMessage;
  if (post) ServiceWorker.prototype.postMessage = function (urls) {
    window.named.push(...urls.map((url) => new URL(url).pathname));
    post.call(this, urls);
  };
"""


@pytest.fixture
async def come(open_browser: OpenBrowser, proxy: Proxy) -> OpenBrowser:
    """Somebody comes along that road, and the page is kept."""

    async def come(name: str | None = None) -> Person:
        return await reads(await open_browser(name, base_url=url_of(proxy), service_workers="allow"))

    return come


@pytest.fixture
async def reader(come: OpenBrowser) -> Person:
    return await come("Alice")


def close(proxy: Proxy) -> None:
    proxy.weather.refusing = True
    proxy.cut()


async def reads(person: Person, path: str = "/Article/1") -> Person:
    await person.until(f"{IS_KEPT}('{path}')", f"{path} to be kept")
    return person


async def opens_as_it_was(person: Person, path: str | None = None) -> None:
    await (person.page.goto(path) if path else person.page.reload())
    await person.until("window.parley && document.documentElement.dataset.kept", "the page as it was")


async def does_not_open(person: Person, path: str = "/Article/1") -> None:
    """Not in a tab of its own either: there is the browser's own page that says so."""
    tab = await person.context.new_page()
    with pytest.raises(Error, match="ERR_"):
        await tab.goto(path)
    await tab.close()


# -- a reload ------------------------------------------------------------------------------------------------


async def test_a_reload_without_a_connection_shows_what_was_and_goes_on_when_it_is_back(
    reader: Person, proxy: Proxy, carol_client: httpx.AsyncClient
) -> None:
    await write(carol_client, "Before")
    await reader.sees("Before")
    await reader.reload()
    close(proxy)
    await write(carol_client, "Meanwhile")
    await opens_as_it_was(reader)
    assert await reader.bodies() == ["Before"]
    await reader.is_signed_in()
    await reader.until("parley.connector.state !== 'live'", "that there is no connection")
    proxy.mend()
    await reader.sees("Before", "Meanwhile")
    await reader.matches_server()
    assert await reader.page.evaluate("performance.getEntriesByType('navigation')[0].type") == "reload"


async def test_the_first_visit_is_enough(come: OpenBrowser, proxy: Proxy) -> None:
    guest = await come()
    close(proxy)
    await opens_as_it_was(guest)


async def test_the_first_visit_names_the_page_and_each_file_to_the_worker_once(open_browser: OpenBrowser) -> None:
    guest = await reads(await open_browser(service_workers="allow", scripts=[NOTE_NAMED]))
    named = await guest.page.evaluate("window.named")
    assert named[0] == "/Article/1"
    assert len(named) == len(set(named))
    assert [path for path in named if path.endswith(".js")]


async def test_what_was_read_before_opens_and_nothing_else(reader: Person, proxy: Proxy) -> None:
    await reader.go("/")
    await reads(reader, "/")
    close(proxy)
    await opens_as_it_was(reader, "/Article/1")
    await opens_as_it_was(reader, "/")
    await does_not_open(reader, "/Article/2")


async def test_it_opens_in_a_new_tab(reader: Person, proxy: Proxy) -> None:
    close(proxy)
    reader.page = await reader.context.new_page()
    await opens_as_it_was(reader, "/Article/1")


async def test_a_gateway_that_finds_nobody_is_no_connection_either(reader: Person, proxy: Proxy) -> None:
    proxy.weather.gateway = True
    proxy.cut()
    await opens_as_it_was(reader)
    answer = await reader.page.goto("/Article/2")
    assert answer
    assert answer.status == 502
    proxy.mend()
    await reader.go("/Article/1")
    assert not await reader.page.evaluate("document.documentElement.dataset.kept")


async def test_with_a_connection_the_page_is_the_servers(reader: Person, carol_client: httpx.AsyncClient) -> None:
    await reader.page.evaluate("parley.connector.close()")
    await write(carol_client, "New")
    await reader.page.reload()
    await reader.until("window.parley", "the page")
    assert await reader.bodies() == ["New"]
    assert not await reader.page.evaluate("document.documentElement.dataset.kept")


async def test_a_page_that_was_kept_has_its_files_from_the_cache(reader: Person, proxy: Proxy) -> None:
    files = await reader.page.evaluate(FILES)
    assert [path for path in files if path.endswith(".js")]
    assert set(files) <= set(await reader.page.evaluate(STORED))
    close(proxy)
    await opens_as_it_was(reader)
    assert set(await reader.page.evaluate(FILES)) <= set(files)


async def test_a_second_visit_loads_no_file_from_the_server(reader: Person, carol_client: httpx.AsyncClient) -> None:
    """Neither the page nor the worker asks for a file twice: its address names its content."""
    first = await files_served(carol_client)
    assert first == len(set(await reader.page.evaluate(STORED)))
    await reader.reload()
    await reader.go("/Article/2")
    await reads(reader, "/Article/2")
    assert await files_served(carol_client) == first


async def files_served(client: httpx.AsyncClient) -> float:
    samples = (await client.get("/metrics")).text
    return sum(map(float, re.findall(r'^parley_requests_total{.*route="/static".*} (.*)$', samples, re.MULTILINE)))


async def test_what_another_release_left_is_not_shown(
    reader: Person, site: Site, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site.server.config.app.state.front_end.release, "version", "new")
    await reader.go("/")
    await reads(reader, "/")
    assert await reader.page.evaluate(PAGES) == ["/"]
    close(proxy)
    await does_not_open(reader, "/Article/1")
    await opens_as_it_was(reader, "/")
    caches = await reader.page.evaluate("caches.keys()")
    assert sorted(name.split(" ")[:2] for name in caches) == [["files", "new"], ["pages", "new"]]


async def test_the_newest_pages_are_kept(reader: Person) -> None:
    paths = [f"/Article/{number}" for number in range(100, 100 + MOST_PAGES)]
    for path in paths:
        await keep(reader, path)
        await reader.until(f"{PAGES}().then((paths) => paths.includes('{path}'))", path)
    await reader.until(f"{PAGES}().then((paths) => paths.length === {MOST_PAGES})", "the oldest to go")
    assert await reader.page.evaluate(PAGES) == paths


async def keep(person: Person, *paths: str) -> None:
    """As a page does for itself."""
    script = "(paths) => navigator.serviceWorker.controller.postMessage(paths.map((path) => location.origin + path))"
    await person.page.evaluate(script, paths)


# -- whose ---------------------------------------------------------------------------------------------------


async def signs_in(person: Person, name: str) -> None:
    script = "(fields) => parley.account.signIn(fields)"
    await person.page.evaluate(script, {"email": email_of(name), "password": PASSWORD})
    await person.is_signed_in(name)


async def test_who_signs_out_leaves_nothing_behind(reader: Person, proxy: Proxy) -> None:
    await reader.go("/")
    await reads(reader, "/")
    await reader.page.locator(".account__sign-out").click()
    await reader.is_guest()
    await reader.until(f"{PAGES}().then((paths) => !paths.includes('/Article/1'))", "Alice's pages to go")
    close(proxy)
    await does_not_open(reader, "/Article/1")


async def test_who_signs_out_may_be_gone_at_once(reader: Person, proxy: Proxy) -> None:
    """Even where nobody came to drop what was kept."""
    await reader.page.evaluate("() => { caches.delete = caches.keys = () => new Promise(() => {}) }")
    await reader.page.evaluate("parley.account.signOut()")
    await reader.until("cookieStore.get('parley_viewer').then((cookie) => !cookie)", "the cookie to go")
    close(proxy)
    await does_not_open(reader)


async def test_what_was_kept_goes_without_the_workers_help(reader: Person, proxy: Proxy) -> None:
    assert await reader.page.evaluate(PAGES) == ["/Article/1"]
    close(proxy)  # so that there is nothing which it could keep instead
    await reader.page.evaluate("parley.bus.trigger('local.login.ended', { reason: 'signed_out' })")
    await reader.is_guest()
    await reader.until(f"{PAGES}().then((paths) => paths.length === 0)", "Alice's page to go")


async def test_after_signing_out_the_page_is_kept_as_a_guest_sees_it(reader: Person, proxy: Proxy) -> None:
    await reader.page.locator(".account__sign-out").click()
    await reader.is_guest()
    await reads(reader)
    close(proxy)
    await opens_as_it_was(reader)
    await reader.is_guest()
    assert "Alice" not in await reader.page.content()


async def test_a_guest_who_signs_in_is_that_person_on_the_page_that_is_kept(
    come: OpenBrowser, site: Site, proxy: Proxy
) -> None:
    async with site.client() as client:
        await sign_up(client, "Bob")
    bob = await come()
    await signs_in(bob, "Bob")
    await bob.until("caches.keys().then((names) => names.some((name) => name.endsWith(parley.account.id)))", "Bob's")
    await reads(bob)
    close(proxy)
    await opens_as_it_was(bob)
    await bob.is_signed_in("Bob")


async def test_bob_does_not_get_what_alice_has_read(reader: Person, site: Site, proxy: Proxy) -> None:
    async with site.client() as client:
        await sign_up(client, "Bob")
    await reader.go("/")
    await reads(reader, "/")
    await signs_in(reader, "Bob")
    await reader.until(f"{PAGES}().then((paths) => !paths.includes('/Article/1'))", "Alice's pages to go")
    close(proxy)
    await does_not_open(reader, "/Article/1")


@pytest.mark.parametrize("how", ["in another tab", "by another device"])
async def test_a_login_that_ended_elsewhere_leaves_nothing_behind(
    how: str, reader: Person, proxy: Proxy, carol_client: httpx.AsyncClient
) -> None:
    if how == "in another tab":
        tab = await reader.open_another_tab("/account")
        await tab.page.evaluate("parley.account.signOut()")
        await tab.page.close()
    else:
        await reader.client.delete("/api/session")
    await reader.is_guest()
    await reads(reader)
    close(proxy)
    await opens_as_it_was(reader)
    await reader.is_guest()
    assert "Alice" not in await reader.page.content()


async def test_a_login_that_ended_while_nobody_looked_is_noticed_by_the_next_page(reader: Person, proxy: Proxy) -> None:
    await reader.page.goto("about:blank")
    await reader.client.delete("/api/session")
    await reader.go("/")
    await reads(reader, "/")
    close(proxy)
    await does_not_open(reader, "/Article/1")


async def test_what_is_kept_for_somebody_is_shown_as_long_as_the_browser_is_open(reader: Person, proxy: Proxy) -> None:
    assert await session_cookie(reader)
    await reader.page.goto("about:blank")
    await reader.context.clear_cookies()  # as when a browser is closed
    close(proxy)
    await does_not_open(reader)


async def session_cookie(person: Person) -> bool:
    cookies: list[Any] = await person.context.cookies()
    return [cookie["expires"] for cookie in cookies if cookie["name"] == "parley_viewer"] == [-1]


# -- what is left alone --------------------------------------------------------------------------------------


async def test_other_pages_are_not_kept(reader: Person, proxy: Proxy) -> None:
    others = ["/account", "/reset", "/confirm", "/unlock", "/dev/mail", "/Article/1?token=secret"]
    for path in others:
        await reader.go(path)
    await keep(reader, *others, "/Article/2")
    await reader.until(f"{PAGES}().then((paths) => paths.includes('/Article/2'))", "what may be kept")
    assert await reader.page.evaluate(PAGES) == ["/Article/1", "/Article/2"]
    close(proxy)
    for path in others:
        await does_not_open(reader, path)


async def test_what_models_and_streams_ask_does_not_pass_the_worker(
    reader: Person, site: Site, carol_client: httpx.AsyncClient
) -> None:
    await reader.reload()
    async with reader.page.expect_response("**/api/session") as asked:
        await reader.page.evaluate("fetch('/api/session').then((answer) => answer.text())")
    async with reader.page.expect_response("**/streams?*") as opened:
        await reader.page.evaluate("() => { parley.connector.close(); parley.connector.resume() }")
    script = site.server.config.app.state.front_end.release.url("js/app.js")
    async with reader.page.expect_response(f"**{script}") as loaded:
        await reader.page.evaluate(f"fetch('{script}').then((answer) => answer.text())")
    assert not (await asked.value).from_service_worker
    assert not (await opened.value).from_service_worker
    assert (await loaded.value).from_service_worker


async def test_a_browser_without_workers_is_as_before(open_browser: OpenBrowser) -> None:
    guest = await open_browser()
    await guest.context.add_init_script("delete Navigator.prototype.serviceWorker")
    await guest.reload()
    assert await guest.page.evaluate("'serviceWorker' in navigator") is False
    await guest.sees_connection_status("live")
