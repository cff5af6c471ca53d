"""A minute offline, with twenty changes on each side. Afterwards both sides have all changes once."""

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

MINUTE_MS = 60_000
ALICES, CAROLS = ("a1", "a2", "a3", "a4", "a5", "a6"), ("c1", "c2", "c3", "c4")

MEANWHILE = ["a1 twice", "a4", "a5", "a6", "c1", "c2", "c3", "c4", "n1 thrice", "n3 again", "n4 again", "n5", "n7"]
IN_THE_END = [
    *("a1 twice", "a4 on the phone", "a6 twice on the phone", "c1 twice", "c3 again"),
    *("c7", "c8 again", "d1 again", "d3 again"),
    *("n1 thrice", "n3 again", "n4 again", "n5", "n7"),
]
COUNT_STORED = """new Promise((resolve) => {
  const opening = indexedDB.open("parley");
  opening.onsuccess = () => {
    const reading = opening.result.transaction("outbox").objectStore("outbox").getAll();
    reading.onsuccess = () => resolve(reading.result.flatMap(({ records }) => records).length);
    opening.result.close();
  };
})"""
ALL_STORED = f"{COUNT_STORED}.then((number) => number === 8)"  # five comments, an edit, two deletes

Comments = dict[str, dict[str, Any]]


async def write_first_comments(alice: httpx.AsyncClient, carol_client: httpx.AsyncClient) -> Comments:
    comments = {body: await write(alice, body) for body in ALICES}
    return comments | {body: await write(carol_client, body) for body in CAROLS}


async def make_ten_changes(alice: Person) -> None:
    for body in ("n1", "n2", "n3", "n4"):
        await alice.write(body)
    await alice.edit_in_model("n1", "n1 once")
    await alice.edit_in_model("n1 once", "n1 twice")
    await alice.edit_in_model("n1 twice", "n1 thrice")
    await alice.delete_in_model("n2")
    await alice.edit_in_model("a1", "a1 once")
    await alice.edit_in_model("a2", "a2 once")


async def make_ten_more_changes(alice: Person) -> None:
    await alice.edit_in_model("a1 once", "a1 twice")
    await alice.delete_in_model("a2 once")
    await alice.delete_in_model("a3")
    await alice.edit_in_model("n3", "n3 again")
    for body in ("n5", "n6"):
        await alice.write(body)
    await alice.edit_in_model("n6", "n6 again")
    await alice.delete_in_model("n6 again")
    await alice.edit_in_model("n4", "n4 again")
    await alice.write("n7")


async def make_twenty_changes_elsewhere(alice: httpx.AsyncClient, carol: httpx.AsyncClient, comments: Comments) -> None:
    """Make ten changes as Carol, and ten as Alice on another device."""
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


async def assert_merged(alice: Person) -> None:
    """Each change was sent once, in the order of writing. A new comment and its edits were sent as one change."""
    await advance_clock_until(alice, SENT, "an empty outbox")
    await alice.until(f"{COUNT_STORED}.then((number) => number === 0)", "an empty store")
    assert [comment["body"] for comment in await alice.snapshot()] == IN_THE_END
    for comment in await alice.snapshot():
        assert not comment["body"].startswith("n") or comment["seq"] == comment["created_seq"], comment
    await advance_clock_until(alice, "parley.connector.state === 'live'", "the stream")
    await alice.every_tab_matches_server()


@pytest.mark.virtual_clock
async def test_alice_and_carol_make_twenty_changes_each_while_alice_is_offline(
    alice: Person, carol_client: httpx.AsyncClient, site: Site
) -> None:
    comments = await write_first_comments(alice.client, carol_client)
    await alice.sees(*ALICES, *CAROLS)
    async with api_unreachable(alice, site):
        await make_ten_changes(alice)
        await make_twenty_changes_elsewhere(alice.client, carol_client, comments)
        await make_ten_more_changes(alice)
        await alice.sees(*MEANWHILE)
        await alice.context.clock.fast_forward(MINUTE_MS)
        await alice.sees(*MEANWHILE)
    await assert_merged(alice)


@pytest.mark.virtual_clock
async def test_alice_reloads_while_she_is_offline(alice: Person, carol_client: httpx.AsyncClient, site: Site) -> None:
    comments = await write_first_comments(alice.client, carol_client)
    await alice.sees(*ALICES, *CAROLS)
    async with api_unreachable(alice, site):
        await make_ten_changes(alice)
        await make_twenty_changes_elsewhere(alice.client, carol_client, comments)
        await alice.context.clock.fast_forward(MINUTE_MS)
        await alice.page.reload()
        await alice.until("parley.outbox.records.length === 5", "the unsent changes")
        await make_ten_more_changes(alice)
        await alice.page.reload()
        await alice.until("parley.outbox.records.length === 8", "the unsent changes")
        # The new page has the changes by others, and shows her unsent ones.
        await alice.sees(*IN_THE_END)
    await assert_merged(alice)


@pytest.mark.virtual_clock
async def test_alice_closes_the_tab_in_which_she_wrote_offline(
    alice: Person, carol_client: httpx.AsyncClient, site: Site
) -> None:
    comments = await write_first_comments(alice.client, carol_client)
    await alice.sees(*ALICES, *CAROLS)
    other = await alice.open_another_tab()
    async with api_unreachable(alice, site):
        await make_ten_changes(alice)
        await make_twenty_changes_elsewhere(alice.client, carol_client, comments)
        await make_ten_more_changes(alice)
        await alice.until(ALL_STORED, "the unsent changes")
        await alice.page.close()
        await other.until("parley.outbox.records.length === 8", "the changes of the closed tab")
        await other.context.clock.fast_forward(MINUTE_MS)
    await assert_merged(other)


async def test_alice_closes_her_browser_while_she_is_offline(
    playwright: Playwright, launch_options: dict[str, Any], site: Site, page_errors: PageErrors,
    carol_client: httpx.AsyncClient, tmp_path: Path,
) -> None:  # fmt: skip
    async with site.client() as client:
        await sign_up(client, "Alice")
        comments = await write_first_comments(client, carol_client)

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
            await make_ten_changes(alice)
            await make_twenty_changes_elsewhere(client, carol_client, comments)
            await make_ten_more_changes(alice)
            await alice.until(ALL_STORED, "the unsent changes")
            await alice.context.close()

        alice = await start()
        await alice.visit("/Article/1")
        await assert_merged(alice)
        await alice.context.close()


async def test_alice_makes_twenty_changes_while_her_browser_itself_is_offline(
    alice: Person, carol_client: httpx.AsyncClient, site: Site
) -> None:
    """The test moves no clock: the `online` event makes the page reconnect at once."""
    comments = await write_first_comments(alice.client, carol_client)
    await alice.sees(*ALICES, *CAROLS)
    await alice.context.set_offline(True)
    reset_streams(site)
    await make_ten_changes(alice)
    await make_twenty_changes_elsewhere(alice.client, carol_client, comments)
    await make_ten_more_changes(alice)
    await alice.sees(*MEANWHILE)
    await alice.context.set_offline(False)
    await alice.has_sent_all()
    await alice.sees(*IN_THE_END)
    await alice.every_tab_matches_server()
