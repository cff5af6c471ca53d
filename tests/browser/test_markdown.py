"""Markdown in the page: a person types text, and every browser shows the HTML that the server rendered."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from playwright.async_api import Route

from tests.browser.people import Person
from tests.support.people import write

if TYPE_CHECKING:
    import httpx

HTML = "() => Array.from(document.querySelectorAll('.comment__body'), (el) => el.innerHTML)"
MARKED = "So **much** for `that`, @Alice: https://example.com/"
SHOWN = (
    '<p dir="auto">So <strong>much</strong> for <code>that</code>, <span class="mention">@Alice</span>: '
    '<a href="https://example.com/" rel="ugc nofollow noopener">https://example.com/</a></p>'
)


async def sees_html(person: Person, *html: str) -> None:
    await person._comes_to(HTML, list(html))


async def test_alice_sees_her_markdown_as_text_until_the_server_has_rendered_it(alice: Person, guest: Person) -> None:
    released = asyncio.Event()

    async def hold(route: Route) -> None:
        await released.wait()
        await route.continue_()

    await alice.page.route("**/api/comments/", hold)
    await alice.write(MARKED)
    assert await alice.bodies() == [MARKED]
    released.set()
    for person in (alice, guest):
        await sees_html(person, SHOWN)
    await guest.reload()
    await sees_html(guest, SHOWN)


async def test_alice_edits_the_text_and_everybody_sees_the_new_markdown(alice: Person, guest: Person) -> None:
    await alice.write(MARKED)
    await sees_html(alice, SHOWN)
    await alice.page.locator(".comment__edit").click()
    assert await alice.editor.input_value() == MARKED
    await alice.editor.fill("> Or *not*")
    await alice.editor.press("Control+Enter")
    for person in (alice, guest):
        await sees_html(person, '<blockquote dir="auto">\n<p dir="auto">Or <em>not</em></p>\n</blockquote>')
    await alice.page.locator(".comment__edit").click()
    await alice.editor.fill("Or so")
    await alice.editor.press("Control+Enter")
    await guest.sees("Or so")
    await sees_html(guest, "Or so")


async def test_alice_sees_plain_text_exactly_as_carol_typed_it(alice: Person, carol_client: httpx.AsyncClient) -> None:
    bodies = ["One\n\nTwo\nThree", "  Two  spaces  ", "# no heading", "&amp; <b>", "2 * 3 * 4"]
    for body in bodies:
        await write(carol_client, body)
    await alice.sees(*bodies)
    await alice.reload()
    await alice.sees(*bodies)
    assert await alice.page.locator(".comment__body *").count() == 0
    await alice.matches_server()


async def test_alice_sees_one_line_break_for_each_that_carol_typed(
    alice: Person, carol_client: httpx.AsyncClient
) -> None:
    height = "(el) => el.getBoundingClientRect().height"
    for body in ("One\ntwo", "*One*\ntwo"):
        await write(carol_client, body)
    await alice.until("parley.comments.length === 2", "both comments")
    plain, marked = [await body.evaluate(height) for body in await alice.page.locator(".comment__body").all()]
    assert abs(plain - marked) <= 1
