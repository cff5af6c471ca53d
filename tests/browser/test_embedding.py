"""Embedded threads: plain HTML pages on another server, with their own style sheets and with threads in iframes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.hosts import HOSTILE, Host, enter_frame, iframe_of, serve_host, thread, wait_for_fit
from tests.browser.network_faults import wait_for_streams
from tests.browser.page_errors import NETWORK, PageErrors
from tests.browser.people import TIMEOUT_MS, Person
from tests.support.people import PASSWORD, email_of, write
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import httpx

    from app.settings import Settings
    from tests.browser.conftest import OpenBrowser
    from tests.support.serving import Site

TWO = f"<h1>Somebody's page</h1>{thread()}<p>And another</p>{thread('Page/about')}"
THEME = """[data-parley] { --parley-accent: rgb(194, 24, 91); --parley-background: white; --parley-text: rgb(1, 2, 3);
  --parley-font: monospace; --parley-radius: 0; --mine: hotpink }"""
COLOURS = """(selector) => {
  const { color, backgroundColor, fontFamily, borderRadius } = getComputedStyle(document.querySelector(selector));
  return [color, backgroundColor, fontFamily, borderRadius];
}"""
THREAD_BELOW = f"<p style='height: 3000px'>A long text</p>{thread(inside='<a href=#>Comments</a>')}"
AFTER_TWO_FRAMES = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))"
FRAME_WINDOW = "document.querySelector('[data-parley]').shadowRoot.querySelector('iframe').contentWindow"
IS_DARK = "getComputedStyle(document.body).backgroundColor === 'rgb(23, 22, 19)'"
IS_LIGHT = "getComputedStyle(document.body).backgroundColor === 'rgb(250, 248, 244)'"


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    async with serve_host() as host:
        yield host


@pytest.fixture
def settings(settings: Settings, host: Host, request: pytest.FixtureRequest) -> Settings:
    more = getattr(request, "param", {})
    return settings.model_copy(update={"allowed_origins": frozenset({host.url}), **more})


@pytest.fixture
def open_host_page(open_browser: OpenBrowser, host: Host, site: Site) -> OpenBrowser:
    """Open a host page, for a guest or signed in under a name. Options: `style`, and those of `open_browser`."""
    host.script = f"{site.url}/embed.js"

    async def open_host_page(
        name: str | None = None, body: str = TWO, style: str = "", hash: str = "", **options: Any
    ) -> Person:
        return await open_browser(name, at=host.show(body, style) + hash, **options)

    return open_host_page


async def top_of(person: Person, selector: str, topic: str = "Article/1") -> float:
    """The distance of this element of the iframe from the top of the window."""
    box = await iframe_of(person.page, topic).content_frame.locator(selector).bounding_box()
    assert box
    return float(box["y"])


async def post_theme(person: Person, theme: str) -> None:
    """Send this theme from the host page to its first thread."""
    await person.page.evaluate(f"{FRAME_WINDOW}.postMessage({{ parley: 'page', theme: {theme} }}, '*')")


def count_elements(*names: str) -> str:
    return "".join(f"<b data-parley-count='{name}'></b>" for name in names)


async def write_many(client: httpx.AsyncClient, number: int = 12) -> list[dict[str, Any]]:
    return [await write(client, f"Number {n}") for n in range(number)]


# -- comments -----------------------------------------------------------------------------------------------


async def test_alice_and_bob_talk_on_a_host_page_and_carol_in_parley(
    open_host_page: OpenBrowser, open_browser: OpenBrowser
) -> None:
    alice, bob, carol = (
        await enter_frame(await open_host_page("Alice")),
        await enter_frame(await open_host_page("Bob")),
        await open_browser("Carol"),
    )
    await alice.write("From a page of somebody's")
    for reader in (alice, bob, carol):
        await reader.sees("From a page of somebody's")
    await carol.write("And from ours")
    await bob.sees("From a page of somebody's", "And from ours")
    await alice.edit("From a page of somebody's", "From elsewhere")
    await carol.sees("From elsewhere", "And from ours")


async def test_alice_has_one_stream_for_all_threads_in_all_her_tabs(
    open_host_page: OpenBrowser, site: Site, carol_client: httpx.AsyncClient
) -> None:
    alice = await open_host_page("Alice", body=TWO + thread("Article/3"))
    threads = [await enter_frame(alice, topic) for topic in ("Article/1", "Page/about", "Article/3")]
    again = await alice.open_another_tab(alice.page.url)
    threads.append(await enter_frame(again, "Page/about"))
    await wait_for_streams(site)
    for one in threads[:3]:
        await one.write("Here")
    for one in threads:
        await one.sees("Here")
    await threads[0].is_settled()  # otherwise Carol's comment may be stored first, above it
    await write(carol_client, "For the first alone")
    await threads[0].sees("Here", "For the first alone")
    await wait_for_streams(site)
    leaders = [await one.page.evaluate("parley.connector.leads") for one in threads]
    assert sorted(leaders) == [False, False, False, True]


async def test_alice_sees_live_counts_over_one_stream_of_the_host_page(
    open_host_page: OpenBrowser, site: Site, carol_client: httpx.AsyncClient
) -> None:
    await write(carol_client, "One")
    alice = await open_host_page(
        "Alice", body=thread() + count_elements("Article/1", "Article/2", "Article/1"), style=HOSTILE
    )
    here = await enter_frame(alice)
    shown = "Array.from(document.querySelectorAll('b'), (el) => el.textContent).join()"
    await alice.until(f"{shown} === '1,0,1'", "the counts")
    await wait_for_streams(site, 2)  # one of the host page, one of the thread
    await write(carol_client, "Two", commentable_id="2")
    await here.write("Three")
    await alice.until(f"{shown} === '2,1,2'", "the new counts")
    await alice.page.evaluate("document.querySelector('b').dataset.parleyCount = 'Page/about'")
    await alice.until(f"{shown} === '0,1,2'", "the count of another topic")
    await alice.page.evaluate("document.querySelector('b').dataset.parleyCount = 'Article/1/'")
    await alice.until(f"{shown} === '2,1,2'", "the count of another form of the same id")
    await wait_for_streams(site, 2)
    assert len(alice.page.frames) == 2, "the page and one thread"


async def test_carol_signs_in_in_one_thread_and_is_signed_in_in_all(
    open_host_page: OpenBrowser, site: Site, carol_client: httpx.AsyncClient
) -> None:
    guest = await open_host_page(style=HOSTILE)
    one, other = await enter_frame(guest), await enter_frame(guest, "Page/about")
    await one.composer.fill("As Carol")
    await one.page.locator(".composer__post").click()
    await one.fill(".entry", email=email_of("Carol"), password=PASSWORD)
    await one.sees("As Carol")
    for there in (one, other):
        await there.is_signed_in("Carol")
    await one.has_sent_all()  # a comment that arrives after the sign-out is refused, and the page logs that
    await one.page.locator(".account__sign-out").click()
    for there in (one, other):
        await there.is_guest()


async def test_alice_finds_her_draft_in_each_thread_after_a_reload(open_host_page: OpenBrowser) -> None:
    alice = await open_host_page("Alice")
    for topic in ("Article/1", "Page/about"):
        await (await enter_frame(alice, topic)).composer.fill(f"Of {topic}")
    await alice.page.reload()
    for topic in ("Article/1", "Page/about"):
        there = await enter_frame(alice, topic)
        await there.until(f"document.querySelector('.composer textarea').value === 'Of {topic}'", "the draft")


# -- style --------------------------------------------------------------------------------------------------


async def test_alice_and_bob_see_the_same_thread_whatever_the_style_of_the_host_page(
    open_host_page: OpenBrowser, carol_client: httpx.AsyncClient
) -> None:
    await write(carol_client, "As ever")
    plain, hostile = await open_host_page("Alice"), await open_host_page("Bob", style=HOSTILE)
    looks = []
    for person in (plain, hostile):
        there = await enter_frame(person)
        await there.sees("As ever")
        await wait_for_fit(person.page)
        box = await iframe_of(person.page).bounding_box()
        assert box
        assert box["width"] > 500
        assert await iframe_of(person.page).evaluate("(frame) => getComputedStyle(frame).opacity") == "1"
        looks.append([await there.page.evaluate(COLOURS, part) for part in (".comment__body", ".composer__post")])
    assert looks[0] == looks[1]
    assert await hostile.page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(255, 0, 0)"


async def test_alice_sees_a_thread_in_the_theme_of_the_host_page(open_host_page: OpenBrowser) -> None:
    there = await enter_frame(await open_host_page("Alice", style=THEME))
    await there.until("document.documentElement.dataset.themed", "the theme")
    body = await there.page.evaluate(COLOURS, "body")
    assert body == ["rgb(1, 2, 3)", "rgb(255, 255, 255)", "monospace", "0px"]
    colour = "getComputedStyle(document.querySelector('.composer__post')).backgroundColor"
    await there.until(f"{colour} === 'rgb(194, 24, 91)'", "the colour of the button after its transition")
    assert (await there.page.evaluate(COLOURS, ".composer__post"))[2:] == ["monospace", "0px"]
    assert await there.page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--mine')") == ""


@pytest.mark.parametrize(("accent", "ink"), [("#ffe14d", 0), ("navy", 255)])
async def test_alice_can_read_a_button_in_any_accent_colour(open_host_page: OpenBrowser, accent: str, ink: int) -> None:
    there = await enter_frame(await open_host_page("Alice", style=f"[data-parley] {{ --parley-accent: {accent} }}"))
    await there.until("document.documentElement.dataset.themed === 'accent'", "the theme")
    drawn = """() => {
      const pen = document.createElement("canvas").getContext("2d");
      pen.fillStyle = getComputedStyle(document.querySelector(".composer__post")).color;
      pen.fillRect(0, 0, 1, 1);
      return [...pen.getImageData(0, 0, 1, 1).data];
    }"""
    assert await there.page.evaluate(drawn) == [ink, ink, ink, 255]


async def test_alice_sees_no_effect_of_an_invalid_theme(open_host_page: OpenBrowser) -> None:
    style = """[data-parley] { --parley-accent: 12px; --parley-text: red; } url(//evil.example);
      --parley-background: url(//evil.example/pixel); --parley-font: var(--nothing); --parley-radius: calc(; }"""
    there = await enter_frame(await open_host_page("Alice", style=style))
    await there.until("document.documentElement.dataset.themed === 'text'", "the valid part of the theme")
    assert (await there.page.evaluate(COLOURS, "body"))[:2] == ["rgb(255, 0, 0)", "rgb(250, 248, 244)"]


async def test_alice_sees_a_thread_follow_the_host_page_and_her_colour_scheme(open_host_page: OpenBrowser) -> None:
    alice = await open_host_page("Alice", body=thread(), color_scheme="dark")
    there = await enter_frame(alice)
    await there.until(IS_DARK, "the dark theme of the browser")
    await alice.page.evaluate("document.querySelector('[data-parley]').dataset.theme = 'light'")
    await there.until(IS_LIGHT, "the light theme of the page")
    await alice.page.emulate_media(color_scheme="light")
    await alice.page.evaluate("document.querySelector('[data-parley]').dataset.theme = 'dark'")
    await there.until(IS_DARK, "the dark theme of the page")
    await alice.page.evaluate("delete document.querySelector('[data-parley]').dataset.theme")
    await there.until(IS_LIGHT, "the light theme of the browser")
    await alice.page.evaluate("document.body.style.setProperty('--parley-background', 'rgb(9, 9, 9)')")
    await there.until(
        "getComputedStyle(document.body).backgroundColor === 'rgb(9, 9, 9)'", "the new background of the page"
    )


async def test_a_guest_sees_the_host_page_through_a_thread_but_not_through_its_dialogs(
    open_host_page: OpenBrowser,
) -> None:
    there = await enter_frame(await open_host_page(style="[data-parley] { --parley-background: transparent }"))
    await there.until("document.documentElement.dataset.themed === 'ground'", "the theme")
    assert (await there.page.evaluate(COLOURS, "body"))[1] == "rgba(0, 0, 0, 0)"
    for part in (".entry", ".field__input"):
        assert (await there.page.evaluate(COLOURS, part))[1].startswith("rgb(")


# -- height and scrolling ---------------------------------------------------------------------------------------


async def test_alice_sees_the_whole_thread_without_scrolling_in_the_frame(
    open_host_page: OpenBrowser, carol_client: httpx.AsyncClient
) -> None:
    alice = await open_host_page("Alice", style=HOSTILE)
    there = await enter_frame(alice)
    await wait_for_fit(alice.page)
    before = await iframe_of(alice.page).bounding_box()
    await write_many(carol_client)
    await there.until("parley.comments.length === 12", "all comments")
    await wait_for_fit(alice.page)
    after = await iframe_of(alice.page).bounding_box()
    assert before
    assert after
    assert after["height"] > before["height"] + 12 * 40
    await alice.page.set_viewport_size({"width": 400, "height": 700})
    await wait_for_fit(alice.page)


async def test_a_guest_sees_a_dialog_inside_the_window_with_enough_room(
    open_host_page: OpenBrowser, carol_client: httpx.AsyncClient
) -> None:
    await write_many(carol_client, 30)
    guest = await open_host_page()
    for topic in (
        "Article/1",
        "Page/about",
    ):  # the first is much higher than the window, the second lower than the dialog
        there = await enter_frame(guest, topic)
        await wait_for_fit(guest.page, topic)
        await there.page.locator(".composer__sign-in").click()
        await there.page.locator(".entry [name=email]").wait_for()
        await wait_for_fit(guest.page, topic)
        await wait_until(lambda topic=topic: _is_between(guest, ".entry", 0, 500, topic), "the dialog in the window")
        await wait_until(lambda topic=topic: _is_between(guest, ".entry__submit", 0, 720, topic), "its last button")
        await there.page.locator(".entry__close").click()


async def test_alice_follows_the_pill_to_new_comments_below_the_window(
    open_host_page: OpenBrowser, carol_client: httpx.AsyncClient
) -> None:
    await write_many(carol_client, 30)
    alice = await open_host_page("Alice")
    there = await enter_frame(alice)
    await wait_for_fit(alice.page)
    await write(carol_client, "Far below")
    pill = there.page.locator(".pill")
    await pill.wait_for()
    await wait_until(lambda: _is_between(alice, ".pill", 601, 720), "the pill at the lower edge of the window")
    await pill.click()
    await pill.wait_for(state="hidden")
    last = ".comment:last-child"
    await wait_until(lambda: _is_in_window(alice, last), "the new comment in the window")


async def _is_in_window(person: Person, selector: str) -> bool:
    return await _is_between(person, selector, 0, 700)


async def _is_between(person: Person, selector: str, least: float, below: float, topic: str = "Article/1") -> bool:
    return least <= await top_of(person, selector, topic) < below


async def test_alice_reads_on_at_the_same_place_while_a_comment_above_grows(
    open_host_page: OpenBrowser, carol_client: httpx.AsyncClient
) -> None:
    first, *_ = await write_many(carol_client, 30)
    alice = await open_host_page("Alice")
    there = await enter_frame(alice)
    await wait_for_fit(alice.page)
    await alice.page.evaluate("scrollTo(0, 900)")
    await there.until(
        "getComputedStyle(document.documentElement).getPropertyValue('--viewport-top') !== '0px'",
        "its part of the window",
    )
    before = await top_of(alice, ".comment:nth-child(15)")
    longer = "\n".join(str(number) for number in range(12))
    await carol_client.patch(f"/api/comments/{first['id']}", json={"body": longer})
    await there.until("parley.comments.first().text().includes('11')", "the longer text")
    await wait_for_fit(alice.page)
    await wait_until(lambda: _is_at(alice, ".comment:nth-child(15)", before), "the comment at its old place")
    assert await alice.page.evaluate("scrollY") > 900


async def _is_at(person: Person, selector: str, top: float) -> bool:
    return abs(await top_of(person, selector) - top) <= 1


# -- lazy loading -------------------------------------------------------------------------------------------


async def test_alice_loads_a_thread_by_scrolling_near_it(
    open_host_page: OpenBrowser, carol_client: httpx.AsyncClient
) -> None:
    await write_many(carol_client)
    alice = await open_host_page("Alice", body=THREAD_BELOW)
    await alice.page.wait_for_load_state()
    link = alice.page.locator("[data-parley] a")
    assert await link.inner_text() == "Comments", "the link of the page, until the thread is loaded"
    await alice.page.evaluate("scrollTo(0, 500)")
    await alice.page.evaluate(AFTER_TWO_FRAMES)
    assert _other_requests(alice) == ["GET /embed.js"]
    await link.scroll_into_view_if_needed()
    await (await enter_frame(alice)).sees(*(f"Number {n}" for n in range(12)))


async def test_alice_reloads_a_host_page_and_the_footer_does_not_move(
    open_host_page: OpenBrowser, carol_client: httpx.AsyncClient
) -> None:
    await write_many(carol_client)
    alice = await open_host_page("Alice", body=thread() + "<footer>Imprint</footer>")
    await enter_frame(alice)
    await wait_for_fit(alice.page)
    before = await alice.page.locator("footer").bounding_box()
    await alice.page.reload(wait_until="commit")
    footer = alice.page.locator("footer")
    await alice.until("document.querySelector('[data-parley]')?.shadowRoot", "the place of the thread")
    assert await footer.bounding_box() == before
    await enter_frame(alice)
    await wait_for_fit(alice.page)
    assert await footer.bounding_box() == before


async def test_alice_follows_a_link_to_a_comment_and_its_thread_loads_at_once(
    open_host_page: OpenBrowser, carol_client: httpx.AsyncClient
) -> None:
    comments = await write_many(carol_client)
    place = f"#comment-{comments[7]['id']}"
    alice = await open_host_page("Alice", body=THREAD_BELOW, hash=place)
    await enter_frame(alice)
    await wait_until(lambda: _is_in_window(alice, place), "the comment in the window")


async def test_alice_prints_no_empty_space_for_a_thread_that_is_not_loaded(open_host_page: OpenBrowser) -> None:
    alice = await open_host_page("Alice", body=THREAD_BELOW)
    element = alice.page.locator("[data-parley]")
    await alice.until("document.querySelector('[data-parley]').shadowRoot", "the place of the thread")
    assert (await element.bounding_box() or {})["height"] == 320
    await alice.page.emulate_media(media="print")
    assert (await element.bounding_box() or {})["height"] < 100


def _other_requests(person: Person) -> list[str]:
    """All requests but the one for the host page."""
    return [request for request in person.requests if request != "GET /"]


# -- addresses ----------------------------------------------------------------------------------------------


async def test_alice_follows_addresses_of_comments_on_the_host_page(
    open_host_page: OpenBrowser, carol_client: httpx.AsyncClient, host: Host
) -> None:
    comments = await write_many(carol_client, 30)
    place = f"#comment-{comments[20]['id']}"
    alice = await open_host_page("Alice", hash=place)
    there = await enter_frame(alice)
    await wait_until(lambda: _is_in_window(alice, place), "the comment in the window")
    assert await there.page.evaluate(f"document.querySelector('{place}').matches(':target')")
    assert await alice.page.evaluate("scrollY") > 0

    other = f"#comment-{comments[2]['id']}"
    link = there.page.locator(f"{other} .comment__link")
    await there.until(f"document.querySelector('{other} .comment__link').href === '{host.url}/{other}'", "the address")
    await alice.page.evaluate("window.stayed = true")
    await link.click()
    await alice.until(f"location.hash === '{other}'", "the address of the host page")
    await wait_until(lambda: _is_in_window(alice, other), "the other comment in the window")
    await alice.page.go_back()
    await wait_until(lambda: _is_in_window(alice, place), "the first comment again")
    assert await alice.page.evaluate("window.stayed"), "the page was not loaded again"


async def test_a_guest_with_the_address_of_an_unknown_comment_sees_a_message_in_the_only_thread(
    open_host_page: OpenBrowser, page_errors: PageErrors
) -> None:
    page_errors.allow(NETWORK)  # the comment does not exist
    place = "#comment-0198f3c2-7a5b-7c11-9d2e-3f4a5b6c7d8e"
    for body, expected_hash in ((thread(), place), (TWO, "")):
        guest = await open_host_page(body=body, hash=place)
        there = await enter_frame(guest)
        await there.until("document.documentElement.hasAttribute('data-framed')", "the first message of the host page")
        await post_theme(guest, "{ text: 'rgb(1, 2, 3)' }")
        await there.until("document.documentElement.dataset.themed === 'text'", "the latest message of the host page")
        assert await there.page.evaluate("location.hash") == expected_hash
        if expected_hash:
            await there.page.locator(".thread__lost").wait_for()


async def test_alice_follows_a_link_out_of_the_frame_into_a_new_tab(open_host_page: OpenBrowser) -> None:
    alice = await open_host_page("Alice")
    there = await enter_frame(alice)
    async with alice.context.expect_page() as opened:
        await there.page.locator(".account__name").click()
    account = await opened.value
    await account.wait_for_url("**/account")
    assert alice.page.url.endswith("/")


async def test_alice_uses_a_thread_on_a_page_that_loads_the_script_twice_and_as_a_module(
    open_host_page: OpenBrowser, host: Host, site: Site
) -> None:
    host.attributes = "type=module"
    alice = await open_host_page(
        "Alice", body=thread() + count_elements("Article/1") + f"<script async src='{site.url}/embed.js'></script>"
    )
    there = await enter_frame(alice)
    await there.write("Under an older page")
    await alice.until("document.querySelector('b').textContent === '1'", "the number of comments")
    assert len(alice.page.frames) == 2, "the second script adds no frame"


async def test_alice_uses_threads_that_a_page_adds_and_removes(open_host_page: OpenBrowser, site: Site) -> None:
    alice = await open_host_page("Alice", body="<main></main>")
    await alice.page.evaluate(f"document.querySelector('main').innerHTML = `{thread()}`")
    await (await enter_frame(alice)).write("Brought")
    await alice.page.evaluate("document.querySelector('[data-parley]').dataset.parley = 'Page/about'")
    await (await enter_frame(alice, "Page/about")).sees()
    assert len(alice.page.frames) == 2
    await alice.page.evaluate("document.querySelector('[data-parley]').remove()")
    await wait_for_streams(site, 0)


# -- replies ------------------------------------------------------------------------------------------------


async def test_alice_gets_a_notification_on_a_host_page_and_it_leads_to_the_comment(
    open_host_page: OpenBrowser, host: Host, site: Site
) -> None:
    """Bob mentions Alice on one host page. She sees it at the bell on another one, and it leads to his comment."""
    first = host.show(f"<h1>A post</h1>{thread()}", path="/post")
    host.script = f"{site.url}/embed.js"
    alice, bob = (
        await open_host_page("Alice", body=thread("Page/about")),
        await open_host_page("Bob", body=thread("Page/about")),
    )
    await bob.go(f"{first}?utm_source=mail#top")
    there = await enter_frame(bob)
    await there.write("What do you think, @Alice?")
    await there.is_settled()
    elsewhere = await enter_frame(alice, "Page/about")
    await elsewhere.until("document.querySelector('.bell__badge').textContent === '1'", "the bell")
    await elsewhere.page.locator(".bell__button").click()
    link = elsewhere.page.locator(".bell__panel .notification__link")
    comment = await there.page.evaluate("parley.comments.last().id")
    assert await link.get_attribute("href") == f"{first}#comment-{comment}"
    assert await elsewhere.page.locator(".conversation__title").inner_text() == "Somebody's page"
    async with alice.context.expect_page() as opened:
        await link.click()
    post = await opened.value
    await post.wait_for_url(f"{first}#comment-{comment}")

    await alice.go(first)
    here = await enter_frame(alice)
    await alice.page.evaluate("window.stayed = true")
    await here.page.locator(".bell__button").click()
    await wait_for_fit(alice.page)
    await here.page.locator(".bell__panel .notification__link").click()
    await alice.until(f"location.hash === '#comment-{comment}'", "the comment's address")
    assert await alice.page.evaluate("window.stayed"), "the page was not loaded again"
    assert len(alice.context.pages) == 2

    # She reads the next one in the thread. The focus is in the host's page.
    await here.page.evaluate("document.hasFocus = () => false")
    await there.write("And now, @Alice?")
    await there.is_settled()
    await here.sees("What do you think, @Alice?", "And now, @Alice?")
    await here.page.locator(".comment").last.scroll_into_view_if_needed()
    await here.until("parley.notifications.length === 2 && parley.notifications.unread() === 0", "both to be read")


# -- refusals -----------------------------------------------------------------------------------------------


async def test_the_owner_of_a_page_finds_an_unknown_type_in_the_console(
    open_host_page: OpenBrowser, page_errors: PageErrors
) -> None:
    page_errors.allow(rf"must be one of|frame-ancestors|404|{NETWORK}")
    guest = await open_host_page(body="<h1>A page</h1>")
    async with guest.page.expect_console_message(lambda one: "Blog/1" in one.text, timeout=2 * TIMEOUT_MS) as message:
        await guest.page.evaluate(f"document.body.insertAdjacentHTML('beforeend', `{thread('Blog/1')}`)")
    text = (await message.value).text
    assert "Article, Page" in text
    assert "ALLOWED_ORIGINS" not in text
    assert await guest.page.locator("[data-parley] a").count() == 0


async def test_a_guest_on_a_page_that_is_not_listed_gets_a_link_and_the_console_says_why(
    open_host_page: OpenBrowser, site: Site, host: Host, page_errors: PageErrors
) -> None:
    page_errors.allow(rf"ALLOWED_ORIGINS|frame-ancestors|{NETWORK}")
    host.url = host.url.replace("127.0.0.1", "localhost")
    messages: list[str] = []
    guest = await open_host_page(body="<h1>Elsewhere</h1>")
    guest.page.on("console", lambda message: messages.append(message.text))
    await guest.page.evaluate(f"document.body.insertAdjacentHTML('beforeend', `{thread()}`)")
    link = guest.page.locator("[data-parley] a")
    await link.wait_for(timeout=2 * TIMEOUT_MS)
    assert await link.get_attribute("href") == f"{site.url}/Article/1"
    assert not await iframe_of(guest.page).is_visible()
    await wait_until(
        lambda: [text for text in messages if "ALLOWED_ORIGINS" in text and host.url in text],
        "the reason in the console",
    )


async def test_alices_thread_ignores_messages_of_other_windows(open_host_page: OpenBrowser) -> None:
    alice = await open_host_page("Alice", body=thread() + "<iframe srcdoc='<p>Another</p>'></iframe>")
    there = await enter_frame(alice)
    await wait_for_fit(alice.page)
    height = (await iframe_of(alice.page).bounding_box() or {})["height"]
    other = next(frame for frame in alice.page.frames if frame.url == "about:srcdoc")
    await other.evaluate("parent.postMessage({ parley: 'height', height: 5000 }, '*')")
    await other.evaluate(f"parent.{FRAME_WINDOW}.postMessage({{ parley: 'page', theme: {{ accent: 'red' }} }}, '*')")
    await alice.page.evaluate("postMessage({ parley: 'height', height: 5000 }, '*')")
    await post_theme(alice, "{ text: 'rgb(1, 2, 3)' }")
    await there.until("document.documentElement.dataset.themed === 'text'", "the message of the host page")
    assert (await iframe_of(alice.page).bounding_box() or {})["height"] == height
