"""Undo of a delete: the comment disappears at once, and its author can bring it back for some seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.page_errors import NETWORK, PageErrors
from tests.browser.people import Person
from tests.support.people import delete, snapshot, write
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import httpx

pytestmark = pytest.mark.motion

LONG_UNDO, SHORT_UNDO = {"undo_seconds": 60}, {"undo_seconds": 1}  # for tests that undo, and for tests that wait
IS_ANIMATED = "() => document.querySelector('.comment__deleted').getAnimations().length > 0"
UNDO = ".thread__list > .undoing .comment__undo"


async def fetch_bodies(client: httpx.AsyncClient) -> list[str]:
    return [comment["body"] for comment in (await snapshot(client))["comments"]]


async def write_comments(alice: Person, *texts: str) -> None:
    for body in texts:
        await write(alice.client, body)
    await alice.sees(*texts)


@pytest.mark.parametrize("settings", [LONG_UNDO], indirect=True)
async def test_alice_undoes_a_delete_and_bob_sees_no_change(alice: Person, bob: Person) -> None:
    await write_comments(alice, "One", "Two", "Three")
    await alice.delete("Two")
    await alice.sees("One", "Three")
    await alice.focus_is_on(".comment__undo")
    assert not await alice.page.evaluate(IS_ANIMATED), "it appears without an animation"
    assert (await alice.page.locator(".undoing").inner_text()).strip() == "Deleted. Undo"
    assert await alice.page.locator(".thread__count").get_attribute("data-count") == "2"
    await write(bob.client, "Four")
    await alice.sees("One", "Three", "Four")
    await alice.page.keyboard.press("Enter")
    await alice.sees("One", "Two", "Three", "Four")
    await alice.focus_is_on(".comment__delete")
    await alice.matches_server()
    await bob.sees("One", "Two", "Three", "Four")
    assert not [request for request in alice.requests if request.startswith("DELETE")]


@pytest.mark.parametrize("settings", [SHORT_UNDO], indirect=True)
async def test_alices_comment_is_deleted_for_everybody_after_the_undo_time(alice: Person, bob: Person) -> None:
    await write_comments(alice, "One", "Two")
    await alice.delete("One")
    await alice.sees("Two")
    await bob.sees("Two")
    await alice.until("!document.querySelector('.undoing')", "the undo line to disappear")
    await alice.focus_is_on(".thread__heading")
    await alice.matches_server()
    assert await fetch_bodies(bob.client) == ["Two"]


@pytest.mark.parametrize("settings", [LONG_UNDO], indirect=True)
async def test_alice_undoes_two_deletes_separately(alice: Person, bob: Person) -> None:
    await write_comments(alice, "One", "Two")
    await alice.delete("One")
    await alice.delete("Two")
    await alice.sees()
    await alice.page.locator(UNDO).first.click()
    await alice.sees("One")
    await alice.page.locator(UNDO).first.click()
    await alice.sees("One", "Two")
    assert await fetch_bodies(bob.client) == ["One", "Two"]


@pytest.mark.parametrize("settings", [LONG_UNDO], indirect=True)
@pytest.mark.parametrize("how", ["another page", "closed"])
async def test_alices_delete_is_sent_at_once_when_she_leaves_the_page(alice: Person, bob: Person, how: str) -> None:
    """Alice has no other tab that could send the request."""
    await write_comments(alice, "One", "Two")
    await alice.delete("One")
    await alice.sees("Two")
    if how == "closed":
        await alice.page.close(run_before_unload=True)
    else:
        await alice.go("/account")
    await bob.sees("Two")
    assert await fetch_bodies(bob.client) == ["Two"]


@pytest.mark.parametrize("settings", [LONG_UNDO], indirect=True)
async def test_alices_delete_is_sent_later_if_the_last_request_is_lost(alice: Person, page_errors: PageErrors) -> None:
    """The last request of the page is lost, so the next page sends the delete."""
    page_errors.allow(NETWORK)
    await write_comments(alice, "One", "Two")
    await alice.context.set_offline(True)
    await alice.delete("One")
    await alice.page.evaluate("window.dispatchEvent(new PageTransitionEvent('pagehide'))")
    await alice.context.set_offline(False)
    await alice.go("/Article/1")
    await alice.sees("Two")
    await wait_until(lambda: _has_bodies(alice, ["Two"]), "the delete on the server")


async def _has_bodies(alice: Person, expected: list[str]) -> bool:
    return await fetch_bodies(alice.client) == expected


@pytest.mark.parametrize("settings", [LONG_UNDO], indirect=True)
async def test_alices_delete_is_sent_after_she_signed_out_and_in(alice: Person) -> None:
    """The delete waits in her outbox until she signs in again."""
    await write_comments(alice, "One", "Two")
    await alice.delete("One")
    await alice.page.locator(".account__sign-out").click()
    await alice.is_guest()
    await alice.until("!document.querySelector('.undoing')", "the undo line to disappear")
    await alice.page.evaluate("parley.account.signIn({email: 'alice@example.com', password: 'talk among friends'})")
    await alice.is_signed_in("Alice")
    await alice.sees("Two")
    await wait_until(lambda: _has_bodies(alice, ["Two"]), "the delete on the server")


@pytest.mark.parametrize("settings", [LONG_UNDO], indirect=True)
async def test_alice_cannot_undo_a_delete_that_another_device_has_made(alice: Person) -> None:
    comment = await write(alice.client, "One")
    await alice.sees("One")
    await alice.delete("One")
    await alice.sees()
    await delete(alice.client, comment)
    await alice.until("!document.querySelector('.undoing')", "the undo line to disappear")
    await alice.focus_is_on(".thread__heading")
    await alice.matches_server()


async def test_alice_sees_when_her_comment_was_edited(alice: Person) -> None:
    await write_comments(alice, "One")
    await alice.edit("One", "Two")
    await alice.is_settled()
    edited = alice.comment("Two").locator(".comment__edited")
    (comment,) = (await snapshot(alice.client))["comments"]
    assert await edited.locator("relative-time").get_attribute("datetime") == comment["updated_at"]
    await alice.until("document.querySelector('.comment__edited').textContent.includes('edited')", "the mark")
    await alice.reload()
    at = await edited.locator("relative-time").get_attribute("datetime")
    assert at == comment["updated_at"]
