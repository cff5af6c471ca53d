"""Moderation in the browser: reports, the live queue, and the visibility of hidden comments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import pytest

from app.accounts.user import Role
from app.live.viewers import Viewer
from tests.browser.conftest import OpenBrowser
from tests.browser.page_errors import PageErrors
from tests.browser.people import Person
from tests.browser.readability import PHONE, assert_fits_phone, assert_readable
from tests.support.moderators import set_role
from tests.support.people import PASSWORD, email_of, me, sign_up, write

if TYPE_CHECKING:
    from app.live.service import Parley
    from tests.support.serving import Site

SWEEP_SECONDS = 300  # longer than a test, so changes arrive by hint
ARTICLE = {"commentable_type": "Article", "commentable_id": "1"}
MENU = ".menu__item[data-act={}]"


@pytest.fixture
async def alice(open_browser: OpenBrowser) -> Person:
    alice = await open_browser("Alice")
    await write(alice.client, "Buy almonds")
    return alice


@pytest.fixture
async def carol(open_browser: OpenBrowser, served: Parley) -> Person:
    """Carol, a moderator."""
    return await open_moderator_browser(open_browser, served, "Carol")


async def open_moderator_browser(
    open_browser: OpenBrowser, served: Parley, name: str, role: Role = Role.MODERATOR, **options: Any
) -> Person:
    person = await open_browser(name, **options)
    await give_role(served, person, role)
    await person.until("!document.querySelector('.badge').hidden", "the badge")
    return person


async def give_role(served: Parley, person: Person, role: Role) -> None:
    user = await me(person.client)
    assert user
    await set_role(served, Viewer(UUID(user["id"])), role)


async def choose_in_menu(person: Person, body: str, act: str) -> None:
    """Choose this action in the menu of the comment."""
    await person.comment(body).locator(".comment__more").click()
    await person.page.locator(MENU.format(act)).click()


async def test_an_owner_erases_a_comment_and_readers_see_that_a_moderator_removed_it(
    alice: Person, guest: Person, open_browser: OpenBrowser, served: Parley
) -> None:
    one = next(iter((await alice.client.get("/api/comments/", params=ARTICLE)).json()["comments"]))
    await write(alice.client, "And walnuts", parent_id=one["id"])
    olga = await open_moderator_browser(open_browser, served, "Olga", Role.OWNER)
    await olga.sees("Buy almonds", "And walnuts")
    await choose_in_menu(olga, "Buy almonds", "erase")
    await olga.page.locator(".decide [name=reason]").fill("A court order")
    await olga.page.locator(".decide__submit").click()
    for person in (alice, guest, olga):
        await person.until(
            "document.querySelector('.comment-gone')?.textContent === 'This comment was removed by a moderator.'",
            "the note in place of the comment",
        )
    await guest.reload()
    assert await guest.page.locator(".comment-gone").inner_text() == "This comment was removed by a moderator."


@pytest.mark.parametrize("settings", [{"sweep_seconds": SWEEP_SECONDS}], indirect=True)
async def test_a_moderator_hides_a_comment_and_only_its_author_and_moderators_see_it(
    alice: Person, bob: Person, guest: Person, carol: Person
) -> None:
    for person in (alice, bob, guest, carol):
        await person.sees("Buy almonds")
    await choose_in_menu(carol, "Buy almonds", "hide")
    await carol.page.locator(".decide__submit").click()
    for person in (bob, guest):
        await person.sees()
    for person in (alice, carol):
        await person.sees("Buy almonds")
        await person.until(
            "document.querySelector('.comment__hidden').checkVisibility()", "the mark of a hidden comment"
        )
    await guest.reload()
    await guest.sees()
    await choose_in_menu(carol, "Buy almonds", "restore")
    await carol.page.locator(".decide__submit").click()
    for person in (alice, bob, guest, carol):
        await person.sees("Buy almonds")
        await person.until(
            "!document.querySelector('.comment__hidden').checkVisibility()", "no mark of a hidden comment"
        )


async def test_two_moderators_see_the_queue_change_live(
    open_browser: OpenBrowser, served: Parley, alice: Person, bob: Person, carol: Person
) -> None:
    olga = await open_moderator_browser(open_browser, served, "Olga", Role.OWNER)
    await carol.go("/moderation")
    moderation_pages = [carol, await olga.open_another_tab("/moderation")]
    await choose_in_menu(bob, "Buy almonds", "report")
    await bob.page.locator("dialog.report select").select_option("spam")
    await bob.page.locator("dialog.report textarea").fill("Nobody asked")
    await bob.page.locator("dialog.report [type=submit]").click()
    await bob.until("document.querySelector('dialog.report').dataset.state === 'thanks'", "thanks")
    for tab in moderation_pages:
        await tab.until("document.querySelector('.case__text')?.textContent === 'Buy almonds'", "the case")
        text = await tab.page.locator(".case").inner_text()
        assert "1 report: spam" in text
        assert "Bob: “Nobody asked”" in text
    await olga.until("document.querySelector('.badge').dataset.count === '1'", "the badge in another tab")

    await alice.edit("Buy almonds", "Buy walnuts")
    for tab in moderation_pages:
        await tab.until("document.querySelector('.case__text').textContent === 'Buy walnuts'", "the edited text")
    await carol.page.locator(".case__hide").click()
    await carol.focus_is_on(".decide [name=reason]")
    assert await carol.page.locator(".decide [name=reason]").input_value() == "spam"
    await carol.page.locator(".decide__submit").click()
    for tab in moderation_pages:
        await tab.until("!document.querySelector('.case')", "an empty queue")
        await tab.until("document.querySelector('.decision')?.dataset.act === 'hide'", "the decision")
        assert "Carol hid a comment by Alice" in await tab.page.locator(".decision").inner_text()
    await olga.until("document.querySelector('.badge').dataset.count === '0'", "the badge in another tab")
    await bob.page.locator(".report__done").click()
    await bob.sees()


async def test_bob_reports_and_carol_moderates_with_the_keyboard_alone(
    alice: Person, bob: Person, carol: Person
) -> None:
    await bob.press(".comment__more")
    await bob.focus_is_on(MENU.format("report"))
    await bob.page.keyboard.press("Escape")
    await bob.focus_is_on(".comment__more")
    await bob.page.keyboard.press("ArrowDown")
    await bob.page.keyboard.press("Enter")
    await bob.focus_is_on("dialog.report select")
    await bob.press("dialog.report [type=submit]")
    await bob.sees_field_error(".report", "reason", "Required")
    await bob.page.keyboard.type("Insults")
    await bob.page.keyboard.press("Tab")
    await bob.page.keyboard.type("At walnuts")
    await bob.press("dialog.report [type=submit]")
    await bob.focus_is_on(".report__done")
    await bob.page.keyboard.press("Enter")
    await bob.focus_is_on(".comment__more")

    await carol.press(".badge", "Shift+Tab")
    await carol.until("document.querySelector('.case')", "the case")
    await carol.is_ready()
    await carol.press(".case__dismiss")
    await carol.until("!document.querySelector('.case')", "an empty queue")
    await carol.focus_is_on(".desk__heading")
    await carol.go("/Article/1")
    await carol.press(".comment__more")
    for act in ("report", "mute", "hide", "block", "link", "report", "mute"):
        await carol.focus_is_on(MENU.format(act))
        await carol.page.keyboard.press("ArrowDown")
    await carol.page.keyboard.press("Enter")
    await carol.focus_is_on(".decide [name=reason]")
    await carol.page.keyboard.type("Enough")
    await carol.page.keyboard.press("Enter")
    await bob.sees()


async def test_a_guest_signs_in_and_then_reports(alice: Person, guest: Person, site: Site) -> None:
    async with site.client() as client:
        await sign_up(client, "Dave")
    await guest.sees("Buy almonds")
    await choose_in_menu(guest, "Buy almonds", "report")
    await guest.page.locator("dialog.entry[open]").wait_for()
    assert await guest.page.locator(".entry__title").inner_text() == "Sign in to report this comment"
    await guest.sign_in("Dave")
    await guest.page.locator("dialog.report[open]").wait_for()


async def test_alice_finds_only_the_link_in_the_menu_of_her_own_comment(alice: Person) -> None:
    await alice.sees("Buy almonds")
    await alice.page.locator(".comment__more").click()
    await alice.page.locator(".menu").wait_for()
    items = await alice.page.locator(".menu__item").all()
    assert [await item.inner_text() for item in items if await item.is_visible()] == ["Copy link"]


async def test_alice_is_notified_that_she_is_blocked_and_can_still_read(
    alice: Person, carol: Person, page_errors: PageErrors
) -> None:
    page_errors.allow("403")
    await choose_in_menu(carol, "Buy almonds", "block")
    await carol.page.locator(".decide [name=reason]").fill("Almonds again")
    await carol.page.locator(".decide__submit").click()
    await alice.is_guest()
    await alice.sees_notice("You were signed out because a moderator blocked this account.")
    await alice.sees("Buy almonds")
    await alice.open_sign_in()
    await alice.fill(".entry", email=email_of("Alice"), password=PASSWORD)
    await alice.until(
        "document.querySelector('.entry__problem').textContent === 'This account is blocked.'", "the reason"
    )

    await carol.go("/moderation")
    await carol.page.locator(".decision__unblock").click()
    await carol.page.locator(".decide__submit").click()
    await carol.until("document.querySelector('.decision').dataset.act === 'unblock'", "the decision")
    assert await carol.page.locator(".decision__unblock:visible").count() == 0
    await alice.page.locator(".entry__submit").click()
    await alice.is_signed_in()


async def test_a_moderator_sees_why_an_owner_cannot_be_blocked(
    open_browser: OpenBrowser, served: Parley, carol: Person, page_errors: PageErrors
) -> None:
    page_errors.allow("403")
    olga = await open_moderator_browser(open_browser, served, "Olga", Role.OWNER)
    await write(olga.client, "Mine")
    await carol.sees("Mine")
    await choose_in_menu(carol, "Mine", "block")
    await carol.page.locator(".decide__submit").click()
    text = carol.page.locator(".decide .form__problem")
    await text.wait_for()
    assert await text.inner_text() == "Owners can't be blocked."


async def test_a_moderator_closes_comments_and_opens_them_again(alice: Person, carol: Person) -> None:
    await carol.page.locator(".thread__lock").click()
    await carol.page.locator(".decide__submit").click()
    await alice.until(
        "document.querySelector('.thread__locked').checkVisibility()", "the notice that comments are closed"
    )
    assert not await alice.composer.is_visible()
    await carol.write("That is that.")
    await alice.sees("Buy almonds", "That is that.")
    await carol.until("document.querySelector('.thread__lock').textContent === 'Unlock'", "the button to open comments")
    await carol.page.locator(".thread__lock").click()
    await carol.page.locator(".decide__submit").click()
    await alice.until("document.querySelector('.composer').checkVisibility()", "the composer")
    await alice.write("And almonds?")
    await carol.sees("Buy almonds", "That is that.", "And almonds?")


async def test_olga_chooses_mail_by_keyboard_and_only_moderators_see_the_choices(
    open_browser: OpenBrowser, served: Parley
) -> None:
    olga = await open_browser("Olga", at="/account")
    assert await olga.page.locator(".moderator-mail").is_hidden()
    await give_role(served, olga, Role.OWNER)
    await olga.page.locator(".moderator-mail").wait_for()
    await olga.tab_to(".moderator-mail [name=mail_on_report]")
    await olga.page.keyboard.press("ArrowDown")
    await olga.focus_is_on(".moderator-mail [name=mail_on_report][value=daily]")
    await olga.press(".moderator-mail [type=submit]")
    await olga.sees_text(".moderator-mail__done", "Your choice has been saved.")
    user = await me(olga.client)
    assert user
    assert (user["mail_on_report"], user["mail_on_comment"], user["mail_on_reply"]) == ("daily", "never", "at_once")
    await give_role(served, olga, Role.MEMBER)
    await olga.page.locator(".moderator-mail").wait_for(state="hidden")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_moderator_can_read_the_choices_about_mail_on_a_small_phone(
    scheme: Literal["light", "dark"], open_browser: OpenBrowser, served: Parley
) -> None:
    olga = await open_browser("Olga", at="/account", viewport=PHONE, color_scheme=scheme)
    await give_role(served, olga, Role.OWNER)
    await olga.page.locator(".moderator-mail").wait_for()
    await assert_fits_phone(olga)
    await assert_readable(olga)


async def test_an_owner_makes_alice_a_moderator(open_browser: OpenBrowser, served: Parley, alice: Person) -> None:
    olga = await open_moderator_browser(open_browser, served, "Olga", Role.OWNER)
    await choose_in_menu(olga, "Buy almonds", "appoint")
    await olga.page.locator(".decide__submit").click()
    await alice.until("!document.querySelector('.badge').hidden", "the badge, at once")
    await alice.go("/moderation")
    await alice.until("document.querySelector('.decision')?.dataset.act === 'moderator'", "the decision")
    assert "Olga made Alice a moderator" in await alice.page.locator(".decision").inner_text()


async def test_bob_becomes_a_moderator_and_a_member_again_while_his_page_is_open(
    served: Parley, alice: Person, bob: Person, page_errors: PageErrors
) -> None:
    page_errors.allow("404")
    await bob.sees("Buy almonds")
    await give_role(served, bob, Role.MODERATOR)
    await bob.until("!document.querySelector('.badge').hidden", "the badge")
    other = await bob.open_another_tab("/moderation")
    await choose_in_menu(bob, "Buy almonds", "hide")
    await bob.page.locator(".decide__submit").click()
    await other.until("document.querySelector('.decision')", "the decision")
    await give_role(served, bob, Role.MEMBER)
    for tab in (bob, other):
        await tab.until("document.querySelector('.badge').hidden", "no badge")
        await tab.until("parley.reports.length === 0 && parley.connector.state === 'live'", "no reports in the page")
    await bob.sees()
    await other.until("!document.querySelector('.desk__inside').checkVisibility()", "an empty page")
    assert await other.page.locator(".decision").count() == 0
    await write(alice.client, "And walnuts")
    await bob.sees("And walnuts")
    response = await bob.page.goto("/moderation")
    assert response
    assert response.status == 404
