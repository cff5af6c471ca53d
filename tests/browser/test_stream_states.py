"""One EventSource and what it takes to keep one: state by state, on an EventSource and a clock of the test's own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.browser.people import Person

DRAWING = Path(__file__).resolve().parents[2] / "docs" / "browser.md"

BEGIN = """async () => {
  parley.connector.close();
  window.made = [];
  window.states = [];
  window.heard = [];
  window.EventSource = class extends EventTarget {
    static CLOSED = 2;
    readyState = 0;
    constructor(url) {
      super();
      this.asked = new URL(url, location).searchParams;
      window.made.push(this);
    }
    close() {
      this.readyState = 2;
    }
    say(name, data, id) {
      this.readyState = 1;
      this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data), lastEventId: id }));
    }
    fail(readyState) {
      this.readyState = readyState;
      this.dispatchEvent(new Event("error"));
    }
  };
  const { Stream } = await import("/static/js/stream.js");
  window.begin = () => {
    window.stream = new Stream({
      hear: (name, data, id) => window.heard.push([name, id]),
      tell: (state) => window.states.push(state),
    });
  };
  window.begin();
}"""

OPEN = "stream.open(['Article/1'], ['snapshot'])"
LEVEL = "made.at(-1).say('heartbeat', {cursor: 'c5'}, 'c5')"
BEHIND = "made.at(-1).say('heartbeat', {cursor: 'c5'}, 'c3')"
LOST = "made.at(-1).fail(0)"  # it reconnects by itself
CLOSED = "made.at(-1).fail(2)"  # it never will
AUTH = "made.at(-1).say('auth', {reason: 'ended'}, '')"
RESET = "made.at(-1).say('reset', {topics: ['Article/1'], reason: 'epoch'}, 'c9')"
POLLS = [20_000, "made.at(-1).fail(0)", "made.at(-1).say('heartbeat', {cursor: 'c5'}, 'c5')"] * 2 + [21_000]  # a minute
CREATE = "global.comment.create.success"


def change(id: str) -> str:
    return f"made.at(-1).say('{CREATE}', {{payload: {{model: {{}}}}}}, '{id}')"


@pytest.fixture
async def stream(guest: Person) -> Person:
    await guest.context.clock.install(time=0)
    await guest.page.clock.pause_at(600_000)
    await guest.page.evaluate(BEGIN)
    return guest


async def do(person: Person, *steps: str | int) -> None:
    """Code for the page, or milliseconds to let pass."""
    for step in steps:
        if isinstance(step, int):
            await person.page.clock.run_for(step)
        else:
            await person.page.evaluate(f"() => {{ {step} }}")


async def look(person: Person, what: str) -> Any:
    return await person.page.evaluate(f"() => {what}")


async def asked(person: Person) -> str:
    """How the newest EventSource was opened."""
    query: str = await look(person, "decodeURIComponent(made.at(-1).asked.toString())")
    return query


HISTORIES = {
    "opened": ([OPEN], ["connecting"]),
    "nothing was missed": ([OPEN, LEVEL], ["connecting", "live"]),
    "something was missed": ([OPEN, BEHIND], ["connecting", "catching-up"]),
    "caught up": ([OPEN, BEHIND, change("c4"), change("c5")], ["connecting", "catching-up", "live"]),
    "not yet": ([OPEN, BEHIND, change("c4")], ["connecting", "catching-up"]),
    "quiet: then it was all": ([OPEN, BEHIND, change("c7"), 1_100], ["connecting", "catching-up", "live"]),
    "fallen behind": ([OPEN, LEVEL, BEHIND], ["connecting", "live", "catching-up"]),
    "lost": ([OPEN, LEVEL, LOST], ["connecting", "live", "reconnecting"]),
    "lost before it came": ([OPEN, LOST], ["connecting", "reconnecting"]),
    "lost while catching up": ([OPEN, BEHIND, LOST], ["connecting", "catching-up", "reconnecting"]),
    "and back": ([OPEN, LEVEL, LOST, LEVEL], ["connecting", "live", "reconnecting", "live"]),
    "back, and something was missed": (
        [OPEN, LEVEL, LOST, BEHIND, change("c5")],
        ["connecting", "live", "reconnecting", "catching-up", "live"],
    ),
    "lost for good": ([OPEN, LEVEL, LOST, LOST, LOST, LOST], ["connecting", "live", "reconnecting", "offline"]),
    "after all": ([OPEN, LOST, LOST, LOST, LOST, LEVEL], ["connecting", "reconnecting", "offline", "live"]),
    "the browser is offline": ([OPEN, LEVEL, "stream.despair()"], ["connecting", "live", "offline"]),
    "and online again": (
        [OPEN, LEVEL, "stream.despair()", LOST, "stream.renew()", LEVEL],
        ["connecting", "live", "offline", "live"],
    ),
    "the login has ended": ([OPEN, LEVEL, AUTH, LOST], ["connecting", "live", "signed-out"]),
    "and stays so": ([OPEN, LEVEL, AUTH, LOST, LOST], ["connecting", "live", "signed-out"]),
    "it had, and the stream goes on for a guest": ([OPEN, LEVEL, AUTH, LEVEL], ["connecting", "live"]),
    "somebody else looks": (
        [OPEN, LEVEL, AUTH, LOST, OPEN, LEVEL],
        ["connecting", "live", "signed-out", "connecting", "live"],
    ),
    "nothing comes, so it is asked for once": ([OPEN, 10_100], ["connecting"]),
    "and that helps": ([OPEN, 10_100, LEVEL], ["connecting", "polling"]),
    "a poll ends, and another": ([OPEN, 10_100, LEVEL, LOST, LEVEL, LOST], ["connecting", "polling"]),
    "a poll that brings nothing": ([OPEN, 10_100, LEVEL, LOST, LOST], ["connecting", "polling", "reconnecting"]),
    "not even a poll comes through": ([OPEN, 10_100, 10_100], ["connecting", "reconnecting"]),
    "streaming again": ([OPEN, 10_100, LEVEL, *POLLS, LEVEL], ["connecting", "polling", "live"]),
    "no heartbeat": ([OPEN, LEVEL, 40_000], ["connecting", "live", "reconnecting"]),
    "closed": ([OPEN, LEVEL, "stream.close()"], ["connecting", "live", "idle"]),
    "a reset goes on from the head": ([OPEN, LEVEL, RESET], ["connecting", "live"]),
    "resets in a loop": ([OPEN, LEVEL, RESET, RESET, RESET, RESET], ["connecting", "live", "reconnecting"]),
}


async def test_states(stream: Person) -> None:
    for name, (steps, states) in HISTORIES.items():
        await stream.page.evaluate("() => { window.stream.close(); window.states.length = 0; }")
        await do(stream, "window.begin()", *steps)
        assert await look(stream, "window.states") == states, name


async def test_who_is_closed_for_good_begins_again_where_it_was(stream: Person) -> None:
    await do(stream, OPEN, LEVEL, change("c6"), CLOSED)
    assert await look(stream, "made.length") == 1
    await do(stream, 1_100)
    assert await look(stream, "made.length") == 2
    assert await asked(stream) == "topic=Article/1&cursor=c6&user="


async def test_each_try_waits_longer_and_not_for_ever(stream: Person) -> None:
    await do(stream, OPEN)
    waits = []
    for _ in range(10):
        await do(stream, CLOSED)
        made, waited = await look(stream, "made.length"), 0
        while await look(stream, "made.length") == made:
            await do(stream, 250)
            waited += 250
        waits.append(waited)
    assert waits[0] <= 1_250, waits
    assert waits[-1] > 4 * waits[0], (waits, await look(stream, "made.map((one) => String(one.asked))"))
    assert max(waits) <= 30_250, waits


async def test_a_refused_stream_asks_why_and_another_may_be_opened_in_its_place(stream: Person) -> None:
    answer = """window.fetch = async (address) => {
      window.fetched = address;
      const headers = { "Content-Type": "application/problem+json" };
      return new Response('{"topic_positions": [0]}', { status: 422, headers });
    }"""
    again = "(why) => { refusals.push(why); if (refusals.length > 1) stream.open([], [], null, stream.failures); }"
    begin = f"window.refusals = []; window.stream = new Stream({{ hear() {{}}, tell() {{}}, refused: {again} }})"
    await stream.page.evaluate(
        f"async () => {{ {answer}; const {{ Stream }} = await import('/static/js/stream.js'); {begin} }}"
    )
    await do(stream, OPEN, CLOSED, 1_100)
    assert await look(stream, "refusals") == [{"status": 422, "positions": [0]}]
    assert "once=1" in await look(stream, "fetched")
    assert await asked(stream) == "topic=Article/1&cursor=snapshot&user=", "its owner did nothing"
    await do(stream, CLOSED, 2_100)
    assert await asked(stream) == "user="
    assert await look(stream, "made.length") == 3
    assert await look(stream, "stream.failures") == 2


async def test_a_lost_connection_is_the_browsers_own_affair(stream: Person) -> None:
    await do(stream, OPEN, LEVEL, LOST, 5_000)
    assert await look(stream, "made.length") == 1


async def test_silence_is_noticed_after_a_sleep(stream: Person) -> None:
    await do(stream, OPEN, LEVEL, 30_000)
    assert await look(stream, "made.length") == 1
    await stream.page.clock.fast_forward(3_600_000)  # the machine slept: one tick, an hour later
    await do(stream, 2_100)
    assert await look(stream, "made.length") == 2
    assert await look(stream, "made[0].readyState") == 2


async def test_a_clock_that_is_set_back_hides_no_silence(stream: Person) -> None:
    await do(stream, OPEN, LEVEL)
    await do(stream, "const now = Date.now; Date.now = () => now() - 86_400_000", 50_000)
    assert await look(stream, "made.length") > 1


async def test_a_hurry_is_for_who_waits(stream: Person) -> None:
    await do(stream, OPEN, LEVEL, "stream.hurry()")
    assert await look(stream, "made.length") == 1
    await do(stream, CLOSED, "stream.hurry()")
    assert await look(stream, "made.length") == 2
    await do(stream, 60_000)  # what had been waited for does not happen as well
    assert await look(stream, "made.filter((source) => source.readyState !== 2).length") == 1


async def test_polls_ask_once_and_streaming_is_tried_later_and_later(stream: Person) -> None:
    await do(stream, OPEN, 10_100)
    assert await asked(stream) == "topic=Article/1&cursor=snapshot&user=&once=1"
    await do(stream, LEVEL, *POLLS)
    assert await asked(stream) == "topic=Article/1&cursor=c5&user="
    await do(stream, 10_100, LEVEL, *POLLS)
    assert "once" in await asked(stream), "the second time it takes two minutes"


async def test_a_loop_of_resets_is_slowed_and_none_is_lost(stream: Person) -> None:
    await do(stream, OPEN, LEVEL, *[RESET] * 4)
    assert [name for name, _ in await look(stream, "heard")].count("reset") == 3
    assert await look(stream, "made[0].readyState") == 2
    await do(stream, 31_000)
    assert [name for name, _ in await look(stream, "heard")].count("reset") == 4
    assert await look(stream, "made[1].asked.get('cursor')") == "c9"


async def test_after_the_end_nothing_is_heard(stream: Person) -> None:
    await do(stream, OPEN, LEVEL, "stream.close()", 120_000)
    assert await look(stream, "made.length") == 1


async def test_the_drawing_is_true(stream: Person) -> None:
    """Of what leads elsewhere the drawing shows all but what is the same everywhere."""
    look_up = "async () => (await import('/static/js/stream_states.js')).TRANSITIONS"
    table: dict[str, dict[str, str]] = await stream.page.evaluate(look_up)
    everywhere = {"open": "connecting", "close": "idle", "ended": "signed-out"}
    assert all(inputs.items() >= everywhere.items() for state, inputs in table.items() if state != "idle")
    wanted = {
        (state, input, to)
        for state, inputs in table.items()
        for input, to in inputs.items()
        if to != state and (state == "idle" or input not in everywhere)
    }
    drawing = re.findall(r"^ +([\w-]+) --> ([\w-]+): (\w+)$", DRAWING.read_text(), re.MULTILINE)
    assert {(state, input, to) for state, to, input in drawing} == wanted
