"""Writing a comment: no text is lost, and the page shows problems, the characters left, and names to mention."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Browser, Locator, Page, Route

from tests.browser.page_errors import NETWORK, PageErrors
from tests.browser.people import Person, cookies_of
from tests.browser.test_commentable import change_commentable
from tests.browser.test_drafts import has_no_stored_draft, sees_draft, stored_drafts
from tests.support.front_end import static
from tests.support.people import delete, person, read_json, sign_up, write
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import httpx

    from app.live.service import Parley
    from tests.browser.conftest import OpenBrowser
    from tests.support.serving import Site

LONGEST = 10_000


@pytest.fixture
async def page(browser: Browser, site: Site) -> AsyncIterator[Page]:
    """Alice's page, in a browser that runs no scripts."""
    async with person(site, "Alice") as alice:
        context = await browser.new_context(base_url=site.url, java_script_enabled=False)
        await context.add_cookies(cookies_of(alice))
        yield await context.new_page()
        await context.close()


def problem_of(person: Person) -> Locator:
    return person.page.locator(".composer .composer__problem")


# -- without scripts, and before them --------------------------------------------------------------------------


async def test_without_scripts_a_comment_is_posted_and_shown(page: Page) -> None:
    await page.goto("/Article/1")
    await page.locator(".composer textarea").fill("No scripts\n\nhere")
    await page.locator(".composer__post").click()
    await page.wait_for_url("**/Article/1#comment-*")  # with its style sheet, which decides what the text looks like
    assert await page.locator(".comment__body").all_inner_texts() == ["No scripts\n\nhere"]
    assert "No" not in page.url
    assert await page.locator(".composer textarea").input_value() == ""


async def test_without_scripts_a_guests_text_stays_in_the_field(page: Page) -> None:
    await page.context.clear_cookies()
    await page.goto("/Article/1")
    await page.locator(".composer textarea").fill("  Who am I?")
    async with page.expect_navigation():
        await page.locator(".composer__post").click()
    assert await page.locator(".composer textarea").input_value() == "  Who am I?"
    assert "Sign in" in await page.locator(".composer__problem").inner_text()


async def test_a_text_that_was_posted_before_the_script_came_is_there_once(
    open_browser: OpenBrowser, site: Site
) -> None:
    alice = await open_browser("Alice")
    came = asyncio.Event()

    async def late(route: Route) -> None:
        await came.wait()
        await route.continue_()

    await alice.page.route(f"**{static('js/app.js')}", late)
    await alice.page.goto("/Article/1", wait_until="commit")
    await alice.composer.fill("Early")
    form_id = await alice.page.locator("[name=form_id]").input_value()
    native = {"form_id": form_id, "body": "Early"}
    assert (await alice.client.post("/Article/1", data=native)).status_code == 303  # the browser has posted it, and has
    came.set()  # no response yet when the script runs
    await alice.is_ready()
    await sees_draft(alice, "Early")
    await alice.sees("Early")
    await alice.composer.press("Control+Enter")
    await sees_draft(alice, "")
    await alice.write("Next")
    await alice.sees("Early", "Next")
    await alice.matches_server()
    await has_no_stored_draft(alice)


# -- what is wrong with it -------------------------------------------------------------------------------------


async def test_a_blank_comment_is_refused_beside_the_field(alice: Person) -> None:
    await alice.composer.fill("  \n ")
    await alice.page.locator(".composer__post").click()
    assert await problem_of(alice).inner_text() == "Can't be empty"
    await alice.focus_is_on(".composer textarea[aria-invalid=true]")
    await alice.composer.press_sequentially("Now")
    assert not await problem_of(alice).is_visible()
    await write(alice.client, "One")
    await alice.sees("One")
    await alice.open_editor("One")
    await alice.editor.fill(" ")
    await alice.page.locator(".editor__save").click()
    assert await alice.page.locator(".editor__problem").inner_text() == "Can't be empty"


async def test_the_limit_is_shown_before_it_is_reached(alice: Person) -> None:
    left = alice.page.locator(".composer__left")
    await alice.composer.fill("x" * (LONGEST - 1_001))
    assert not await left.is_visible()
    await alice.composer.fill("🦜" * (LONGEST - 500))
    assert await left.inner_text() == "500 characters left"
    await alice.composer.fill("🦜" * (LONGEST + 12))
    assert await left.inner_text() == "12 characters too many"
    await alice.composer.press("Control+Enter")
    assert "10,000 characters" in await problem_of(alice).inner_text()
    assert await alice.page.evaluate("parley.outbox.records.length") == 0
    await alice.composer.fill("🦜" * LONGEST)
    await alice.composer.press("Control+Enter")
    await alice.sees("🦜" * LONGEST)
    await alice.is_settled()


# -- where comments are closed ---------------------------------------------------------------------------------


async def test_nobody_is_offered_to_write_where_comments_are_closed(
    alice: Person, served: Parley, carol_client: httpx.AsyncClient
) -> None:
    await write(carol_client, "One")
    await alice.sees("One")
    offered = alice.comment("One").locator(".comment__reply")
    await offered.click()
    await alice.page.locator(".reply textarea").fill("Half a reply")
    await alice.composer.fill("Half a comment")
    await change_commentable(served, locked=True)
    await alice.page.locator(".reply textarea[readonly]").wait_for()
    assert await alice.page.locator(".reply textarea").input_value() == "Half a reply"
    assert not await alice.page.locator(".reply .composer__post").is_visible()
    assert not await offered.is_visible()
    assert await alice.page.locator(".kept__text").all_inner_texts() == ["Half a comment"]
    await alice.reload()
    assert not await offered.is_visible()
    assert await alice.page.locator(".kept__text").all_inner_texts() == ["Half a comment"]
    await change_commentable(served, locked=False)
    await offered.wait_for()
    await sees_draft(alice, "Half a comment")
    assert await alice.page.locator(".kept").count() == 0
    await alice.page.locator(".reply .composer__post").click()
    await alice.sees("One", "Half a reply")


async def test_a_refused_comment_may_be_tried_again_once_comments_are_open(
    alice: Person, served: Parley, page_errors: PageErrors
) -> None:
    page_errors.allow("403")
    await alice.page.evaluate("parley.connector.close()")
    await change_commentable(served, locked=True)
    await alice.write("Too late")
    await alice.until("parley.outbox.records.some(({ problem }) => problem)", "the refusal")
    await alice.reload()
    refused = alice.comment("Too late")
    await refused.locator(".comment__copy").wait_for()
    assert not await refused.locator(".comment__retry").is_visible()
    assert not await refused.locator(".comment__edit").is_visible()
    await change_commentable(served, locked=False)
    await refused.locator(".comment__retry").click()
    await alice.is_settled()
    await alice.matches_server()


# -- ways out of a field ---------------------------------------------------------------------------------------


async def test_a_reply_that_was_put_aside_comes_back(alice: Person, carol_client: httpx.AsyncClient) -> None:
    await write(carol_client, "One")
    await alice.comment("One").locator(".comment__reply").click()
    await alice.page.locator(".reply textarea").fill("Half a reply")
    await alice.page.locator(".reply__cancel").click()
    assert await alice.page.locator(".reply").count() == 0
    await alice.reload()
    await alice.page.locator(".unsaved__continue").click()
    assert await alice.page.locator(".reply textarea").input_value() == "Half a reply"


@pytest.mark.parametrize("kind", ["reply", "edit"])
async def test_a_draft_is_shown_though_its_comment_is_gone(kind: str, alice: Person, page_errors: PageErrors) -> None:
    page_errors.allow(NETWORK)
    comment = await write(alice.client, "One")
    await alice.sees("One")
    if kind == "reply":
        await alice.comment("One").locator(".comment__reply").click()
        await alice.page.locator(".reply textarea").fill("A long and careful text")
    else:
        await alice.open_editor("One")
        await alice.editor.fill("A long and careful text")
    await alice.go("/Page/about")
    assert await alice.page.locator(".kept").count() == 0, "it belongs to another page"
    await delete(alice.client, comment)
    await alice.go("/Article/1")
    text = alice.page.locator(".kept__text")
    await text.wait_for()
    assert await text.all_inner_texts() == ["A long and careful text"]
    assert "deleted" in await alice.page.locator(".kept__why").inner_text()
    await alice.reload()
    await text.wait_for()
    await alice.page.locator(".kept__discard").click()
    await text.wait_for(state="detached")
    assert await stored_drafts(alice) == []


async def test_the_text_of_a_report_is_there_when_the_dialog_is_opened_again(
    alice: Person, carol_client: httpx.AsyncClient
) -> None:
    await write(carol_client, "Buy almonds")
    note = alice.page.locator(".report [name=note]")
    for text in ("", "They do it every day"):
        await alice.comment("Buy almonds").locator(".comment__more").click()
        await alice.page.locator(".menu__item[data-act=report]").click()
        await alice.page.locator("dialog.report[open]").wait_for()
        assert await note.input_value() == text
        await note.fill("They do it every day")
        await note.press("Escape")


# -- guests ----------------------------------------------------------------------------------------------------


async def test_a_guest_who_likes_is_told_why_to_sign_in_and_then_likes(
    guest: Person, site: Site, carol_client: httpx.AsyncClient
) -> None:
    async with site.client() as client:
        await sign_up(client, "Alice")
        comment = await write(carol_client, "Mind the step.")
        await guest.sees("Mind the step.")
        like = guest.comment("Mind the step.").locator(".comment__like")
        await like.click()
        await guest.sees_text(".entry__title", "Sign in to like this comment")
        await guest.page.keyboard.press("Escape")
        await guest.open_sign_in()
        assert "like" not in await guest.page.locator(".entry__title").inner_text()
        await guest.page.keyboard.press("Escape")

        await like.click()
        await guest.sign_in("Alice")
        await guest.until("document.querySelector('.comment__like').ariaPressed === 'true'", "the like")
        await guest.has_sent_all()
        stored = read_json(await client.get(f"/api/comments/{comment['id']}"), 200)
        assert stored["likes_count"] == 1


# -- links and names -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_allowed", [True, False])
async def test_the_link_to_a_comment_is_copied(is_allowed: bool, open_browser: OpenBrowser, site: Site) -> None:
    alice = await open_browser("Alice")
    if is_allowed:
        await alice.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site.url)
    else:  # as in an iframe without the permission, in a browser without the older command
        await alice.page.evaluate("""() => {
          navigator.clipboard.writeText = () => Promise.reject(new DOMException("No", "NotAllowedError"));
          document.execCommand = () => false;
        }""")
    comment = await write(alice.client, "One")
    await alice.sees("One")
    await alice.comment("One").locator(".comment__more").click()
    await alice.page.locator(".menu__item[data-act=link]").click()
    address = f"{site.url}/Article/1#comment-{comment['id']}"
    if is_allowed:
        await alice.until("document.querySelector('.announcer').textContent.includes('Link copied')", "the word of it")
        assert await alice.page.evaluate("navigator.clipboard.readText()") == address
    else:
        assert await alice.page.locator(".menu__address").input_value() == address


async def test_names_are_completed_after_an_at(alice: Person, site: Site) -> None:
    async with person(site, "Zoë Newcomer", email="zoe@example.com") as zoe, person(site, "Zora"):
        await write(zoe, "Here I am")
        await alice.sees("Here I am")
        await alice.composer.press_sequentially("Well, @zo")
        options = alice.page.locator(".composer [role=option]")
        await wait_until(lambda: _reads(options, ["@Zoë Newcomer", "@Zora"]), "both names, people here first")
        active = await alice.composer.get_attribute("aria-activedescendant")
        assert await alice.page.locator(f"[id='{active}']").inner_text() == "@Zoë Newcomer"
        await alice.composer.press("ArrowDown")
        await alice.composer.press("ArrowUp")
        await alice.composer.press("Enter")
        await alice.composer.press_sequentially("!")
        await sees_draft(alice, "Well, @Zoë Newcomer !")
        assert not await options.first.is_visible()

        await alice.composer.fill("")
        await alice.composer.press_sequentially("@zora")
        await options.first.click()
        await sees_draft(alice, "@Zora ")
        await alice.composer.press_sequentially("@zor")
        await options.first.wait_for()
        await alice.composer.press("Escape")
        assert not await options.first.is_visible()
        await alice.composer.press("Control+Enter")
        await alice.sees("Here I am", "@Zora @zor")
        await alice.matches_server()


async def _reads(options: Locator, words: list[str]) -> bool:
    return await options.all_inner_texts() == words
