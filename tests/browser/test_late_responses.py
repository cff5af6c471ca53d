"""Responses and events that arrive late, twice or in another order: no page shows an older state or a deleted text."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import APIResponse, Route

from tests.browser.network_faults import API
from tests.browser.people import Person
from tests.support.people import delete, edit, snapshot, write
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import httpx

pytestmark = pytest.mark.usefixtures("network_errors")

HISTORIES = 3
ACTS = 60
COMMENTS = 6
WEIGHTS = (6, 4, 3, 1, 2)  # of replays, responses, Alice in a tab, Alice over HTTP, Carol
MAX_PAUSE_SECONDS = 0.02  # between two acts

RECORD = """() => {
  window.events = [];
  parley.bus.on("all", (name, model) => {
    if (name.startsWith("global.")) window.events.push([name, structuredClone(model)]);
  });
}"""
REPLAY = """(pick) => {
  const [name, model] = window.events[Math.floor(pick * window.events.length)] ?? [];
  if (name) parley.bus.trigger(name, structuredClone(model));
}"""


class HeldResponses:
    """Responses of the API that have left the server. A test releases them to the page one by one."""

    def __init__(self) -> None:
        self.responses: list[tuple[Route, APIResponse]] = []
        self.holding = True

    async def hold(self, person: Person, method: str | None = None) -> HeldResponses:
        async def hold_response(route: Route) -> None:
            if not self.holding or method not in (None, route.request.method):
                await route.fallback()
                return
            self.responses.append((route, await route.fetch()))
            if not self.holding:
                await self.release_all()

        await person.context.route(API, hold_response)
        return self

    async def wait_for_first(self) -> None:
        await wait_until(lambda: self.responses, "a response to hold")

    async def release(self, index: int = 0) -> None:
        route, response = self.responses.pop(index)
        await route.fulfill(response=response)

    async def release_any(self, chance: random.Random) -> None:
        if self.responses:
            await self.release(chance.randrange(len(self.responses)))

    async def release_all(self) -> None:
        self.holding = False
        while self.responses:
            await self.release()


async def fetch_comment(alice: Person) -> dict[str, Any]:
    [comment] = (await snapshot(alice.client))["comments"]
    return dict(comment)


async def edit_on_phone(alice: Person, comment: dict[str, Any]) -> list[str]:
    await edit(alice.client, comment, "Edited on the phone")
    return ["Edited on the phone"]


async def delete_on_phone(alice: Person, comment: dict[str, Any]) -> list[str]:
    await delete(alice.client, comment)
    return []


Later = Callable[[Person, dict[str, Any]], Awaitable[list[str]]]


@pytest.mark.parametrize("later", [edit_on_phone, delete_on_phone])
async def test_alice_keeps_a_later_change_when_the_response_to_her_post_arrives_late(
    later: Later, alice: Person
) -> None:
    held = await HeldResponses().hold(alice, "POST")
    await alice.write("Written here")
    await held.wait_for_first()
    await alice.is_settled()  # by the echo
    bodies = await later(alice, await fetch_comment(alice))
    await alice.sees(*bodies)
    await release_responses(alice, held)
    await alice.sees(*bodies)
    await alice.every_tab_matches_server()


@pytest.mark.parametrize("later", [edit_on_phone, delete_on_phone])
async def test_alice_keeps_a_later_change_when_the_response_to_her_edit_arrives_late(
    later: Later, alice: Person
) -> None:
    comment = await write(alice.client, "Written there")
    await alice.sees("Written there")
    held = await HeldResponses().hold(alice, "PATCH")
    await alice.edit_in_model("Written there", "Edited here")
    await held.wait_for_first()
    await alice.is_settled()
    bodies = await later(alice, comment)
    await alice.sees(*bodies)
    await release_responses(alice, held)
    await alice.sees(*bodies)
    await alice.every_tab_matches_server()


@pytest.mark.parametrize("later", [edit_on_phone, delete_on_phone])
async def test_alice_keeps_a_later_change_when_a_snapshot_arrives_late(later: Later, alice: Person) -> None:
    comment = await write(alice.client, "Written there")
    await alice.sees("Written there")
    held = await HeldResponses().hold(alice, "GET")
    await alice.page.evaluate("parley.bus.trigger('local.stream.reset', { topics: ['Article/1'], reason: 'a test' })")
    await held.wait_for_first()
    bodies = await later(alice, comment)
    await alice.sees(*bodies)
    await release_responses(alice, held)
    await alice.sees(*bodies)
    await alice.every_tab_matches_server()


async def release_responses(alice: Person, held: HeldResponses) -> None:
    async with alice.page.expect_request_finished():
        await held.release_all()
    await alice.page.evaluate(
        "fetch('/healthz').then((response) => response.text())"
    )  # the page has handled the response before this one


@pytest.mark.parametrize("history", range(HISTORIES))
async def test_alice_sees_the_same_thread_in_whatever_order_responses_and_events_arrive(
    history: int, seed: int, alice: Person, carol_client: httpx.AsyncClient
) -> None:
    chance = random.Random(f"{seed} {history}")
    tabs = [alice, await alice.open_another_tab()]
    for tab in tabs:
        await tab.page.evaluate(RECORD)
    mine = [await write(alice.client, f"Alice {turn}") for turn in range(COMMENTS)]
    carols = [await write(carol_client, f"Carol {turn}") for turn in range(COMMENTS)]
    for tab in tabs:
        await tab.until(f"parley.comments.length === {2 * COMMENTS}", "all comments")
    held = await HeldResponses().hold(alice)
    act = {
        "replay": lambda _: chance.choice(tabs).page.evaluate(REPLAY, chance.random()),
        "response": lambda _: held.release_any(chance),
        "here": lambda turn: act_in_tab(chance, chance.choice(tabs), f"here {turn}"),
        "there": lambda turn: act_over_http(chance, alice.client, mine, f"there {turn}"),
        "Carol": lambda turn: act_over_http(chance, carol_client, carols, f"Carol {turn}"),
    }
    for turn in range(ACTS):
        await act[chance.choices(list(act), WEIGHTS)[0]](turn)
        await asyncio.sleep(chance.random() * MAX_PAUSE_SECONDS)
    await held.release_all()
    await discard_refused(tabs)
    for tab in tabs:
        await tab.page.evaluate(REPLAY, chance.random())
    await alice.every_tab_matches_server()


async def discard_refused(tabs: list[Person]) -> None:
    """Discard refused changes, which are frequent because two devices change the same comments."""
    for tab in tabs:
        await tab.until("parley.outbox.records.every((record) => record.problem)", "each change to be sent or refused")
    for tab in tabs:
        await tab.page.evaluate(CLOSE_EDITORS)
    await tabs[0].page.evaluate(DISCARD)
    for tab in tabs:
        await tab.until("parley.outbox.records.length === 0", "an empty outbox")


# Write a comment, or edit or delete one of hers.
ACT = """({ pick, body, act }) => {
  const mine = parley.comments.filter((one) => one.get("user_id") === parley.account.id && one.state() !== "deleting");
  const one = mine[Math.floor(pick * mine.length)];
  if (act === "w" || !one) parley.comments.compose(body, parley.account);
  else if (act === "e") one.edit(body, { seq: one.get("seq"), body: one.get("body") });
  else one.remove();
}"""
# A refused text is in an open editor, also after its comment is deleted.
CLOSE_EDITORS = "() => document.querySelectorAll('.editor__cancel').forEach((button) => button.click())"
DISCARD = "() => parley.outbox.records.forEach(({ type, key }) => parley.outbox.discard(type, key))"


async def act_in_tab(chance: random.Random, tab: Person, body: str) -> None:
    await tab.page.evaluate(ACT, {"pick": chance.random(), "body": body, "act": chance.choice("wweeeed")})


async def act_over_http(
    chance: random.Random, client: httpx.AsyncClient, known: list[dict[str, Any]], body: str
) -> None:
    if not known or chance.random() < 0.3:
        known.append(await write(client, body))
    elif chance.random() < 0.3:
        await client.delete(f"/api/comments/{known.pop(chance.randrange(len(known)))['id']}")
    else:
        await client.put(f"/api/comments/{chance.choice(known)['id']}", json={"body": body})
