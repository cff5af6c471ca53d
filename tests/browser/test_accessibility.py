"""axe finds nothing to say: every page, the states that a page can be in, in both themes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from app.settings import ROOT
from tests.browser.complaints import NETWORK, Complaints
from tests.browser.people import Person
from tests.support.people import write

if TYPE_CHECKING:
    import httpx

    from tests.browser.conftest import Arrive

# WCAG 2.2 AA and what axe holds to be good practice besides.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
FIND = """async (rules) => (await axe.run(document, { runOnly: { type: "tag", values: rules } })).violations
  .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html}\\n${failureSummary}`))"""

THEMES = ["light", "dark"]
PAGES = ["/", "/Article/1", "/Article/none", "/account", "/reset", "/reset#a-token", "/confirm#a-token", "/dev/mail"]
MODES = ["signin", "signup", "forgot"]


@pytest.fixture(autouse=True)
def refusals_are_meant(complaints: Complaints) -> None:
    complaints.allow(NETWORK)


async def find_nothing(person: Person) -> None:
    """axe is put in past the page's policy, as a browser's own tools are."""
    await person.page.evaluate((ROOT / "node_modules/axe-core/axe.min.js").read_text())
    found: list[Any] = await person.page.evaluate(FIND, RULES)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("theme", THEMES)
async def test_pages(arrive: Arrive, phone: httpx.AsyncClient, theme: str) -> None:
    await write(phone, "Good morning")
    alice = await arrive("Alice", color_scheme=theme)
    await write(alice.client, "Good evening")
    guest = await arrive(color_scheme=theme)
    for person in (alice, guest):
        for path in PAGES:
            await person.go(path)
            await find_nothing(person)


@pytest.mark.parametrize("theme", THEMES)
async def test_states_of_a_comment(arrive: Arrive, phone: httpx.AsyncClient, theme: str) -> None:
    alice = await arrive("Alice", color_scheme=theme)
    await write(phone, "Good morning")
    await alice.write("Good evening")
    await alice.sees("Good morning", "Good evening")
    await alice.comment("Good evening").locator(".comment__delete").click()
    await find_nothing(alice)
    await alice.comment("Good evening").locator(".comment__delete-no").click()
    await alice.open_editor("Good evening")
    await find_nothing(alice)


@pytest.mark.parametrize("theme", THEMES)
async def test_the_door(arrive: Arrive, theme: str) -> None:
    guest = await arrive(color_scheme=theme)
    for mode in MODES:
        await guest.page.evaluate(f"parley.bus.trigger('local.entry.wanted', '{mode}')")
        await guest.page.locator(f"dialog.entry[data-mode={mode}]").wait_for()
        await find_nothing(guest)
