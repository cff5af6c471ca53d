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

MAX_CHARACTERS = 10_000


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


async def test_alice_posts_a_comment_without_scripts(page: Page) -> None:
    await page.goto("/Article/1")
    await page.locator(".composer textarea").fill("No scripts\n\nhere")
    await page.locator(".composer__post").click()
    await page.wait_for_url("**/Article/1#comment-*")  # the page with its style sheet
    assert await page.locator(".comment__body").all_inner_texts() == ["No scripts\n\nhere"]
    assert "No" not in page.url
    assert await page.locator(".composer textarea").input_value() == ""


async def test_a_guests_text_stays_in_the_field_without_scripts(page: Page) -> None:
    await page.context.clear_cookies()
    await page.goto("/Article/1")
    await page.locator(".composer textarea").fill("  Who am I?")
    async with page.expect_navigation():
        await page.locator(".composer__post").click()
    assert await page.locator(".composer textarea").input_value() == "  Who am I?"
    assert "Sign in" in await page.locator(".composer__problem").inner_text()


async def test_alice_posts_before_the_script_runs_and_her_comment_exists_once(
    open_browser: OpenBrowser, site: Site
) -> None:
    alice = await open_browser("Alice")
    released = asyncio.Event()

    async def delay(route: Route) -> None:
        await released.wait()
        await route.continue_()

    await alice.page.route(f"**{static('js/app.js')}", delay)
    await alice.page.goto("/Article/1", wait_until="commit")
    await alice.composer.fill("Early")
    form_id = await alice.page.locator("[name=form_id]").input_value()
    form = {"form_id": form_id, "body": "Early"}
    assert (await alice.client.post("/Article/1", data=form)).status_code == 303  # the browser has posted it and has no
    released.set()  # response yet when the script runs
    await alice.is_ready()
    await sees_draft(alice, "Early")
    await alice.sees("Early")
    await alice.composer.press("Control+Enter")
    await sees_draft(alice, "")
    await alice.write("Next")
    await alice.sees("Early", "Next")
    await alice.matches_server()
    await has_no_stored_draft(alice)


# -- invalid comments ------------------------------------------------------------------------------------------


async def test_alice_sees_an_error_beside_the_field_for_a_blank_comment(alice: Person) -> None:
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


async def test_alice_sees_the_characters_left_before_she_reaches_the_limit(alice: Person) -> None:
    left = alice.page.locator(".composer__left")
    await alice.composer.fill("x" * (MAX_CHARACTERS - 1_001))
    assert not await left.is_visible()
    await alice.composer.fill("🦜" * (MAX_CHARACTERS - 500))
    assert await left.inner_text() == "500 characters left"
    await alice.composer.fill("🦜" * (MAX_CHARACTERS + 12))
    assert await left.inner_text() == "12 characters too many"
    await alice.composer.press("Control+Enter")
    assert "10,000 characters" in await problem_of(alice).inner_text()
    assert await alice.page.evaluate("parley.outbox.records.length") == 0
    await alice.composer.fill("🦜" * MAX_CHARACTERS)
    await alice.composer.press("Control+Enter")
    await alice.sees("🦜" * MAX_CHARACTERS)
    await alice.is_settled()


# -- closed comments ------------------------------------------------------------------------------------------


async def test_alice_cannot_write_or_reply_while_comments_are_closed(
    alice: Person, served: Parley, carol_client: httpx.AsyncClient
) -> None:
    await write(carol_client, "One")
    await alice.sees("One")
    reply_button = alice.comment("One").locator(".comment__reply")
    await reply_button.click()
    await alice.page.locator(".reply textarea").fill("Half a reply")
    await alice.composer.fill("Half a comment")
    await change_commentable(served, locked=True)
    await alice.page.locator(".reply textarea[readonly]").wait_for()
    assert await alice.page.locator(".reply textarea").input_value() == "Half a reply"
    assert not await alice.page.locator(".reply .composer__post").is_visible()
    assert not await reply_button.is_visible()
    assert await alice.page.locator(".kept__text").all_inner_texts() == ["Half a comment"]
    await alice.reload()
    assert not await reply_button.is_visible()
    assert await alice.page.locator(".kept__text").all_inner_texts() == ["Half a comment"]
    await change_commentable(served, locked=False)
    await reply_button.wait_for()
    await sees_draft(alice, "Half a comment")
    assert await alice.page.locator(".kept").count() == 0
    await alice.page.locator(".reply .composer__post").click()
    await alice.sees("One", "Half a reply")


async def test_alice_can_retry_a_refused_comment_once_comments_are_open(
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


# -- closed fields ---------------------------------------------------------------------------------------------


async def test_alice_continues_a_reply_that_she_had_closed(alice: Person, carol_client: httpx.AsyncClient) -> None:
    await write(carol_client, "One")
    await alice.comment("One").locator(".comment__reply").click()
    await alice.page.locator(".reply textarea").fill("Half a reply")
    await alice.page.locator(".reply__cancel").click()
    assert await alice.page.locator(".reply").count() == 0
    await alice.reload()
    await alice.page.locator(".unsaved__continue").click()
    assert await alice.page.locator(".reply textarea").input_value() == "Half a reply"


@pytest.mark.parametrize("kind", ["reply", "edit"])
async def test_alice_sees_her_draft_though_its_comment_was_deleted(
    kind: str, alice: Person, page_errors: PageErrors
) -> None:
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
    assert await alice.page.locator(".kept").count() == 0, "the draft belongs to another page"
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


async def test_alice_finds_the_text_of_her_report_when_she_opens_the_dialog_again(
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


async def test_a_guest_who_likes_sees_why_to_sign_in_and_then_likes(
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
async def test_alice_copies_the_link_to_a_comment(is_allowed: bool, open_browser: OpenBrowser, site: Site) -> None:
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
        await alice.until(
            "document.querySelector('.announcer').textContent.includes('Link copied')", "the announcement"
        )
        assert await alice.page.evaluate("navigator.clipboard.readText()") == address
    else:
        assert await alice.page.locator(".menu__address").input_value() == address


async def test_alice_completes_names_after_an_at_sign(alice: Person, site: Site) -> None:
    async with person(site, "Zoë Newcomer", email="zoe@example.com") as zoe, person(site, "Zora"):
        await write(zoe, "Here I am")
        await alice.sees("Here I am")
        await alice.composer.press_sequentially("Well, @zo")
        options = alice.page.locator(".composer [role=option]")
        await wait_until(lambda: _has_texts(options, ["@Zoë Newcomer", "@Zora"]), "both names, people here first")
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


async def _has_texts(options: Locator, texts: list[str]) -> bool:
    return await options.all_inner_texts() == texts
