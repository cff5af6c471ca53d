"""Bad roads: answers that are lost, proxies that buffer, gateways with nobody behind them, machines that sleep."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Route

from tests.browser.network_faults import (
    FOR_THE_NETWORK,
    STREAMS,
    is_one_stream,
    lose_answers,
    no_road,
    tear,
    time_passes,
    url_of,
)
from tests.browser.people import SENT, Person
from tests.chaos.proxy import Proxy, Weather
from tests.support.people import delete, edit, write
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import httpx

    from tests.browser.conftest import Arrive
    from tests.support.serving import Site

pytestmark = pytest.mark.usefixtures("network_errors")

LOST = 5  # answers to the same request
OUTAGE = 10_000  # milliseconds
HOUR = 3_600_000
UNTIL_SILENT = 40_000  # milliseconds without a heartbeat
UNTIL_HELD_BACK = 10_000  # without a first event
UNTIL_TRIED_AGAIN = 62_000  # of polling
MINUTE = 60  # seconds
MOST_READS = 12  # of streams, and of snapshots, in a minute of resets


@pytest.fixture
async def traveller(road: Proxy, arrive: Arrive) -> Person:
    """Alice, at the end of that road, with a clock that is ours."""
    return await arrive("Alice", base_url=url_of(road), clock=True)


def sent(person: Person, method: str) -> int:
    return len([request for request in person.requests if request.startswith(f"{method} /api/comments")])


# -- answers that are lost ---------------------------------------------------------------------------------------


@pytest.mark.virtual_clock
@pytest.mark.parametrize("echo", [False, True], ids=["nor any echo", "but the echo"])
@pytest.mark.parametrize("act", ["POST", "PATCH", "DELETE"])
async def test_what_is_sent_five_times_takes_effect_once(act: str, echo: bool, alice: Person, site: Site) -> None:
    if act != "POST":
        await alice.write("First")
        await alice.is_settled()
    if not echo:
        await alice.context.route(STREAMS, lambda route: route.abort())
        tear(site)
    lost: list[str] = []
    lost = await lose_answers(alice, lambda request: request.method == act and len(lost) < LOST - 1)
    if act == "POST":
        await alice.write("First")
    elif act == "PATCH":
        await alice.rewrite("First", "Second")
    else:
        await alice.remove("First")
    await time_passes(alice, SENT, "it to be confirmed")

    assert sent(alice, act) == LOST or (echo and sent(alice, act) < LOST)
    await alice.context.unroute_all(behavior="wait")
    await time_passes(alice, "parley.connector.state === 'live'", "its stream")
    bodies = {"POST": ["First"], "PATCH": ["Second"], "DELETE": []}[act]
    assert [comment["body"] for comment in await alice.snapshot()] == bodies
    seqs = [comment["seq"] - comment["created_seq"] for comment in await alice.snapshot()]
    assert seqs == {"POST": [0], "PATCH": [1], "DELETE": []}[act]
    await alice.sees_the_truth_in_every_tab()


@pytest.mark.virtual_clock
async def test_an_edit_of_what_may_have_been_created_is_not_lost(alice: Person, site: Site) -> None:
    """The first text has arrived, its answer has not; what is sent then under the same id is not what is stored."""
    await alice.context.route(STREAMS, lambda route: route.abort())
    tear(site)
    lost: list[str] = []
    lost = await lose_answers(alice, lambda request: not lost)
    await alice.write("First")
    await wait_until(lambda: lost, "the first to arrive")
    await alice.rewrite("First", "Second")
    await time_passes(alice, SENT, "it to be confirmed")
    await alice.context.unroute_all(behavior="wait")
    await time_passes(alice, "parley.connector.state === 'live'", "its stream")
    await alice.sees("Second")
    await alice.sees_the_truth_in_every_tab()


@pytest.mark.virtual_clock
@pytest.mark.parametrize("arrived", [True, False])
async def test_what_may_have_been_created_is_deleted_for_good(arrived: bool, alice: Person, site: Site) -> None:
    async with no_road(alice, site):
        if arrived:
            lost: list[str] = []
            lost = await lose_answers(alice, lambda request: not lost)
        await alice.write("Regretted")
        await alice.until("parley.outbox.records[0]?.tries > 0", "a try")
        if arrived:
            await wait_until(lambda: lost, "it to arrive")
        await alice.remove("Regretted")
        await alice.sees()
    await time_passes(alice, SENT, "it to be gone")
    assert await alice.snapshot() == []
    await time_passes(alice, "parley.connector.state === 'live'", "its stream")
    await alice.sees_the_truth_in_every_tab()
    await alice.reload()
    await alice.sees_the_truth_in_every_tab()


async def test_one_of_three_answers_is_lost_on_the_way(
    traveller: Person, phone: httpx.AsyncClient, road: Proxy
) -> None:
    for number in range(6):
        await write(traveller.client, f"a{number}")
    carols = [await write(phone, f"c{number}") for number in range(6)]
    await traveller.until("parley.comments.length === 12", "them")
    road.weather = Weather(losing=True)

    async def alice_does() -> None:
        for number in range(10):
            await traveller.write(f"n{number}")
        for number in range(4):
            await traveller.rewrite(f"n{number}", f"n{number} again")
            await traveller.rewrite(f"a{number}", f"a{number} again")
        for body in ("n4", "a4"):
            await traveller.remove(body)

    async def carol_does() -> None:
        news = [await write(phone, f"m{number}") for number in range(10)]
        for number in range(4):
            await edit(phone, carols[number], f"c{number} again")
            await edit(phone, news[number], f"m{number} again")
        for comment in (carols[4], news[4]):
            await delete(phone, comment)

    await asyncio.gather(alice_does(), carol_does())
    await time_passes(traveller, SENT, "all to be sent")
    await time_passes(traveller, "parley.comments.length === 28", "what Carol did")
    assert road.lost > 5
    road.weather = Weather()
    await time_passes(traveller, "parley.connector.state === 'live'", "its stream")
    bodies = [comment["body"] for comment in await traveller.snapshot()]
    assert sorted(bodies) == sorted(
        [f"{who}{number}{' again' if number < 4 else ''}" for who in "ac" for number in range(6) if number != 4]
        + [f"{who}{number}{' again' if number < 4 else ''}" for who in "nm" for number in range(10) if number != 4]
    )
    assert [body[:2] for body in bodies if body[0] == "n"] == [f"n{number}" for number in range(10) if number != 4]
    await traveller.sees_the_truth_in_every_tab()


# -- roads that are open, and lead nowhere -----------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{"heartbeat_seconds": 0.5}], indirect=True)  # so long a poll without news takes
async def test_behind_a_proxy_that_buffers(traveller: Person, phone: httpx.AsyncClient, road: Proxy) -> None:
    await write(phone, "Before")
    await traveller.sees("Before")
    road.weather = Weather(buffering=True)
    road.cut()
    await traveller.context.clock.fast_forward(UNTIL_SILENT)
    await traveller.context.clock.fast_forward(UNTIL_HELD_BACK)
    await traveller.until("parley.connector.state === 'polling'", "it to poll")
    await traveller.write("From here")
    await write(phone, "From there")
    await traveller.until("parley.comments.length === 3", "both ways")
    await traveller.rewrite("From here", "From here again")
    await traveller.until(SENT, "it to be sent")
    assert await traveller.page.evaluate("parley.connector.state") == "polling"
    await traveller.sees_the_truth_in_every_tab()

    road.mend()
    await traveller.context.clock.fast_forward(UNTIL_TRIED_AGAIN)
    await traveller.until("parley.connector.state === 'live'", "a stream")
    await write(phone, "Live again")
    await traveller.until("parley.comments.length === 4", "what is new")
    await traveller.sees_the_truth_in_every_tab()


async def test_ten_seconds_of_502(traveller: Person, phone: httpx.AsyncClient, road: Proxy) -> None:
    before = await write(traveller.client, "Before")
    await traveller.sees("Before")
    road.weather = Weather(gateway=True)
    road.cut()
    await traveller.write("During")
    await traveller.rewrite("Before", "Before, edited")
    await write(phone, "Elsewhere")
    await traveller.until("parley.connector.state !== 'live'", "the outage")
    await traveller.context.clock.fast_forward(OUTAGE)
    await traveller.rewrite("During", "During, edited")
    assert [comment["body"] for comment in await traveller.snapshot()] == ["Before", "Elsewhere"]
    assert await traveller.bodies() == ["Before, edited", "During, edited"]

    road.mend()
    await time_passes(traveller, SENT, "all to be sent")
    await time_passes(traveller, "parley.connector.state === 'live'", "its stream")
    await traveller.sees("Before, edited", "Elsewhere", "During, edited")
    await traveller.sees_the_truth_in_every_tab()
    assert before["id"] == (await traveller.snapshot())[0]["id"]


@pytest.mark.parametrize("how", ["torn", "silent"])
async def test_an_hour_of_sleep(how: str, traveller: Person, phone: httpx.AsyncClient, road: Proxy, site: Site) -> None:
    comments = [await write(phone, body) for body in ("One", "Two")]
    await traveller.sees("One", "Two")
    other = await traveller.another_tab()
    await traveller.write("Said while the lid was closing")
    if how == "torn":
        tear(site)
    else:
        road.fall_silent()  # and so is what REST was about to reuse
    await edit(phone, comments[0], "One, changed")
    await delete(phone, comments[1])
    await write(phone, "Three")
    await traveller.context.clock.fast_forward(HOUR)
    for tab in (traveller, other):  # somebody opens the lid
        await tab.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    for tab in (traveller, other):
        await time_passes(tab, f"parley.comments.length === 3 && {SENT}", "what happened meanwhile")
        await time_passes(tab, "parley.connector.state === 'live'", "its stream")
    await is_one_stream(site)
    await traveller.sees_the_truth_in_every_tab()


@pytest.mark.virtual_clock
async def test_resets_in_a_loop_are_slowed(alice: Person, phone: httpx.AsyncClient, site: Site) -> None:
    await write(phone, "Before")
    await alice.sees("Before")
    block = 'retry: 1\nid: 0\nevent: reset\ndata: {"topics": ["Article/1"], "reason": "test"}\n\n'

    async def reset(route: Route) -> None:
        await route.fulfill(status=200, content_type="text/event-stream", body=block)

    await alice.context.route(STREAMS, reset)
    tear(site)
    alice.requests.clear()
    await wait_until(lambda: reads(alice, "/streams"), "the first reset")
    for _ in range(MINUTE):
        await alice.context.clock.fast_forward(1_000)
        await asyncio.sleep(FOR_THE_NETWORK)
    streams, snapshots = reads(alice, "/streams"), reads(alice, "/api/comments/")
    print(f"{streams} streams and {snapshots} snapshots in a minute of resets")
    assert streams <= MOST_READS
    assert snapshots <= MOST_READS

    await alice.context.unroute_all(behavior="wait")
    await write(phone, "After")
    await time_passes(alice, "parley.comments.length === 2 && parley.connector.state === 'live'", "the end of it")
    await alice.sees_the_truth_in_every_tab()


def reads(person: Person, path: str) -> int:
    return len([request for request in person.requests if request.startswith(f"GET {path}")])
