"""axe finds no accessibility errors on any page, in any state of it, in both themes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from app.settings import ROOT
from tests.browser.people import Person
from tests.browser.sample_thread import NOTHING_ANIMATES, write_sample_thread
from tests.browser.test_moderation import open_moderator_browser
from tests.support.people import person, write

if TYPE_CHECKING:
    import httpx

    from app.live.service import Parley
    from tests.browser.conftest import OpenBrowser
    from tests.support.serving import Site

pytestmark = pytest.mark.usefixtures("network_errors")

# WCAG 2.2 AA, and the rules that axe calls good practice.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
FIND_VIOLATIONS = """async (rules) => (await axe.run(document, { runOnly: { type: "tag", values: rules },
    resultTypes: ["violations"] })).violations
  .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html}\\n${failureSummary}`))"""

THEMES = ["light", "dark"]
PAGES = [
    "/",
    "/Article/none",
    "/account",
    "/reset",
    "/reset#a-token",
    "/confirm#a-token",
    "/dev/mail",
]
MODES = ["signin", "signup", "forgot"]


async def assert_no_violations(person: Person, rules: list[str] = RULES) -> None:
    """Run axe in the page. `evaluate` is not subject to the Content Security Policy, so it can load axe."""
    await person.until(NOTHING_ANIMATES, "the animations to end")
    if not await person.page.evaluate("'axe' in window"):
        await person.page.evaluate((ROOT / "node_modules/axe-core/axe.min.js").read_text())
    violations: list[Any] = await person.page.evaluate(FIND_VIOLATIONS, rules)
    assert not violations, "\n".join([person.page.url, *violations])


@pytest.mark.parametrize("theme", THEMES)
async def test_a_guest_finds_no_accessibility_errors_on_any_page(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, theme: str
) -> None:
    await write(carol_client, "Good morning")
    guest = await open_browser(color_scheme=theme)
    for path in PAGES:
        await guest.go(path)
        await assert_no_violations(guest)
    await guest.page.goto("/docs")
    await guest.page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    await assert_no_violations(guest)
    await guest.go("/embed/Article/1")
    await assert_no_violations(guest, RULES[:-1])  # the first heading belongs to the host page


@pytest.mark.parametrize("theme", THEMES)
async def test_a_moderator_finds_no_accessibility_errors_in_a_thread_and_its_dialogs(
    open_browser: OpenBrowser, site: Site, served: Parley, carol_client: httpx.AsyncClient, theme: str
) -> None:
    alice = await open_moderator_browser(open_browser, served, "Alice", color_scheme=theme)
    async with person(site, "Bob") as bob:
        await write_sample_thread(alice.client, bob, carol_client)
    for path in ("/inbox", "/moderation", "/account", "/Article/1"):
        await alice.go(path)
        await assert_no_violations(alice)
    await alice.page.locator(".bell__button").click()
    await assert_no_violations(alice)
    await alice.page.keyboard.press("Escape")
    await alice.page.locator(".comment__reply").first.click()
    await alice.page.locator(".comment__more").first.click()
    await alice.page.locator(".menu").wait_for()
    await assert_no_violations(alice)
    await alice.page.locator(".menu__item[data-act=report]").click()
    await alice.page.locator("dialog.report[open]").wait_for()
    await assert_no_violations(alice)
    await alice.page.keyboard.press("Escape")
    await alice.page.locator(".thread__lock").click()
    await alice.page.locator("dialog.decide[open]").wait_for()
    await assert_no_violations(alice)
    await alice.page.locator(".decide__submit").click()
    await alice.until(
        "document.querySelector('.thread__locked').checkVisibility()", "the notice that comments are closed"
    )
    await assert_no_violations(alice)
    await alice.go("/Article/1#comment-0b7f5e0e-6f0c-4c4a-9d51-2f6d8f6f1c11")
    await assert_no_violations(alice)


@pytest.mark.parametrize("settings", [{"undo_seconds": 60}], indirect=True)
@pytest.mark.parametrize("theme", THEMES)
async def test_alice_finds_no_accessibility_errors_while_she_edits_and_deletes_a_comment(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, theme: str
) -> None:
    alice = await open_browser("Alice", color_scheme=theme)
    await alice.write("Good evening")
    await alice.matches_server()
    await alice.comment("Good evening").locator(".comment__delete").click()
    await assert_no_violations(alice)
    await alice.comment("Good evening").locator(".comment__delete-no").click()
    await alice.open_editor("Good evening")
    await assert_no_violations(alice)
    await alice.page.locator(".editor__cancel").click()
    await alice.delete("Good evening")
    await alice.page.locator(".comment__undo").wait_for()
    await assert_no_violations(alice)


@pytest.mark.parametrize("theme", THEMES)
async def test_a_guest_finds_no_accessibility_errors_in_the_auth_dialog(open_browser: OpenBrowser, theme: str) -> None:
    guest = await open_browser(color_scheme=theme)
    for mode in MODES:
        await guest.page.evaluate(f"parley.bus.trigger('local.entry.wanted', '{mode}')")
        await guest.page.locator(f"dialog.entry[data-mode={mode}]").wait_for()
        await assert_no_violations(guest)
