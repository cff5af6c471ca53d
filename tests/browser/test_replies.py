"""Replies: shown live below their parent, also below a deleted one, and written at the place where they will be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.layout_shifts import assert_no_jumps, watch_layout
from tests.browser.people import Person
from tests.browser.readability import PHONE, assert_fits_phone, assert_readable
from tests.browser.test_new_comments_pill import sees_pill
from tests.support.people import delete, edit, write
from tests.support.people_without_http import hide_comment

if TYPE_CHECKING:
    import httpx

    from app.live.service import Parley
    from tests.browser.conftest import AddComments, OpenBrowser

# The list with the depth of each comment.
DRAWN = """() => Array.from(document.querySelectorAll(".thread__list > *"), (el) =>
  "> ".repeat(el.dataset.depth) + (el.querySelector(".comment__body")?.textContent ?? "(gone)"))"""
TOP = "(element) => Math.round(element.getBoundingClientRect().top)"


async def sees_tree(person: Person, *lines: str) -> None:
    """Wait until the list has these comments with these depths."""
    await person._comes_to(DRAWN, list(lines))


async def reply(person: Person, to: str, body: str) -> None:
    await person.comment(to).locator(".comment__reply").click()
    await person.page.locator(".reply textarea").fill(body)
    await person.page.locator(".reply textarea").press("Control+Enter")


async def test_alice_and_bob_see_replies_below_their_parents(
    alice: Person, bob: Person, open_browser: OpenBrowser
) -> None:
    await alice.write("One")
    await bob.sees("One")
    await alice.write("Two")
    await reply(bob, "One", "On one")
    await alice.sees("One", "On one", "Two")
    await reply(alice, "On one", "On that")
    await reply(bob, "One", "On one, too")
    for person in (alice, bob):
        await sees_tree(person, "One", "> On one", "> > On that", "> On one, too", "Two")
    assert await bob.page.locator(".reply").count() == 0
    await bob.focus_is_on(".comment[data-depth='1']")
    await sees_tree(await open_browser(), "One", "> On one", "> > On that", "> On one, too", "Two")


async def test_alice_sees_whom_a_reply_below_four_levels_answers(
    alice: Person, carol_client: httpx.AsyncClient
) -> None:
    parent = None
    for depth in range(6):
        parent = (await write(carol_client, f"Depth {depth}", parent_id=parent))["id"]
    await sees_tree(alice, *("> " * min(depth, 4) + f"Depth {depth}" for depth in range(6)))
    note = await alice.comment("Depth 5").locator(".comment__answers").inner_text()
    assert "↪" in note
    assert "Carol" in note
    assert await alice.comment("Depth 4").locator(".comment__answers").get_attribute("href") is None
    await alice.reload()
    assert "Carol" in await alice.comment("Depth 5").locator(".comment__answers").inner_text()


async def test_alice_and_a_guest_see_a_deleted_comment_while_it_has_replies(
    alice: Person, carol_client: httpx.AsyncClient, guest: Person
) -> None:
    one = await write(carol_client, "One")
    first_reply = await write(carol_client, "On one", parent_id=one["id"])
    deeper = await write(carol_client, "On that", parent_id=first_reply["id"])
    await write(carol_client, "Two")
    await sees_tree(alice, "One", "> On one", "> > On that", "Two")
    await delete(carol_client, first_reply)
    await delete(carol_client, one)
    for person in (alice, guest):
        await sees_tree(person, "(gone)", "> (gone)", "> > On that", "Two")
    await guest.reload()
    await sees_tree(guest, "(gone)", "> (gone)", "> > On that", "Two")
    await delete(carol_client, deeper)
    for person in (alice, guest):
        await sees_tree(person, "Two")
        await person.matches_server()


async def test_alice_sees_a_hidden_comment_as_deleted_until_it_is_restored(
    alice: Person, carol_client: httpx.AsyncClient, served: Parley
) -> None:
    one = await write(carol_client, "One")
    await write(carol_client, "On one", parent_id=one["id"])
    await sees_tree(alice, "One", "> On one")
    await hide_comment(served, one["id"])
    await sees_tree(alice, "(gone)", "> On one")
    await hide_comment(served, one["id"], hidden=False)
    await sees_tree(alice, "One", "> On one")
    await alice.matches_server()


async def test_alice_sees_an_old_comment_with_a_new_reply(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, add_comments: AddComments, served: Parley
) -> None:
    old = await write(carol_client, "Long ago")
    gone = await write(carol_client, "Gone", parent_id=old["id"])
    kept_reply = await write(carol_client, "On what is gone", parent_id=gone["id"])
    await delete(carol_client, gone)
    await add_comments(55)
    alice = await open_browser("Alice")
    newest = [f"Comment {number}" for number in range(5, 55)]
    await sees_tree(alice, *newest)
    await write(carol_client, "Only now", parent_id=kept_reply["id"])
    await sees_tree(alice, "Long ago", "> (gone)", "> > On what is gone", "> > > Only now", *newest)
    await edit(carol_client, old, "Long ago, changed")
    await sees_tree(alice, "Long ago, changed", "> (gone)", "> > On what is gone", "> > > Only now", *newest)
    await alice.page.locator(".thread__earlier").click()
    earlier = [f"Comment {number}" for number in range(5)]
    await sees_tree(alice, "Long ago, changed", "> (gone)", "> > On what is gone", "> > > Only now", *earlier, *newest)
    assert sorted(await alice.bodies()) == sorted(comment["body"] for comment in await alice.snapshot())


@pytest.mark.motion
async def test_alice_sees_no_jump_when_replies_arrive_in_the_middle(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, add_comments: AddComments
) -> None:
    comments = await add_comments(30)
    alice = await open_browser("Alice")
    comment = alice.comment("Comment 20")
    await comment.evaluate("(element) => element.scrollIntoView({ block: 'start', behavior: 'instant' })")
    await watch_layout(alice)
    before = await comment.evaluate(TOP)
    await write(carol_client, "Above what she reads", parent_id=comments[3]["id"])
    await sees_pill(alice, "1 new comment")
    await write(carol_client, "In what she reads", parent_id=comments[20]["id"])
    await alice.until("parley.comments.length === 32", "both replies")
    assert abs(await comment.evaluate(TOP) - before) <= 1
    await assert_no_jumps(alice)
    await alice.page.locator(".pill").click()
    await alice.focus_is_on(".comment[data-depth='1']")
    await alice.until("!document.querySelector('.pill').checkVisibility()", "no pill")


async def test_alice_finds_her_reply_after_a_reload_and_posts_it_once(
    alice: Person, carol_client: httpx.AsyncClient
) -> None:
    await write(carol_client, "One")
    await alice.sees("One")
    await alice.comment("One").locator(".comment__reply").click()
    await alice.focus_is_on(".reply textarea")
    await alice.page.keyboard.type("Half a thou")
    await alice.reload()
    field = alice.page.locator(".reply textarea")
    assert await field.input_value() == "Half a thou"
    await field.press("End")
    await field.type("ght")
    await field.press("Control+Enter")
    await sees_tree(alice, "One", "> Half a thought")
    await alice.is_settled()
    await alice.matches_server()
    await alice.reload()
    assert await alice.page.locator(".reply").count() == 0


async def test_a_guest_replies_after_signing_up(guest: Person, carol_client: httpx.AsyncClient) -> None:
    await write(carol_client, "One")
    await guest.sees("One")
    await guest.comment("One").locator(".comment__reply").click()
    await guest.page.locator(".reply textarea").fill("May I?")
    await guest.page.locator(".reply .composer__post").click()
    await guest.page.locator(".entry [data-to=signup]:visible").click()
    await guest.sign_up("Dave")
    await sees_tree(guest, "One", "> May I?")
    await guest.matches_server()


async def test_alice_keeps_her_reply_when_the_parent_is_deleted(alice: Person, carol_client: httpx.AsyncClient) -> None:
    one = await write(carol_client, "One")
    await alice.sees("One")
    await alice.comment("One").locator(".comment__reply").click()
    await alice.page.locator(".reply textarea").fill("A long and careful answer")
    await delete(carol_client, one)
    await alice.until("document.querySelector('.reply .composer__hint').textContent.includes('deleted')", "the reason")
    assert await alice.page.locator(".reply textarea").input_value() == "A long and careful answer"
    assert not await alice.page.locator(".reply .composer__post").is_visible()
    assert await alice.bodies() == ["This comment was deleted."]
    await alice.page.locator(".reply__cancel").click()
    await sees_tree(alice)


async def test_alice_can_sort_the_newest_comments_first(alice: Person, carol_client: httpx.AsyncClient) -> None:
    one = await write(carol_client, "One")
    await write(carol_client, "Two")
    for number in (1, 2):
        await write(carol_client, f"On one, {number}", parent_id=one["id"])
    await sees_tree(alice, "One", "> On one, 1", "> On one, 2", "Two")
    order = alice.page.locator(".thread__order")
    await order.click()
    await sees_tree(alice, "Two", "One", "> On one, 1", "> On one, 2")
    assert await order.inner_text() == "Newest first"
    await alice.write("Three")
    await sees_tree(alice, "Three", "Two", "One", "> On one, 1", "> On one, 2")
    await alice.reload()
    await sees_tree(alice, "Three", "Two", "One", "> On one, 1", "> On one, 2")
    assert await alice.composer.evaluate(TOP) < await alice.comment("Three").evaluate(TOP)
    await alice.page.locator(".thread__order").click()
    await sees_tree(alice, "One", "> On one, 1", "> On one, 2", "Two", "Three")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_alice_can_read_a_deep_thread_on_a_small_phone(
    scheme: str, open_browser: OpenBrowser, carol_client: httpx.AsyncClient
) -> None:
    alice = await open_browser("Alice", viewport=PHONE, color_scheme=scheme)
    one = parent = await write(carol_client, "W" * 100)
    code, link = f"`{'code ' * 40}`\n\n```\n{'a(b) ' * 60}\n```", f"> https://example.com/{'path/' * 40}"
    for _ in range(6):
        text = f"**{'W' * 80}** {code}\n\n{link}"
        parent = await write(carol_client, text, parent_id=parent["id"])
    await delete(carol_client, one)
    await alice.until("parley.comments.length === 6 && document.querySelector('.comment-gone')", "all comments")
    await alice.page.locator(".comment__reply").last.click()
    await assert_fits_phone(alice)
    await assert_readable(alice)
