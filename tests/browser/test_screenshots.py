"""A picture of each page, in both themes, on a desktop and on a phone.

`pytest --everything --screenshots docs` saves them. The test checks only that each picture shows something and
that the pages log no errors.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from app.accounts.user import Role
from tests.browser.sample_thread import NOTHING_ANIMATES, write_sample_thread
from tests.browser.test_moderation import open_moderator_browser
from tests.support.people import person

if TYPE_CHECKING:
    import httpx

    from app.live.service import Parley
    from tests.browser.conftest import OpenBrowser
    from tests.support.serving import Site

PAGES = {"front": "/", "thread": "/Article/1", "inbox": "/inbox", "moderation": "/moderation", "account": "/account"}
VIEWS: dict[str, dict[str, Any]] = {
    "desk": {"viewport": {"width": 1280, "height": 900}},
    "phone": {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True},
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_a_moderators_pages_are_saved_as_pictures(
    theme: str,
    view: str,
    open_browser: OpenBrowser,
    site: Site,
    served: Parley,
    carol_client: httpx.AsyncClient,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    alice = await open_moderator_browser(open_browser, served, "Alice", Role.OWNER, color_scheme=theme, **VIEWS[view])
    async with person(site, "Bob") as bob:
        await write_sample_thread(alice.client, bob, carol_client)
    for name, path in PAGES.items():
        await alice.go(path)
        if name == "thread":
            await alice.page.locator(".thread__heading").scroll_into_view_if_needed()
            await alice.page.evaluate("document.querySelector('.thread').scrollIntoView()")
        await alice.until(NOTHING_ANIMATES, "the animations to end")
        picture = tmp_path / f"{name}-{theme}-{view}.png"
        await alice.page.screenshot(path=picture)
        assert 5_000 < picture.stat().st_size < 300_000
        if directory := request.config.getoption("screenshots", None):
            (directory / "pictures").mkdir(parents=True, exist_ok=True)
            shutil.copy(picture, directory / "pictures")
