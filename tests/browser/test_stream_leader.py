"""The stream leader: one tab has the stream of all tabs. If it closes, crashes, freezes or hangs, another tab leads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest

from tests.browser.network_faults import open_streams, wait_for_streams
from tests.browser.people import Person
from tests.support.people import delete, snapshot, write
from tests.support.waiting import cancel_tasks, wait_until

if TYPE_CHECKING:
    import httpx

    from tests.browser.conftest import OpenBrowser
    from tests.support.serving import Site

pytestmark = pytest.mark.usefixtures("network_errors")

TABS = 10
SAMPLE_SECONDS = 0.005

NO_LOCKS = "delete Navigator.prototype.locks"
NO_LOCKS_OR_CHANNELS = "delete Navigator.prototype.locks; delete window.BroadcastChannel"

Restore = Callable[[], Awaitable[None]]  # brings the lost tab back, if it can come back
Loss = Callable[[Person], Awaitable[Restore]]


async def open_tabs(alice: Person, number: int = TABS) -> list[Person]:
    """Open tabs, half of them with another article."""
    others = [await alice.open_another_tab(f"/Article/{1 + turn % 2}") for turn in range(1, number)]
    return [alice, *others]


async def find_leaders(tabs: list[Person]) -> list[Person]:
    return [tab for tab in tabs if await tab.page.evaluate("parley.connector.leads")]


async def find_leader(tabs: list[Person]) -> Person:
    """Wait until a tab leads. Two leaders are an error."""
    [leader] = await wait_until(lambda: find_leaders(tabs), "a leading tab")
    return cast(Person, leader)


def topic_of_tab(tab: Person) -> dict[str, str]:
    kind, name = tab.page.url.split("/")[3:5]
    return {"commentable_type": kind, "commentable_id": name}


def has_comment(body: str) -> str:
    return f"parley.comments.some((comment) => comment.text() === '{body}')"


async def test_alices_ten_tabs_share_one_stream_and_leave_connections_for_requests(
    alice: Person, carol_client: httpx.AsyncClient, site: Site
) -> None:
    tabs = await open_tabs(alice)
    await wait_for_streams(site)
    assert len(await find_leaders(tabs)) == 1
    for number, tab in enumerate(tabs):
        await tab.write(f"From tab {number}")
    for article in ("1", "2"):
        await write(carol_client, f"To {article}", commentable_id=article)
    for number, tab in enumerate(tabs):
        assert tab.page.url.endswith(f"/{1 + number % 2}")
        await tab.until("parley.comments.length === 6", "the comments of five tabs and Carol")
    await alice.every_tab_matches_server()
    assert len(open_streams(site)) == 1
    assert not [request for request in alice.requests if request.startswith("GET /api/")]


# -- ways to lose a leader ---------------------------------------------------------------------------------------


async def restore_nothing() -> None:
    """Do nothing: the tab does not come back."""


async def close(leader: Person) -> Restore:
    await leader.page.close()
    return restore_nothing


async def close_at_once(leader: Person) -> Restore:
    """Close the tab without a `pagehide` event."""
    session = await leader.context.new_cdp_session(leader.page)
    closed = asyncio.create_task(leader.page.wait_for_event("close"))
    await session.send("Page.close")
    await closed
    return restore_nothing


async def crash(leader: Person) -> Restore:
    session = await leader.context.new_cdp_session(leader.page)
    crashed = asyncio.create_task(leader.page.wait_for_event("crash"))
    dying = asyncio.create_task(session.send("Page.crash"))
    await crashed

    async def close_crashed() -> None:
        await leader.page.close()
        await asyncio.gather(dying, return_exceptions=True)

    return close_crashed


async def reload(leader: Person) -> Restore:
    await leader.page.reload(wait_until="commit")
    return leader.is_ready


async def navigate_away(leader: Person) -> Restore:
    await leader.page.goto("/", wait_until="commit")

    async def close_tab() -> None:
        await leader.page.close()

    return close_tab


async def freeze(leader: Person) -> Restore:
    """Freeze the tab as a browser freezes a hidden one: after the `freeze` event no script runs."""
    await leader.page.evaluate("document.dispatchEvent(new Event('freeze'))")
    resume_scripts = await pause_scripts(leader)

    async def resume() -> None:
        await resume_scripts()
        await leader.page.evaluate("document.dispatchEvent(new Event('resume'))")
        await leader.is_ready()

    return resume


async def pause_scripts(tab: Person) -> Restore:
    """Pause all scripts of the tab. It keeps its locks and connections."""
    session = await tab.context.new_cdp_session(tab.page)
    await session.send("Debugger.enable")
    paused = asyncio.Event()
    session.on("Debugger.paused", lambda _: paused.set())
    await session.send("Debugger.pause")
    stopping = asyncio.create_task(session.send("Runtime.evaluate", {"expression": "0"}))
    await paused.wait()

    async def resume_scripts() -> None:
        await session.send("Debugger.resume")
        await stopping
        await session.detach()

    return resume_scripts


LOSSES: tuple[Loss, ...] = (
    *(close, crash, reload, freeze),
    *(close_at_once, navigate_away, crash, close),
)
FEW_TABS, FEW_LOSSES = 3, (close, crash, freeze)


async def test_alice_loses_the_leading_tab_in_three_ways(
    alice: Person, carol_client: httpx.AsyncClient, site: Site
) -> None:
    await lose_the_leader(await open_tabs(alice, FEW_TABS), FEW_LOSSES, carol_client, site)


async def test_alice_loses_the_leading_of_ten_tabs_eight_times(
    alice: Person, carol_client: httpx.AsyncClient, site: Site
) -> None:
    await lose_the_leader(await open_tabs(alice), LOSSES, carol_client, site)


async def lose_the_leader(
    tabs: list[Person], losses: Sequence[Loss], carol_client: httpx.AsyncClient, site: Site
) -> None:
    """The other tabs, and later the lost tab, get the new comments from another leader, without a snapshot.

    Nothing else could deliver them: these tabs have no stream of their own, and no tab gets the focus.
    """
    alice = tabs[0]
    for turn, lose in enumerate(losses):
        leader = await find_leader(tabs)
        rest = [tab for tab in tabs if tab is not leader]
        alice.requests.clear()
        await rest[0].write(f"Alice, {turn}")  # the leader may be sending it at this moment
        restore = await lose(leader)
        for article in ("1", "2"):
            await write(carol_client, f"Carol, {turn}", commentable_id=article)
        for tab in rest:
            await tab.until(has_comment(f"Carol, {turn}"), f"the comments after {lose.__name__}")
        assert not [request for request in alice.requests if request.startswith("GET /api/comments")]
        await wait_for_streams(site)
        await restore()
        is_closed = leader.page.is_closed()
        tabs = [*rest, await rest[0].open_another_tab("/Article/1") if is_closed else leader]
        await wait_for_streams(site)
    await tabs[0].every_tab_matches_server()
    texts = [comment["body"] for article in ("1", "2") for comment in await fetch_comments(carol_client, article)]
    turns = range(len(losses))
    everything = [f"Alice, {turn}" for turn in turns] + [f"Carol, {turn}" for turn in turns] * 2
    assert sorted(texts) == sorted(everything)


async def fetch_comments(carol_client: httpx.AsyncClient, article: str) -> list[dict[str, Any]]:
    comments: list[dict[str, Any]] = (await snapshot(carol_client, commentable_id=article))["comments"]
    return comments


async def test_alices_visible_tab_replaces_a_leader_that_hangs(
    alice: Person, carol_client: httpx.AsyncClient, site: Site
) -> None:
    """The tab that gets the focus notices it; hidden tabs would not."""
    tabs = await open_tabs(alice, 3)
    leader = await find_leader(tabs)
    rest = [tab for tab in tabs if tab is not leader]
    resume_scripts = await pause_scripts(leader)
    await rest[0].page.evaluate("window.dispatchEvent(new Event('focus'))")
    for article in ("1", "2"):
        await write(carol_client, "Who leads?", commentable_id=article)
    for tab in rest:
        await tab.until(has_comment("Who leads?"), "another leader")
    await rest[0].write("I do")
    await rest[0].is_settled()
    await resume_scripts()
    await leader.is_ready()
    assert len(await find_leaders(tabs)) == 1
    await wait_for_streams(site)
    await alice.every_tab_matches_server()


async def test_alices_tabs_choose_a_leader_while_one_of_them_hangs(
    alice: Person, carol_client: httpx.AsyncClient, site: Site
) -> None:
    """The tab that hangs may be the next in the queue for the lock."""
    tabs = await open_tabs(alice, 4)
    leader = await find_leader(tabs)
    stuck, *rest = [tab for tab in tabs if tab is not leader]
    resume_scripts = await pause_scripts(stuck)
    await leader.page.close()
    await rest[0].page.evaluate("window.dispatchEvent(new Event('focus'))")
    for article in ("1", "2"):
        await write(carol_client, "Who leads?", commentable_id=article)
    for tab in rest:
        await tab.until(has_comment("Who leads?"), "another leader")
    await rest[0].write("I do")
    await rest[0].is_settled()
    await resume_scripts()
    await stuck.until(has_comment("Who leads?"), "the missed comments")
    await wait_for_streams(site)
    await alice.every_tab_matches_server()


async def test_alices_tabs_each_have_their_own_cursor(
    alice: Person, carol_client: httpx.AsyncClient, site: Site
) -> None:
    tabs = [alice, await alice.open_another_tab(), await alice.open_another_tab()]
    comments = [await write(carol_client, body) for body in ("One", "Two")]
    for turn, disconnected in enumerate(tabs):
        await disconnected.until("parley.comments.length >= 2 && parley.connector.state === 'live'", "both comments")
        await disconnected.page.evaluate("parley.connector.close()")
        news = f"While tab {turn} was away"
        comments.append(await write(carol_client, news))
        await delete(carol_client, comments.pop(0))
        for tab in tabs:
            if tab is not disconnected:
                await tab.until(has_comment(news), "the news")
        assert not await disconnected.page.evaluate(has_comment(news))
        await disconnected.page.evaluate("parley.connector.resume()")
        await disconnected.until(has_comment(news), "the missed comments")
    await wait_for_streams(site)
    await alice.every_tab_matches_server()
    assert not [request for request in alice.requests if request.startswith("GET /api/comments")]


async def test_alice_reconnects_two_tabs_at_once_and_misses_nothing(
    alice: Person, carol_client: httpx.AsyncClient
) -> None:
    """The tab that reconnects last has a newer cursor than the other one."""
    tabs = [alice, await alice.open_another_tab(), await alice.open_another_tab()]
    for turn, disconnected in enumerate(tabs[:2]):
        await disconnected.page.evaluate("parley.connector.close()")
        await write(carol_client, f"News {turn}")
        await tabs[2].until(has_comment(f"News {turn}"), "the news")
    await asyncio.gather(*(disconnected.page.evaluate("parley.connector.resume()") for disconnected in tabs[:2]))
    for tab in tabs:
        await tab.sees("News 0", "News 1")
    await alice.every_tab_matches_server()


@asynccontextmanager
async def count_streams(site: Site) -> AsyncIterator[list[int]]:
    """Record the number of streams that the server has open, each time it changes."""
    counts: list[int] = []

    async def count() -> None:
        while True:
            if counts[-1:] != [len(open_streams(site))]:
                counts.append(len(open_streams(site)))
            await asyncio.sleep(SAMPLE_SECONDS)

    counting = asyncio.create_task(count())
    try:
        yield counts
    finally:
        await cancel_tasks(counting)


async def test_alices_tabs_never_have_two_streams(alice: Person, carol_client: httpx.AsyncClient, site: Site) -> None:
    async with count_streams(site) as counts:
        tabs = await open_tabs(alice, 4)
        for _ in range(3):
            leader = await find_leader(tabs)
            tabs.remove(leader)
            await leader.page.close()
            for tab in tabs:
                await tab.until("parley.connector.state === 'live'", "the next stream")
            await wait_for_streams(site)
    print(counts)
    assert max(counts) <= 2  # until the server notices that a stream was closed
    await write(carol_client, "Still heard", **topic_of_tab(tabs[0]))
    await tabs[0].until(has_comment("Still heard"), "Carol's comment")


# -- without Web Locks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [NO_LOCKS, NO_LOCKS_OR_CHANNELS], ids=["locks", "locks and channels"])
async def test_alice_has_one_stream_for_each_tab_without_web_locks(
    missing: str, open_browser: OpenBrowser, carol_client: httpx.AsyncClient, site: Site
) -> None:
    alice = await open_browser("Alice", scripts=[missing])
    other = await alice.open_another_tab()
    tabs = [alice, other]
    await wait_for_streams(site, 2)
    assert len(await find_leaders(tabs)) == 2
    for number, tab in enumerate(tabs):
        await tab.write(f"From tab {number}")
    await write(carol_client, "From a phone")
    for tab in tabs:
        await tab.until("parley.comments.length === 3", "all comments")
    await alice.edit_in_model("From tab 0", "From tab 0 again")
    await other.delete_in_model("From tab 1")
    for tab in tabs:
        await tab.until("parley.comments.length === 2", "all comments")
    await alice.every_tab_matches_server()
    await alice.page.close()
    await wait_for_streams(site)
    await other.every_tab_matches_server()


async def test_alices_open_tab_sends_the_outbox_of_a_closed_one_without_web_locks(
    open_browser: OpenBrowser, site: Site
) -> None:
    alice = await open_browser("Alice", clock=True, scripts=[NO_LOCKS])
    other = await alice.open_another_tab()
    await alice.page.route("**/api/comments/**", lambda route: route.abort())
    await alice.write("Left behind")
    await alice.until("parley.outbox.records[0]?.tries > 0", "the first try")
    await alice.page.close()
    await wait_until(lambda: len(open_streams(site)) == 1, "the end of its stream")
    await other.reload()
    await other.sees("Left behind")
    await other.every_tab_matches_server()
