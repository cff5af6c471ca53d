"""The auth dialog: signing up, in and out without leaving the page, in all tabs of a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from app.accounts.user import User
from app.live.topics import Topic
from tests.browser.page_errors import NETWORK, PageErrors
from tests.browser.people import Person
from tests.support.people import PASSWORD, email_of, sign_up, write

if TYPE_CHECKING:
    import httpx

    from app.live.service import Parley
    from tests.support.serving import Site


async def test_a_guests_comment_is_posted_after_signing_in(guest: Person, bob: Person, site: Site) -> None:
    async with site.client() as client:
        await sign_up(client, "Alice")
    await guest.write("I shall say who I am")
    await guest.sign_in("Alice")
    await bob.sees("I shall say who I am")
    await guest.sees("I shall say who I am")
    await guest.matches_server()
    assert await guest.composer.input_value() == ""
    assert await guest.comment("I shall say who I am").locator(".comment__edit").is_visible()


async def test_a_guests_comment_is_posted_after_signing_up(guest: Person) -> None:
    await guest.write("Here for the first time")
    await guest.page.locator(".entry__to-signup").click()
    await guest.sign_up("Dora")
    await guest.sees("Here for the first time")
    await guest.matches_server()


async def test_a_guest_who_closes_the_dialog_keeps_the_text(guest: Person) -> None:
    await guest.write("Perhaps later")
    await guest.page.locator("dialog.entry").wait_for()
    await guest.page.keyboard.press("Escape")
    assert not await guest.page.locator("dialog.entry").is_visible()
    assert await guest.composer.input_value() == "Perhaps later"
    assert not [request for request in guest.requests if request.startswith("POST")]


async def test_a_guest_sees_each_error_beside_its_field(
    guest: Person, carol_client: httpx.AsyncClient, page_errors: PageErrors
) -> None:
    page_errors.allow(NETWORK)
    entry = guest.page.locator(".entry")
    await guest.page.locator(".account__sign-up").click()
    await guest.fill(".entry", username="x", email="nobody", password="short")
    for field in ("username", "email", "password"):
        await entry.locator(f".field__error[data-field={field}]").wait_for()
        assert await entry.locator(f"input[name={field}]").get_attribute("aria-invalid") == "true"
    await guest.fill(".entry", username="carol", email="another@example.com", password=PASSWORD)
    await guest.until(
        "!document.querySelector('.field__error[data-field=email]:not([hidden])')", "no error in the address"
    )
    await entry.locator(".field__error[data-field=username]").wait_for()

    await entry.locator(".entry__to-signin").click()
    await guest.fill(".entry", email=email_of("Carol"), password="no idea at all")
    await entry.locator(".entry__problem").wait_for()
    assert await entry.locator(".entry__problem").inner_text() == "Wrong email or password."
    await guest.sign_in("Carol")
    assert not await entry.is_visible()


async def test_alice_signs_out_in_one_tab_and_the_other_shows_it(alice: Person) -> None:
    await alice.write("Mine")
    await alice.is_settled()
    other = await alice.open_another_tab()
    await other.sees("Mine")
    await other.is_signed_in()
    await alice.page.locator(".account__sign-out").click()
    await alice.is_guest()
    await other.is_guest()
    for tab in (alice, other):
        await tab.until(
            "document.querySelector('.announcer').textContent === 'You are signed out.'", "the announcement"
        )
        assert await tab.page.locator(".account__sign-in").is_visible()
        await tab.matches_server()  # as a guest she may edit nothing
        await tab.sees_connection_status("live")


async def test_alice_becomes_a_guest_when_her_login_ends_elsewhere(
    alice: Person, carol_client: httpx.AsyncClient
) -> None:
    assert (await alice.client.delete("/api/session")).status_code == 204
    await alice.is_guest()
    await write(carol_client, "You can still read this")
    await alice.sees("You can still read this")
    assert [comment["state"] for comment in await alice.shown()] == ["settled"]


async def test_alice_writes_after_her_login_ended_and_the_comment_is_sent_later(
    alice: Person, page_errors: PageErrors
) -> None:
    page_errors.allow(NETWORK)
    await alice.page.evaluate("parley.connector.close()")  # so no message reaches the page
    await alice.client.delete("/api/session")
    await alice.write("In vain")
    await alice.is_guest()
    await alice.sees_note("In vain", "Will be sent when you sign in again.")
    await alice.sees("In vain")
    await alice.open_sign_in()
    await alice.sign_in("Alice")
    await alice.matches_server()
    assert await alice.bodies() == ["In vain"]


async def test_alice_can_edit_her_comment_after_signing_in(guest: Person, site: Site) -> None:
    async with site.client() as client:
        await sign_up(client, "Alice")
        await write(client, "From the train")
    await guest.sees("From the train")
    assert not await guest.comment("From the train").locator(".comment__edit").is_visible()
    await guest.open_sign_in()
    await guest.sign_in("Alice")
    await guest.comment("From the train").locator(".comment__edit").wait_for()
    await guest.matches_server()


async def test_alice_sees_her_new_name_at_once(alice: Person, served: Parley) -> None:
    account = (await alice.client.get("/api/session")).json()["user"]
    async with served.writing(Topic("User", account["id"])) as writing:
        row = await writing.get(User, UUID(account["id"]))
        assert row
        row.username = "Alicia"
        writing.update(row)
    await alice.until("document.querySelector('.account__name').textContent === 'Alicia'", "the name")
