"""A minute without a road to the server, twenty changes on this side and twenty on the other: the two meet, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.network_faults import advance_clock_until, api_unreachable, reset_streams
from tests.browser.page_errors import PageErrors
from tests.browser.people import SENT, Person, cookies_of
from tests.support.people import delete, edit, sign_up, write

if TYPE_CHECKING:
    from pathlib import Path

    import httpx
    from playwright.async_api import Playwright

    from tests.support.serving import Site

pytestmark = pytest.mark.usefixtures("network_errors")

MINUTE = 60_000  # milliseconds
ALICES, CAROLS = ("a1", "a2", "a3", "a4", "a5", "a6"), ("c1", "c2", "c3", "c4")

MEANWHILE = ["a1 twice", "a4", "a5", "a6", "c1", "c2", "c3", "c4", "n1 thrice", "n3 again", "n4 again", "n5", "n7"]
IN_THE_END = [
    *("a1 twice", "a4 on the phone", "a6 twice on the phone", "c1 twice", "c3 again"),
    *("c7", "c8 again", "d1 again", "d3 again"),
    *("n1 thrice", "n3 again", "n4 again", "n5", "n7"),
]
ON_DISK = """new Promise((resolve) => {
  const opening = indexedDB.open("parley");
  opening.onsuccess = () => {
    const reading = opening.result.transaction("outbox").objectStore("outbox").getAll();
    reading.onsuccess = () => resolve(reading.result.flatMap(({ records }) => records).length);
    opening.result.close();
  };
})"""
KEPT = f"{ON_DISK}.then((number) => number === 8)"  # five comments, an edit, two deletes

Comments = dict[str, dict[str, Any]]


async def begin(alice: httpx.AsyncClient, carol_client: httpx.AsyncClient) -> Comments:
    comments = {body: await write(alice, body) for body in ALICES}
    return comments | {body: await write(carol_client, body) for body in CAROLS}


async def ten_changes(alice: Person) -> None:
    for body in ("n1", "n2", "n3", "n4"):
        await alice.write(body)
    await alice.edit_in_model("n1", "n1 once")
    await alice.edit_in_model("n1 once", "n1 twice")
    await alice.edit_in_model("n1 twice", "n1 thrice")
    await alice.remove("n2")
    await alice.edit_in_model("a1", "a1 once")
    await alice.edit_in_model("a2", "a2 once")


async def ten_more(alice: Person) -> None:
    await alice.edit_in_model("a1 once", "a1 twice")
    await alice.remove("a2 once")
    await alice.remove("a3")
    await alice.edit_in_model("n3", "n3 again")
    for body in ("n5", "n6"):
        await alice.write(body)
    await alice.edit_in_model("n6", "n6 again")
    await alice.remove("n6 again")
    await alice.edit_in_model("n4", "n4 again")
    await alice.write("n7")


async def twenty_changes_elsewhere(alice: httpx.AsyncClient, carol: httpx.AsyncClient, comments: Comments) -> None:
    """Ten by Carol, ten by Alice on another device."""
    await write(carol, "c7")
    eighth = await write(carol, "c8")
    await edit(carol, comments["c1"], "c1 once")
    await edit(carol, comments["c1"], "c1 twice")
    await delete(carol, comments["c2"])
    await edit(carol, eighth, "c8 again")
    await delete(carol, await write(carol, "c9"))
    await edit(carol, comments["c3"], "c3 again")
    await delete(carol, comments["c4"])

    first = await write(alice, "d1")
    second = await write(alice, "d2")
    await edit(alice, first, "d1 again")
    await delete(alice, second)
    await edit(alice, await write(alice, "d3"), "d3 again")
    await edit(alice, comments["a4"], "a4 on the phone")
    await delete(alice, comments["a5"])
    await edit(alice, comments["a6"], "a6 once on the phone")
    await edit(alice, comments["a6"], "a6 twice on the phone")


async def has_met_the_others(alice: Person) -> None:
    """All is sent, once, in the order in which it was written; what had never been sent before, as one change."""
    await advance_clock_until(alice, SENT, "all to be sent")
    await alice.until(f"{ON_DISK}.then((number) => number === 0)", "the browser to keep nothing that was sent")
    assert [comment["body"] for comment in await alice.snapshot()] == IN_THE_END
    for comment in await alice.snapshot():
        assert not comment["body"].startswith("n") or comment["seq"] == comment["created_seq"], comment
    await advance_clock_until(alice, "parley.connector.state === 'live'", "its stream")
    await alice.every_tab_matches_server()


@pytest.mark.virtual_clock
async def test_a_minute_offline(alice: Person, carol_client: httpx.AsyncClient, site: Site) -> None:
    comments = await begin(alice.client, carol_client)
    await alice.sees(*ALICES, *CAROLS)
    async with api_unreachable(alice, site):
        await ten_changes(alice)
        await twenty_changes_elsewhere(alice.client, carol_client, comments)
        await ten_more(alice)
        await alice.sees(*MEANWHILE)
        await alice.context.clock.fast_forward(MINUTE)
        await alice.sees(*MEANWHILE)
    await has_met_the_others(alice)


@pytest.mark.virtual_clock
async def test_a_reload_in_the_middle(alice: Person, carol_client: httpx.AsyncClient, site: Site) -> None:
    comments = await begin(alice.client, carol_client)
    await alice.sees(*ALICES, *CAROLS)
    async with api_unreachable(alice, site):
        await ten_changes(alice)
        await twenty_changes_elsewhere(alice.client, carol_client, comments)
        await alice.context.clock.fast_forward(MINUTE)
        await alice.page.reload()
        await alice.until("parley.outbox.records.length === 5", "what is unsent")
        await ten_more(alice)
        await alice.page.reload()
        await alice.until("parley.outbox.records.length === 8", "what is unsent")
        # The page came with what others did; what she did is not sent yet, and shown.
        await alice.sees(*IN_THE_END)
    await has_met_the_others(alice)


@pytest.mark.virtual_clock
async def test_the_tab_that_wrote_is_closed_before_the_road_is_back(
    alice: Person, carol_client: httpx.AsyncClient, site: Site
) -> None:
    comments = await begin(alice.client, carol_client)
    await alice.sees(*ALICES, *CAROLS)
    other = await alice.open_another_tab()
    async with api_unreachable(alice, site):
        await ten_changes(alice)
        await twenty_changes_elsewhere(alice.client, carol_client, comments)
        await ten_more(alice)
        await alice.until(KEPT, "what is unsent")
        await alice.page.close()
        await other.until("parley.outbox.records.length === 8", "what the other tab left")
        await other.context.clock.fast_forward(MINUTE)
    await has_met_the_others(other)


async def test_the_browser_is_ended_before_the_road_is_back(
    playwright: Playwright, launch_options: dict[str, Any], site: Site, page_errors: PageErrors,
    carol_client: httpx.AsyncClient, tmp_path: Path,
) -> None:  # fmt: skip
    async with site.client() as client:
        await sign_up(client, "Alice")
        comments = await begin(client, carol_client)

        async def start() -> Person:
            context = await playwright.chromium.launch_persistent_context(
                tmp_path / "profile", base_url=site.url, **launch_options
            )
            person = Person("Alice", context, client, page_errors)
            await context.clock.install()
            return person

        alice = await start()
        await alice.context.add_cookies(cookies_of(client))
        await alice.visit("/Article/1")
        async with api_unreachable(alice, site):
            await ten_changes(alice)
            await twenty_changes_elsewhere(client, carol_client, comments)
            await ten_more(alice)
            await alice.until(KEPT, "what is unsent")
            await alice.context.close()

        alice = await start()
        await alice.visit("/Article/1")
        await has_met_the_others(alice)
        await alice.context.close()


async def test_what_the_browser_itself_calls_offline(
    alice: Person, carol_client: httpx.AsyncClient, site: Site
) -> None:
    """No clock is moved: `online` alone makes the page look at once."""
    comments = await begin(alice.client, carol_client)
    await alice.sees(*ALICES, *CAROLS)
    await alice.context.set_offline(True)
    reset_streams(site)
    await ten_changes(alice)
    await twenty_changes_elsewhere(alice.client, carol_client, comments)
    await ten_more(alice)
    await alice.sees(*MEANWHILE)
    await alice.context.set_offline(False)
    await alice.has_sent_all()
    await alice.sees(*IN_THE_END)
    await alice.every_tab_matches_server()
