"""The page that describes the API: without a script, by keyboard, on a phone, behind a prefix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.browser.conftest import OpenBrowser

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


@pytest.mark.parametrize("settings", [{"root_path": "/talk"}], indirect=True)
async def test_a_guest_opens_an_operation_by_its_link_and_closes_it_by_keyboard(open_browser: OpenBrowser) -> None:
    guest = await open_browser(at="/talk/Article/1", **PHONE)
    await guest.page.locator(".foot a").click()
    await guest.page.wait_for_url("**/talk/docs")
    description = guest.page.locator("#post-comments-create")
    assert not await description.is_visible()
    await guest.page.goto("/talk/docs#post-comments-create")
    await guest.until("document.querySelector('#post-comments-create').checkVisibility()", "the operation")
    summary = guest.page.locator("details:has(#post-comments-create) > summary")
    await summary.focus()
    await guest.page.keyboard.press("Enter")
    assert not await description.is_visible()
    await guest.page.keyboard.press("Enter")
    await description.get_by_role("link", name="Comment", exact=True).first.click()
    await guest.until("document.querySelector('#schema-Comment').checkVisibility()", "the schema of the response")
    assert await guest.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
        "the page is not wider than the phone"
    )
