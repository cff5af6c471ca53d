"""An upgrade while a page is open: the page reloads when it needs a deleted file, and no text is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.pages.assets import FrontEnd, Release

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser.conftest import OpenBrowser
    from tests.browser.page_errors import PageErrors
    from tests.browser.people import Person
    from tests.support.serving import Site

TEXT = "Half a sentence about"
PART = "auth_dialog_view"  # the sign-in dialog


@pytest.fixture
def front_end(site: Site, page_errors: PageErrors) -> Iterator[FrontEnd]:
    page_errors.allow("404")
    front_end: FrontEnd = site.state.front_end
    release = front_end.release
    yield front_end
    front_end.release = release


def without_part(release: Release) -> Release:
    files = {name: file for name, file in release.files.items() if not name.startswith(PART)}
    assert len(files) < len(release.files)
    return Release(release.version, release.entries, files)


def upgraded(release: Release) -> Release:
    """Another release, with other names for the page's script and the part. The code is the same."""
    script = release.entries["js/app.js"]
    entries = {**release.entries, "js/app.js": {**script, "file": "app-UPGRADED.js"}}
    return Release("upgraded", entries, {**release.files, "app-UPGRADED.js": release.files[script["file"]]})


async def test_a_guests_page_reloads_after_an_upgrade_and_keeps_the_text(
    open_browser: OpenBrowser, front_end: FrontEnd
) -> None:
    guest = await open_browser()
    await type_draft(guest, TEXT)
    old = front_end.release
    front_end.release = without_part(upgraded(old))
    async with guest.page.expect_navigation(wait_until="commit"):
        await guest.page.locator(".account__sign-in").click()
    front_end.release = upgraded(old)
    await guest.until("window.parley", "the page of the new release")
    assert await guest.page.locator("script[type=module][src$='app-UPGRADED.js']").count() == 1
    assert await guest.page.locator(".composer textarea").input_value() == TEXT
    await guest.page.locator(".account__sign-in").click()
    await guest.page.locator("dialog.entry[open]").wait_for()


async def test_a_guests_page_stays_and_shows_an_error_if_a_file_is_missing_without_an_upgrade(
    open_browser: OpenBrowser, front_end: FrontEnd
) -> None:
    guest = await open_browser()
    await type_draft(guest, TEXT)
    front_end.release = without_part(front_end.release)
    await guest.page.evaluate("window.stays = true")
    await guest.page.locator(".account__sign-in").click()
    await guest.page.locator(".notice:not([hidden])").wait_for()
    assert await guest.page.evaluate("window.stays")
    assert await guest.page.locator(".composer textarea").input_value() == TEXT


async def type_draft(person: Person, text: str) -> None:
    await person.page.locator(".composer textarea").press_sequentially(text)
    await person.until(f"Object.values(localStorage).join().includes('{text}')", "the draft to be stored")
