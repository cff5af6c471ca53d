"""Many tabs, one stream: whoever leads may close, crash, freeze or hang, and the others go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

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
LOOKING = 0.005  # seconds

NO_LOCKS = "delete Navigator.prototype.locks"
NEITHER = "delete Navigator.prototype.locks; delete window.BroadcastChannel"

Gone = Callable[[], Awaitable[None]]  # to be called when it is to be here again
Way = Callable[[Person], Awaitable[Gone]]


async def open_tabs(alice: Person, number: int = TABS) -> list[Person]:
    """Half of them looking at another article."""
    others = [await alice.open_another_tab(f"/Article/{1 + turn % 2}") for turn in range(1, number)]
    return [alice, *others]


async def leaders(tabs: list[Person]) -> list[Person]:
    return [tab for tab in tabs if await tab.page.evaluate("parley.connector.leads")]


def topic_of(tab: Person) -> dict[str, str]:
    kind, name = tab.page.url.split("/")[3:5]
    return {"commentable_type": kind, "commentable_id": name}


def has(body: str) -> str:
    return f"parley.comments.some((comment) => comment.text() === '{body}')"


async def test_ten_tabs_share_one_stream_and_leave_room_for_rest(
    alice: Person, carol_client: httpx.AsyncClient, site: Site
) -> None:
    tabs = await open_tabs(alice)
    await wait_for_streams(site)
    assert len(await leaders(tabs)) == 1
    for number, tab in enumerate(tabs):
        await tab.write(f"From tab {number}")
    for article in ("1", "2"):
        await write(carol_client, f"To {article}", commentable_id=article)
    for number, tab in enumerate(tabs):
        assert tab.page.url.endswith(f"/{1 + number % 2}")
        await tab.until("parley.comments.length === 6", "what five tabs and Carol wrote")
    await alice.every_tab_matches_server()
    assert len(open_streams(site)) == 1
    assert not [request for request in alice.requests if request.startswith("GET /api/")]


# -- seven ways to lose a leader ---------------------------------------------------------------------------------


async def nothing() -> None:
    """It does not come back."""


async def close(leader: Person) -> Gone:
    await leader.page.close()
    return nothing


async def close_at_once(leader: Person) -> Gone:
    """Without a last word: no `pagehide`."""
    session = await leader.context.new_cdp_session(leader.page)
    closed = asyncio.create_task(leader.page.wait_for_event("close"))
    await session.send("Page.close")
    await closed
    return nothing


async def crash(leader: Person) -> Gone:
    session = await leader.context.new_cdp_session(leader.page)
    crashed = asyncio.create_task(leader.page.wait_for_event("crash"))
    dying = asyncio.create_task(session.send("Page.crash"))
    await crashed

    async def bury() -> None:
        await leader.page.close()
        await asyncio.gather(dying, return_exceptions=True)

    return bury


async def reload(leader: Person) -> Gone:
    await leader.page.reload(wait_until="commit")
    return leader.is_ready


async def go_elsewhere(leader: Person) -> Gone:
    await leader.page.goto("/", wait_until="commit")

    async def come_again() -> None:
        await leader.page.close()

    return come_again


async def freeze(leader: Person) -> Gone:
    """As a browser does with a tab that nobody looks at: it says so, and then nothing runs any more."""
    await leader.page.evaluate("document.dispatchEvent(new Event('freeze'))")
    go_on = await stop(leader)

    async def resume() -> None:
        await go_on()
        await leader.page.evaluate("document.dispatchEvent(new Event('resume'))")
        await leader.is_ready()

    return resume


async def stop(tab: Person) -> Gone:
    """Not a line of it runs, and it holds on to all it has, until it is to go on."""
    session = await tab.context.new_cdp_session(tab.page)
    await session.send("Debugger.enable")
    paused = asyncio.Event()
    session.on("Debugger.paused", lambda _: paused.set())
    await session.send("Debugger.pause")
    stopping = asyncio.create_task(session.send("Runtime.evaluate", {"expression": "0"}))
    await paused.wait()

    async def go_on() -> None:
        await session.send("Debugger.resume")
        await stopping
        await session.detach()

    return go_on


WAYS: tuple[Way, ...] = (
    *(close, crash, reload, freeze),
    *(close_at_once, go_elsewhere, crash, close),
)
FEW_TABS, FEW_WAYS = 3, (close, crash, freeze)


async def test_the_leader_is_lost_in_three_ways(alice: Person, carol_client: httpx.AsyncClient, site: Site) -> None:
    await the_leader_is_lost(await open_tabs(alice, FEW_TABS), FEW_WAYS, carol_client, site)


async def test_the_leader_of_ten_tabs_is_lost_eight_times(
    alice: Person, carol_client: httpx.AsyncClient, site: Site
) -> None:
    await the_leader_is_lost(await open_tabs(alice), WAYS, carol_client, site)


async def the_leader_is_lost(
    tabs: list[Person], ways: Sequence[Way], carol_client: httpx.AsyncClient, site: Site
) -> None:
    """The other tabs get what is written meanwhile from another leader, without a snapshot, and so does the lost tab.

    Nothing else could bring it: they have no stream of their own, and nobody looks at them.
    """
    alice = tabs[0]
    for turn, way in enumerate(ways):
        [leader] = await leaders(tabs)
        rest = [tab for tab in tabs if tab is not leader]
        alice.requests.clear()
        await rest[0].write(f"Alice, {turn}")  # perhaps the leader is just sending it
        come_back = await way(leader)
        for article in ("1", "2"):
            await write(carol_client, f"Carol, {turn}", commentable_id=article)
        for tab in rest:
            await tab.until(has(f"Carol, {turn}"), f"what came after {way.__name__}")
        assert not [request for request in alice.requests if request.startswith("GET /api/comments")]
        await wait_for_streams(site)
        await come_back()
        gone = leader.page.is_closed()
        tabs = [*rest, await rest[0].open_another_tab("/Article/1") if gone else leader]
        await wait_for_streams(site)
    await tabs[0].every_tab_matches_server()
    said = [comment["body"] for article in ("1", "2") for comment in await on(carol_client, article)]
    turns = range(len(ways))
    everything = [f"Alice, {turn}" for turn in turns] + [f"Carol, {turn}" for turn in turns] * 2
    assert sorted(said) == sorted(everything)


async def on(carol_client: httpx.AsyncClient, article: str) -> list[dict[str, Any]]:
    comments: list[dict[str, Any]] = (await snapshot(carol_client, commentable_id=article))["comments"]
    return comments


async def test_a_leader_that_hangs_is_replaced(alice: Person, carol_client: httpx.AsyncClient, site: Site) -> None:
    """By whoever is looked at, as nobody else would notice."""
    tabs = await open_tabs(alice, 3)
    [leader] = await leaders(tabs)
    rest = [tab for tab in tabs if tab is not leader]
    go_on = await stop(leader)
    await rest[0].page.evaluate("window.dispatchEvent(new Event('focus'))")
    for article in ("1", "2"):
        await write(carol_client, "Who leads?", commentable_id=article)
    for tab in rest:
        await tab.until(has("Who leads?"), "another leader")
    await rest[0].write("I do")
    await rest[0].is_settled()
    await go_on()
    await leader.is_ready()
    assert len(await leaders(tabs)) == 1
    await wait_for_streams(site)
    await alice.every_tab_matches_server()


async def test_a_tab_that_hangs_holds_nobody_up(alice: Person, carol_client: httpx.AsyncClient, site: Site) -> None:
    """Even when it is its turn to lead."""
    tabs = await open_tabs(alice, 4)
    [leader] = await leaders(tabs)
    stuck, *rest = [tab for tab in tabs if tab is not leader]
    go_on = await stop(stuck)
    await leader.page.close()
    await rest[0].page.evaluate("window.dispatchEvent(new Event('focus'))")
    for article in ("1", "2"):
        await write(carol_client, "Who leads?", commentable_id=article)
    for tab in rest:
        await tab.until(has("Who leads?"), "another leader")
    await rest[0].write("I do")
    await rest[0].is_settled()
    await go_on()
    await stuck.until(has("Who leads?"), "what it has missed")
    await wait_for_streams(site)
    await alice.every_tab_matches_server()


async def test_each_tab_has_its_own_cursor(alice: Person, carol_client: httpx.AsyncClient, site: Site) -> None:
    tabs = [alice, await alice.open_another_tab(), await alice.open_another_tab()]
    comments = [await write(carol_client, body) for body in ("One", "Two")]
    for turn, away in enumerate(tabs):
        await away.until("parley.comments.length >= 2 && parley.connector.state === 'live'", "them")
        await away.page.evaluate("parley.connector.close()")
        news = f"While tab {turn} was away"
        comments.append(await write(carol_client, news))
        await delete(carol_client, comments.pop(0))
        for tab in tabs:
            if tab is not away:
                await tab.until(has(news), "what is new")
        assert not await away.page.evaluate(has(news))
        await away.page.evaluate("parley.connector.resume()")
        await away.until(has(news), "what it has missed")
    await wait_for_streams(site)
    await alice.every_tab_matches_server()
    assert not [request for request in alice.requests if request.startswith("GET /api/comments")]


async def test_two_tabs_that_come_back_at_once_miss_nothing(alice: Person, carol_client: httpx.AsyncClient) -> None:
    """Whoever comes last knows more than who was away for longer."""
    tabs = [alice, await alice.open_another_tab(), await alice.open_another_tab()]
    for turn, away in enumerate(tabs[:2]):
        await away.page.evaluate("parley.connector.close()")
        await write(carol_client, f"News {turn}")
        await tabs[2].until(has(f"News {turn}"), "it")
    await asyncio.gather(*(away.page.evaluate("parley.connector.resume()") for away in tabs[:2]))
    for tab in tabs:
        await tab.sees("News 0", "News 1")
    await alice.every_tab_matches_server()


@asynccontextmanager
async def counted(site: Site) -> AsyncIterator[list[int]]:
    """How many streams the server sent, each time that changed."""
    counts: list[int] = []

    async def count() -> None:
        while True:
            if counts[-1:] != [len(open_streams(site))]:
                counts.append(len(open_streams(site)))
            await asyncio.sleep(LOOKING)

    counting = asyncio.create_task(count())
    try:
        yield counts
    finally:
        await cancel_tasks(counting)


async def test_two_tabs_never_have_two_streams(alice: Person, carol_client: httpx.AsyncClient, site: Site) -> None:
    async with counted(site) as counts:
        tabs = await open_tabs(alice, 4)
        for _ in range(3):
            [leader] = await leaders(tabs)
            tabs.remove(leader)
            await leader.page.close()
            for tab in tabs:
                await tab.until("parley.connector.state === 'live'", "the next stream")
            await wait_for_streams(site)
    print(counts)
    assert max(counts) <= 2  # for as long as the server takes to see that one was closed
    await write(carol_client, "Still heard", **topic_of(tabs[0]))
    await tabs[0].until(has("Still heard"), "Carol")


# -- without what it takes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [NO_LOCKS, NEITHER], ids=["locks", "locks and channels"])
async def test_without_web_locks_each_tab_has_its_own_stream(
    missing: str, open_browser: OpenBrowser, carol_client: httpx.AsyncClient, site: Site
) -> None:
    alice = await open_browser("Alice", scripts=[missing])
    other = await alice.open_another_tab()
    tabs = [alice, other]
    await wait_for_streams(site, 2)
    assert len(await leaders(tabs)) == 2
    for number, tab in enumerate(tabs):
        await tab.write(f"From tab {number}")
    await write(carol_client, "From a phone")
    for tab in tabs:
        await tab.until("parley.comments.length === 3", "all of it")
    await alice.edit_in_model("From tab 0", "From tab 0 again")
    await other.delete_in_model("From tab 1")
    for tab in tabs:
        await tab.until("parley.comments.length === 2", "all of it")
    await alice.every_tab_matches_server()
    await alice.page.close()
    await wait_for_streams(site)
    await other.every_tab_matches_server()


async def test_an_outbox_of_the_closed_is_sent_by_the_open_without_web_locks(
    open_browser: OpenBrowser, site: Site
) -> None:
    alice = await open_browser("Alice", clock=True, scripts=[NO_LOCKS])
    other = await alice.open_another_tab()
    await alice.page.route("**/api/comments/**", lambda route: route.abort())
    await alice.write("Left behind")
    await alice.until("parley.outbox.records[0]?.tries > 0", "a try")
    await alice.page.close()
    await wait_until(lambda: len(open_streams(site)) == 1, "its end")
    await other.reload()
    await other.sees("Left behind")
    await other.every_tab_matches_server()
