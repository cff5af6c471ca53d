"""Threads under pages that are not ours: plain HTML on another server, with style sheets of its own."""

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
BELOW = f"<p style='height: 3000px'>A long text</p>{thread(inside='<a href=#>Comments</a>')}"
AFTER_TWO_FRAMES = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))"
OURS = "document.querySelector('[data-parley]').shadowRoot.querySelector('iframe').contentWindow"
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
def come(open_browser: OpenBrowser, host: Host, site: Site) -> OpenBrowser:
    """Somebody comes to a page of the host's; by their name, signed in. Options: `style`, and `arrive`'s."""
    host.script = f"{site.url}/embed.js"

    async def come(name: str | None = None, body: str = TWO, style: str = "", hash: str = "", **options: Any) -> Person:
        return await open_browser(name, at=host.show(body, style) + hash, **options)

    return come


async def top_of(person: Person, selector: str, topic: str = "Article/1") -> float:
    """Where on the screen that part of the iframe is."""
    box = await iframe_of(person.page, topic).content_frame.locator(selector).bounding_box()
    assert box
    return float(box["y"])


async def says(person: Person, theme: str) -> None:
    """The page they are on says that to its first thread."""
    await person.page.evaluate(f"{OURS}.postMessage({{ parley: 'page', theme: {theme} }}, '*')")


def numbers(*names: str) -> str:
    return "".join(f"<b data-parley-count='{name}'></b>" for name in names)


async def many(client: httpx.AsyncClient, number: int = 12) -> list[dict[str, Any]]:
    return [await write(client, f"Number {n}") for n in range(number)]


# -- talking ------------------------------------------------------------------------------------------------


async def test_what_is_written_under_one_page_is_there_under_the_other_and_in_parley(
    come: OpenBrowser, open_browser: OpenBrowser
) -> None:
    alice, bob, carol = (
        await enter_frame(await come("Alice")),
        await enter_frame(await come("Bob")),
        await open_browser("Carol"),
    )
    await alice.write("From a page of somebody's")
    for reader in (alice, bob, carol):
        await reader.sees("From a page of somebody's")
    await carol.write("And from ours")
    await bob.sees("From a page of somebody's", "And from ours")
    await alice.edit("From a page of somebody's", "From elsewhere")
    await carol.sees("From elsewhere", "And from ours")


async def test_all_threads_of_a_page_and_of_all_its_tabs_have_one_stream(
    come: OpenBrowser, site: Site, carol_client: httpx.AsyncClient
) -> None:
    alice = await come("Alice", body=TWO + thread("Article/3"))
    threads = [await enter_frame(alice, topic) for topic in ("Article/1", "Page/about", "Article/3")]
    again = await alice.open_another_tab(alice.page.url)
    threads.append(await enter_frame(again, "Page/about"))
    await wait_for_streams(site)
    for one in threads[:3]:
        await one.write("Here")
    for one in threads:
        await one.sees("Here")
    await threads[0].is_settled()  # else what comes now may be written first, and stand above it
    await write(carol_client, "For the first alone")
    await threads[0].sees("Here", "For the first alone")
    await wait_for_streams(site)
    leaders = [await one.page.evaluate("parley.connector.leads") for one in threads]
    assert sorted(leaders) == [False, False, False, True]


async def test_counts_are_live_over_one_stream_for_all_of_a_page(
    come: OpenBrowser, site: Site, carol_client: httpx.AsyncClient
) -> None:
    await write(carol_client, "One")
    alice = await come("Alice", body=thread() + numbers("Article/1", "Article/2", "Article/1"), style=HOSTILE)
    here = await enter_frame(alice)
    shown = "Array.from(document.querySelectorAll('b'), (el) => el.textContent).join()"
    await alice.until(f"{shown} === '1,0,1'", "the numbers")
    await wait_for_streams(site, 2)  # the other one is the thread's
    await write(carol_client, "Two", commentable_id="2")
    await here.write("Three")
    await alice.until(f"{shown} === '2,1,2'", "the numbers to follow")
    await alice.page.evaluate("document.querySelector('b').dataset.parleyCount = 'Page/about'")
    await alice.until(f"{shown} === '0,1,2'", "another number")
    await alice.page.evaluate("document.querySelector('b').dataset.parleyCount = 'Article/1/'")
    await alice.until(f"{shown} === '2,1,2'", "the number of another form of the same id")
    await wait_for_streams(site, 2)
    assert len(alice.page.frames) == 2, "the page's and the thread's"


async def test_who_signs_in_under_one_thread_is_signed_in_under_all(
    come: OpenBrowser, site: Site, carol_client: httpx.AsyncClient
) -> None:
    guest = await come(style=HOSTILE)
    one, other = await enter_frame(guest), await enter_frame(guest, "Page/about")
    await one.composer.fill("As Carol")
    await one.page.locator(".composer__post").click()
    await one.fill(".entry", email=email_of("Carol"), password=PASSWORD)
    await one.sees("As Carol")
    for there in (one, other):
        await there.is_signed_in("Carol")
    await one.page.locator(".account__sign-out").click()
    for there in (one, other):
        await there.is_guest()


async def test_a_draft_outlives_the_page_in_whichever_thread_it_was(come: OpenBrowser) -> None:
    alice = await come("Alice")
    for topic in ("Article/1", "Page/about"):
        await (await enter_frame(alice, topic)).composer.fill(f"Of {topic}")
    await alice.page.reload()
    for topic in ("Article/1", "Page/about"):
        there = await enter_frame(alice, topic)
        await there.until(f"document.querySelector('.composer textarea').value === 'Of {topic}'", "the draft")


# -- style --------------------------------------------------------------------------------------------------


async def test_the_pages_style_and_the_threads_do_not_meet(come: OpenBrowser, carol_client: httpx.AsyncClient) -> None:
    await write(carol_client, "As ever")
    plain, hostile = await come("Alice"), await come("Bob", style=HOSTILE)
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


async def test_the_page_says_how_a_thread_looks(come: OpenBrowser) -> None:
    there = await enter_frame(await come("Alice", style=THEME))
    await there.until("document.documentElement.dataset.themed", "the theme")
    body = await there.page.evaluate(COLOURS, "body")
    assert body == ["rgb(1, 2, 3)", "rgb(255, 255, 255)", "monospace", "0px"]
    colour = "getComputedStyle(document.querySelector('.composer__post')).backgroundColor"
    await there.until(f"{colour} === 'rgb(194, 24, 91)'", "the button's colour, which comes by and by")
    assert (await there.page.evaluate(COLOURS, ".composer__post"))[2:] == ["monospace", "0px"]
    assert await there.page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--mine')") == ""


@pytest.mark.parametrize(("accent", "ink"), [("#ffe14d", 0), ("navy", 255)])
async def test_one_can_read_what_is_written_on_the_pages_colour(come: OpenBrowser, accent: str, ink: int) -> None:
    there = await enter_frame(await come("Alice", style=f"[data-parley] {{ --parley-accent: {accent} }}"))
    await there.until("document.documentElement.dataset.themed === 'accent'", "the theme")
    drawn = """() => {
      const pen = document.createElement("canvas").getContext("2d");
      pen.fillStyle = getComputedStyle(document.querySelector(".composer__post")).color;
      pen.fillRect(0, 0, 1, 1);
      return [...pen.getImageData(0, 0, 1, 1).data];
    }"""
    assert await there.page.evaluate(drawn) == [ink, ink, ink, 255]


async def test_what_is_no_colour_is_not_taken(come: OpenBrowser) -> None:
    style = """[data-parley] { --parley-accent: 12px; --parley-text: red; } url(//evil.example);
      --parley-background: url(//evil.example/pixel); --parley-font: var(--nothing); --parley-radius: calc(; }"""
    there = await enter_frame(await come("Alice", style=style))
    await there.until("document.documentElement.dataset.themed === 'text'", "what makes sense")
    assert (await there.page.evaluate(COLOURS, "body"))[:2] == ["rgb(255, 0, 0)", "rgb(250, 248, 244)"]


async def test_the_look_follows_the_page_and_the_readers_browser(come: OpenBrowser) -> None:
    alice = await come("Alice", body=thread(), color_scheme="dark")
    there = await enter_frame(alice)
    await there.until(IS_DARK, "the dark, as the browser prefers")
    await alice.page.evaluate("document.querySelector('[data-parley]').dataset.theme = 'light'")
    await there.until(IS_LIGHT, "the light, as the page says")
    await alice.page.emulate_media(color_scheme="light")
    await alice.page.evaluate("document.querySelector('[data-parley]').dataset.theme = 'dark'")
    await there.until(IS_DARK, "the dark, as the page says")
    await alice.page.evaluate("delete document.querySelector('[data-parley]').dataset.theme")
    await there.until(IS_LIGHT, "the light, as the browser prefers")
    await alice.page.evaluate("document.body.style.setProperty('--parley-background', 'rgb(9, 9, 9)')")
    await there.until("getComputedStyle(document.body).backgroundColor === 'rgb(9, 9, 9)'", "what the page says now")


async def test_a_page_may_be_seen_through_a_thread_but_not_through_its_dialogs(come: OpenBrowser) -> None:
    there = await enter_frame(await come(style="[data-parley] { --parley-background: transparent }"))
    await there.until("document.documentElement.dataset.themed === 'ground'", "the theme")
    assert (await there.page.evaluate(COLOURS, "body"))[1] == "rgba(0, 0, 0, 0)"
    for part in (".entry", ".field__input"):
        assert (await there.page.evaluate(COLOURS, part))[1].startswith("rgb(")


# -- height and sight ---------------------------------------------------------------------------------------


async def test_the_frame_is_as_high_as_the_thread(come: OpenBrowser, carol_client: httpx.AsyncClient) -> None:
    alice = await come("Alice", style=HOSTILE)
    there = await enter_frame(alice)
    await wait_for_fit(alice.page)
    before = await iframe_of(alice.page).bounding_box()
    await many(carol_client)
    await there.until("parley.comments.length === 12", "them all")
    await wait_for_fit(alice.page)
    after = await iframe_of(alice.page).bounding_box()
    assert before
    assert after
    assert after["height"] > before["height"] + 12 * 40
    await alice.page.set_viewport_size({"width": 400, "height": 700})
    await wait_for_fit(alice.page)


async def test_a_dialog_is_where_the_reader_looks_and_has_room_there(
    come: OpenBrowser, carol_client: httpx.AsyncClient
) -> None:
    await many(carol_client, 30)
    guest = await come()
    for topic in ("Article/1", "Page/about"):  # one much higher than the window, one lower than the dialog
        there = await enter_frame(guest, topic)
        await wait_for_fit(guest.page, topic)
        await there.page.locator(".composer__sign-in").click()
        await there.page.locator(".entry [name=email]").wait_for()
        await wait_for_fit(guest.page, topic)
        await wait_until(lambda topic=topic: top_of(guest, ".entry", topic), "its place")
        assert 0 <= await top_of(guest, ".entry", topic) < 500
        assert await top_of(guest, ".entry__submit", topic) < 720
        await there.page.locator(".entry__close").click()


async def test_new_comments_out_of_sight_are_told_and_led_to(
    come: OpenBrowser, carol_client: httpx.AsyncClient
) -> None:
    await many(carol_client, 30)
    alice = await come("Alice")
    there = await enter_frame(alice)
    await wait_for_fit(alice.page)
    await write(carol_client, "Far below")
    pill = there.page.locator(".pill")
    await pill.wait_for()
    assert 600 < await top_of(alice, ".pill") < 720
    await pill.click()
    await pill.wait_for(state="hidden")
    last = ".comment:last-child"
    await wait_until(lambda: _is_seen(alice, last), "the new one in sight")


async def _is_seen(person: Person, selector: str) -> bool:
    return 0 <= await top_of(person, selector) < 700


async def test_what_one_reads_stays_where_it_is(come: OpenBrowser, carol_client: httpx.AsyncClient) -> None:
    first, *_ = await many(carol_client, 30)
    alice = await come("Alice")
    there = await enter_frame(alice)
    await wait_for_fit(alice.page)
    await alice.page.evaluate("scrollTo(0, 900)")
    await there.until(
        "getComputedStyle(document.documentElement).getPropertyValue('--viewport-top') !== '0px'", "its sight"
    )
    before = await top_of(alice, ".comment:nth-child(15)")
    longer = "\n".join(str(number) for number in range(12))
    await carol_client.patch(f"/api/comments/{first['id']}", json={"body": longer})
    await there.until("parley.comments.first().text().includes('11')", "the longer text")
    await wait_for_fit(alice.page)
    await wait_until(lambda: _is_at(alice, ".comment:nth-child(15)", before), "what one reads to be where it was")
    assert await alice.page.evaluate("scrollY") > 900


async def _is_at(person: Person, selector: str, top: float) -> bool:
    return abs(await top_of(person, selector) - top) <= 1


# -- before the reader comes to it --------------------------------------------------------------------------


async def test_a_thread_is_loaded_when_the_reader_comes_near(
    come: OpenBrowser, carol_client: httpx.AsyncClient
) -> None:
    await many(carol_client)
    alice = await come("Alice", body=BELOW)
    await alice.page.wait_for_load_state()
    link = alice.page.locator("[data-parley] a")
    assert await link.inner_text() == "Comments", "the page's own link, meanwhile"
    await alice.page.evaluate("scrollTo(0, 500)")
    await alice.page.evaluate(AFTER_TWO_FRAMES)
    assert _asked(alice) == ["GET /embed.js"]
    await link.scroll_into_view_if_needed()
    await (await enter_frame(alice)).sees(*(f"Number {n}" for n in range(12)))


async def test_what_is_below_a_thread_does_not_move_when_it_is_loaded_again(
    come: OpenBrowser, carol_client: httpx.AsyncClient
) -> None:
    await many(carol_client)
    alice = await come("Alice", body=thread() + "<footer>Imprint</footer>")
    await enter_frame(alice)
    await wait_for_fit(alice.page)
    before = await alice.page.locator("footer").bounding_box()
    await alice.page.reload(wait_until="commit")
    footer = alice.page.locator("footer")
    await alice.until("document.querySelector('[data-parley]')?.shadowRoot", "the thread's place")
    assert await footer.bounding_box() == before
    await enter_frame(alice)
    await wait_for_fit(alice.page)
    assert await footer.bounding_box() == before


async def test_a_link_to_a_comment_loads_the_thread_at_once(come: OpenBrowser, carol_client: httpx.AsyncClient) -> None:
    comments = await many(carol_client)
    place = f"#comment-{comments[7]['id']}"
    alice = await come("Alice", body=BELOW, hash=place)
    await enter_frame(alice)
    await wait_until(lambda: _is_seen(alice, place), "the comment in sight")


async def test_a_thread_that_is_not_loaded_takes_no_room_on_paper(come: OpenBrowser) -> None:
    alice = await come("Alice", body=BELOW)
    element = alice.page.locator("[data-parley]")
    await alice.until("document.querySelector('[data-parley]').shadowRoot", "the thread's place")
    assert (await element.bounding_box() or {})["height"] == 320
    await alice.page.emulate_media(media="print")
    assert (await element.bounding_box() or {})["height"] < 100


def _asked(person: Person) -> list[str]:
    """The requests beside that of the host's own page."""
    return [request for request in person.requests if request != "GET /"]


# -- addresses ----------------------------------------------------------------------------------------------


async def test_an_address_of_a_comment_leads_to_the_hosts_page_and_to_the_comment(
    come: OpenBrowser, carol_client: httpx.AsyncClient, host: Host
) -> None:
    comments = await many(carol_client, 30)
    place = f"#comment-{comments[20]['id']}"
    alice = await come("Alice", hash=place)
    there = await enter_frame(alice)
    await wait_until(lambda: _is_seen(alice, place), "the comment in sight")
    assert await there.page.evaluate(f"document.querySelector('{place}').matches(':target')")
    assert await alice.page.evaluate("scrollY") > 0

    other = f"#comment-{comments[2]['id']}"
    link = there.page.locator(f"{other} .comment__link")
    await there.until(f"document.querySelector('{other} .comment__link').href === '{host.url}/{other}'", "the address")
    await alice.page.evaluate("window.stayed = true")
    await link.click()
    await alice.until(f"location.hash === '{other}'", "the host's address")
    await wait_until(lambda: _is_seen(alice, other), "the other comment in sight")
    await alice.page.go_back()
    await wait_until(lambda: _is_seen(alice, place), "the first again")
    assert await alice.page.evaluate("window.stayed"), "no page was loaded"


async def test_an_address_of_what_is_not_loaded_is_the_only_threads_or_nobodys(
    come: OpenBrowser, page_errors: PageErrors
) -> None:
    page_errors.allow(NETWORK)  # there never was such a comment
    place = "#comment-0198f3c2-7a5b-7c11-9d2e-3f4a5b6c7d8e"
    for body, told in ((thread(), place), (TWO, "")):
        guest = await come(body=body, hash=place)
        there = await enter_frame(guest)
        await there.until("document.documentElement.hasAttribute('data-framed')", "its host's first word")
        await says(guest, "{ text: 'rgb(1, 2, 3)' }")
        await there.until("document.documentElement.dataset.themed === 'text'", "its latest")
        assert await there.page.evaluate("location.hash") == told
        if told:
            await there.page.locator(".thread__lost").wait_for()


async def test_what_leads_out_of_the_frame_opens_beside_the_page(come: OpenBrowser) -> None:
    alice = await come("Alice")
    there = await enter_frame(alice)
    async with alice.context.expect_page() as opened:
        await there.page.locator(".account__name").click()
    account = await opened.value
    await account.wait_for_url("**/account")
    assert alice.page.url.endswith("/")


async def test_a_page_may_load_the_script_as_a_module_as_it_once_had_to(
    come: OpenBrowser, host: Host, site: Site
) -> None:
    host.attributes = "type=module"
    alice = await come(
        "Alice", body=thread() + numbers("Article/1") + f"<script async src='{site.url}/embed.js'></script>"
    )
    there = await enter_frame(alice)
    await there.write("Under an older page")
    await alice.until("document.querySelector('b').textContent === '1'", "the number of comments")
    assert len(alice.page.frames) == 2, "although the page has the script twice"


async def test_a_page_may_bring_threads_and_take_them_away(come: OpenBrowser, site: Site) -> None:
    alice = await come("Alice", body="<main></main>")
    await alice.page.evaluate(f"document.querySelector('main').innerHTML = `{thread()}`")
    await (await enter_frame(alice)).write("Brought")
    await alice.page.evaluate("document.querySelector('[data-parley]').dataset.parley = 'Page/about'")
    await (await enter_frame(alice, "Page/about")).sees()
    assert len(alice.page.frames) == 2
    await alice.page.evaluate("document.querySelector('[data-parley]').remove()")
    await wait_for_streams(site, 0)


# -- replies ------------------------------------------------------------------------------------------------


async def test_a_reply_rings_in_the_hosts_page_and_leads_there(come: OpenBrowser, host: Host, site: Site) -> None:
    """Alice learns of Bob's reply where she wrote, on another page of the host, and in Parley."""
    first = host.show(f"<h1>A post</h1>{thread()}", path="/post")
    host.script = f"{site.url}/embed.js"
    alice, bob = await come("Alice", body=thread("Page/about")), await come("Bob", body=thread("Page/about"))
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
    assert await elsewhere.page.locator(".notification__where").inner_text() == "Somebody's page"
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
    assert await alice.page.evaluate("window.stayed"), "no page was loaded"
    assert len(alice.context.pages) == 2


# -- who may not --------------------------------------------------------------------------------------------


async def test_a_type_that_is_not_known_is_called_so(come: OpenBrowser, page_errors: PageErrors) -> None:
    page_errors.allow(rf"must be one of|frame-ancestors|404|{NETWORK}")
    guest = await come(body="<h1>A page</h1>")
    async with guest.page.expect_console_message(lambda one: "Blog/1" in one.text, timeout=2 * TIMEOUT_MS) as told:
        await guest.page.evaluate(f"document.body.insertAdjacentHTML('beforeend', `{thread('Blog/1')}`)")
    text = (await told.value).text
    assert "Article, Page" in text
    assert "ALLOWED_ORIGINS" not in text
    assert await guest.page.locator("[data-parley] a").count() == 0


async def test_a_page_that_is_not_listed_gets_a_link_and_is_told_why(
    come: OpenBrowser, site: Site, host: Host, page_errors: PageErrors
) -> None:
    page_errors.allow(rf"ALLOWED_ORIGINS|frame-ancestors|{NETWORK}")
    host.url = host.url.replace("127.0.0.1", "localhost")
    heard: list[str] = []
    guest = await come(body="<h1>Elsewhere</h1>")
    guest.page.on("console", lambda message: heard.append(message.text))
    await guest.page.evaluate(f"document.body.insertAdjacentHTML('beforeend', `{thread()}`)")
    link = guest.page.locator("[data-parley] a")
    await link.wait_for(timeout=2 * TIMEOUT_MS)
    assert await link.get_attribute("href") == f"{site.url}/Article/1"
    assert not await iframe_of(guest.page).is_visible()
    assert [text for text in heard if "ALLOWED_ORIGINS" in text and host.url in text]


async def test_words_of_other_windows_are_not_heard(come: OpenBrowser) -> None:
    alice = await come("Alice", body=thread() + "<iframe srcdoc='<p>Another</p>'></iframe>")
    there = await enter_frame(alice)
    await wait_for_fit(alice.page)
    height = (await iframe_of(alice.page).bounding_box() or {})["height"]
    other = next(frame for frame in alice.page.frames if frame.url == "about:srcdoc")
    await other.evaluate("parent.postMessage({ parley: 'height', height: 5000 }, '*')")
    await other.evaluate(f"parent.{OURS}.postMessage({{ parley: 'page', theme: {{ accent: 'red' }} }}, '*')")
    await alice.page.evaluate("postMessage({ parley: 'height', height: 5000 }, '*')")
    await says(alice, "{ text: 'rgb(1, 2, 3)' }")
    await there.until("document.documentElement.dataset.themed === 'text'", "the host's own word")
    assert (await iframe_of(alice.page).bounding_box() or {})["height"] == height
