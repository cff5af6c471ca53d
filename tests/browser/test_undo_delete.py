"""A delete that is thought better of: out of sight at once, and for some seconds to be had back as if nothing was."""

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

LONG, SHORT = {"undo_seconds": 60}, {"undo_seconds": 1}  # for who undoes, and for who waits
GLIDES = "() => document.querySelector('.comment__deleted').getAnimations().length > 0"
UNDO = ".thread__list > .undoing .comment__undo"


async def bodies(client: httpx.AsyncClient) -> list[str]:
    return [comment["body"] for comment in (await snapshot(client))["comments"]]


async def begin(alice: Person, *said: str) -> None:
    for body in said:
        await write(alice.client, body)
    await alice.sees(*said)


@pytest.mark.parametrize("settings", [LONG], indirect=True)
async def test_it_is_back_where_it_was_and_nobody_knows(alice: Person, bob: Person) -> None:
    await begin(alice, "One", "Two", "Three")
    await alice.delete("Two")
    await alice.sees("One", "Three")
    await alice.focus_is_on(".comment__undo")
    assert not await alice.page.evaluate(GLIDES), "it is just there"
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


@pytest.mark.parametrize("settings", [SHORT], indirect=True)
async def test_when_the_time_has_passed_it_is_gone_for_everyone(alice: Person, bob: Person) -> None:
    await begin(alice, "One", "Two")
    await alice.delete("One")
    await alice.sees("Two")
    await bob.sees("Two")
    await alice.until("!document.querySelector('.undoing')", "the line to go")
    await alice.focus_is_on(".thread__heading")
    await alice.matches_server()
    assert await bodies(bob.client) == ["Two"]


@pytest.mark.parametrize("settings", [LONG], indirect=True)
async def test_each_has_its_own_time(alice: Person, bob: Person) -> None:
    await begin(alice, "One", "Two")
    await alice.delete("One")
    await alice.delete("Two")
    await alice.sees()
    await alice.page.locator(UNDO).first.click()
    await alice.sees("One")
    await alice.page.locator(UNDO).first.click()
    await alice.sees("One", "Two")
    assert await bodies(bob.client) == ["One", "Two"]


@pytest.mark.parametrize("settings", [LONG], indirect=True)
@pytest.mark.parametrize("how", ["another page", "closed"])
async def test_at_once_when_the_page_goes(alice: Person, bob: Person, how: str) -> None:
    """No other tab is there to ask for it."""
    await begin(alice, "One", "Two")
    await alice.delete("One")
    await alice.sees("Two")
    if how == "closed":
        await alice.page.close(run_before_unload=True)
    else:
        await alice.go("/account")
    await bob.sees("Two")
    assert await bodies(bob.client) == ["Two"]


@pytest.mark.parametrize("settings", [LONG], indirect=True)
async def test_what_a_page_that_went_wanted_is_kept(alice: Person, page_errors: PageErrors) -> None:
    """Also where the last request is lost."""
    page_errors.allow(NETWORK)
    await begin(alice, "One", "Two")
    await alice.context.set_offline(True)
    await alice.delete("One")
    await alice.page.evaluate("window.dispatchEvent(new PageTransitionEvent('pagehide'))")
    await alice.context.set_offline(False)
    await alice.go("/Article/1")
    await alice.sees("Two")
    await wait_until(lambda: _is(alice, ["Two"]), "the server to know")


async def _is(alice: Person, wanted: list[str]) -> bool:
    return await bodies(alice.client) == wanted


@pytest.mark.parametrize("settings", [LONG], indirect=True)
async def test_who_signs_out_meanwhile_has_meant_it(alice: Person) -> None:
    """It waits in their outbox until they are back."""
    await begin(alice, "One", "Two")
    await alice.delete("One")
    await alice.page.locator(".account__sign-out").click()
    await alice.is_guest()
    await alice.until("!document.querySelector('.undoing')", "the line to go")
    await alice.page.evaluate("parley.account.signIn({email: 'alice@example.com', password: 'talk among friends'})")
    await alice.is_signed_in("Alice")
    await alice.sees("Two")
    await wait_until(lambda: _is(alice, ["Two"]), "the server to know")


@pytest.mark.parametrize("settings", [LONG], indirect=True)
async def test_what_is_deleted_elsewhere_meanwhile_cannot_be_had_back(alice: Person) -> None:
    comment = await write(alice.client, "One")
    await alice.sees("One")
    await alice.delete("One")
    await alice.sees()
    await delete(alice.client, comment)
    await alice.until("!document.querySelector('.undoing')", "the line to go")
    await alice.focus_is_on(".thread__heading")
    await alice.matches_server()


async def test_edited_says_when(alice: Person) -> None:
    await begin(alice, "One")
    await alice.edit("One", "Two")
    await alice.is_settled()
    edited = alice.comment("Two").locator(".comment__edited")
    (comment,) = (await snapshot(alice.client))["comments"]
    assert await edited.locator("relative-time").get_attribute("datetime") == comment["updated_at"]
    await alice.until("document.querySelector('.comment__edited').textContent.includes('edited')", "the mark")
    await alice.reload()
    at = await edited.locator("relative-time").get_attribute("datetime")
    assert at == comment["updated_at"]
