"""Whatever comes late, twice or in another order: never an older state, and never back from the dead."""

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
WEIGHTS = (6, 4, 3, 1, 2)  # of replays, answers, Alice here, Alice there, Carol
BETWEEN = 0.02  # seconds between two acts, at most

RECORD = """() => {
  window.heard = [];
  parley.bus.on("all", (name, model) => {
    if (name.startsWith("global.")) window.heard.push([name, structuredClone(model)]);
  });
}"""
REPLAY = """(pick) => {
  const [name, model] = window.heard[Math.floor(pick * window.heard.length)] ?? [];
  if (name) parley.bus.trigger(name, structuredClone(model));
}"""


class Held:
    """Answers of REST to this person that have come from the server, and are let go one by one."""

    def __init__(self) -> None:
        self.answers: list[tuple[Route, APIResponse]] = []
        self.holding = True

    async def on(self, person: Person, method: str | None = None) -> Held:
        async def hold(route: Route) -> None:
            if not self.holding or method not in (None, route.request.method):
                await route.fallback()
                return
            self.answers.append((route, await route.fetch()))
            if not self.holding:
                await self.let_all_go()

        await person.context.route(API, hold)
        return self

    async def come(self) -> None:
        await wait_until(lambda: self.answers, "an answer to hold")

    async def let_go(self, index: int = 0) -> None:
        route, answer = self.answers.pop(index)
        await route.fulfill(response=answer)

    async def let_any_go(self, chance: random.Random) -> None:
        if self.answers:
            await self.let_go(chance.randrange(len(self.answers)))

    async def let_all_go(self) -> None:
        self.holding = False
        while self.answers:
            await self.let_go()


async def the_one(alice: Person) -> dict[str, Any]:
    [comment] = (await snapshot(alice.client))["comments"]
    return dict(comment)


async def edited(alice: Person, comment: dict[str, Any]) -> list[str]:
    await edit(alice.client, comment, "Edited on the phone")
    return ["Edited on the phone"]


async def deleted(alice: Person, comment: dict[str, Any]) -> list[str]:
    await delete(alice.client, comment)
    return []


Later = Callable[[Person, dict[str, Any]], Awaitable[list[str]]]


@pytest.mark.parametrize("later", [edited, deleted])
async def test_the_answer_to_a_create_comes_after_what_was_done_later(later: Later, alice: Person) -> None:
    held = await Held().on(alice, "POST")
    await alice.write("Written here")
    await held.come()
    await alice.is_settled()  # by its echo
    bodies = await later(alice, await the_one(alice))
    await alice.sees(*bodies)
    await answered_late(alice, held)
    await alice.sees(*bodies)
    await alice.every_tab_matches_server()


@pytest.mark.parametrize("later", [edited, deleted])
async def test_the_answer_to_an_edit_comes_after_what_was_done_later(later: Later, alice: Person) -> None:
    comment = await write(alice.client, "Written there")
    await alice.sees("Written there")
    held = await Held().on(alice, "PATCH")
    await alice.edit_in_model("Written there", "Edited here")
    await held.come()
    await alice.is_settled()
    bodies = await later(alice, comment)
    await alice.sees(*bodies)
    await answered_late(alice, held)
    await alice.sees(*bodies)
    await alice.every_tab_matches_server()


@pytest.mark.parametrize("later", [edited, deleted])
async def test_a_snapshot_comes_after_what_was_done_later(later: Later, alice: Person) -> None:
    comment = await write(alice.client, "Written there")
    await alice.sees("Written there")
    held = await Held().on(alice, "GET")
    await alice.page.evaluate("parley.bus.trigger('local.stream.reset', { topics: ['Article/1'], reason: 'a test' })")
    await held.come()
    bodies = await later(alice, comment)
    await alice.sees(*bodies)
    await answered_late(alice, held)
    await alice.sees(*bodies)
    await alice.every_tab_matches_server()


async def answered_late(alice: Person, held: Held) -> None:
    async with alice.page.expect_request_finished():
        await held.let_all_go()
    await alice.page.evaluate("fetch('/healthz').then((answer) => answer.text())")  # and what came before it is done


@pytest.mark.parametrize("history", range(HISTORIES))
async def test_in_whatever_order(history: int, seed: int, alice: Person, carol_client: httpx.AsyncClient) -> None:
    chance = random.Random(f"{seed} {history}")
    tabs = [alice, await alice.open_another_tab()]
    for tab in tabs:
        await tab.page.evaluate(RECORD)
    mine = [await write(alice.client, f"Alice {turn}") for turn in range(COMMENTS)]
    carols = [await write(carol_client, f"Carol {turn}") for turn in range(COMMENTS)]
    for tab in tabs:
        await tab.until(f"parley.comments.length === {2 * COMMENTS}", "them")
    held = await Held().on(alice)
    act = {
        "replay": lambda _: chance.choice(tabs).page.evaluate(REPLAY, chance.random()),
        "answer": lambda _: held.let_any_go(chance),
        "here": lambda turn: do_here(chance, chance.choice(tabs), f"here {turn}"),
        "there": lambda turn: do_there(chance, alice.client, mine, f"there {turn}"),
        "Carol": lambda turn: do_there(chance, carol_client, carols, f"Carol {turn}"),
    }
    for turn in range(ACTS):
        await act[chance.choices(list(act), WEIGHTS)[0]](turn)
        await asyncio.sleep(chance.random() * BETWEEN)
    await held.let_all_go()
    await settle(tabs)
    for tab in tabs:
        await tab.page.evaluate(REPLAY, chance.random())
    await alice.every_tab_matches_server()


async def settle(tabs: list[Person]) -> None:
    """Two devices wrote on the same: what was refused for it is given up, for it is not what this is about."""
    for tab in tabs:
        await tab.until("parley.outbox.records.every((record) => record.problem)", "all sent or refused")
    for tab in tabs:
        await tab.page.evaluate(CLOSE_EDITORS)
    await tabs[0].page.evaluate(GIVE_UP)
    for tab in tabs:
        await tab.until("parley.outbox.records.length === 0", "nothing to be left")


# Of what is hers and not refused: write, edit or delete.
HERE = """({ pick, body, act }) => {
  const mine = parley.comments.filter((one) => one.get("user_id") === parley.account.id && one.state() !== "deleting");
  const one = mine[Math.floor(pick * mine.length)];
  if (act === "w" || !one) parley.comments.compose(body, parley.account);
  else if (act === "e") one.edit(body, { seq: one.get("seq"), body: one.get("body") });
  else one.remove();
}"""
# A refused text is shown in an editor, and stays there even when its comment has gone.
CLOSE_EDITORS = "() => document.querySelectorAll('.editor__cancel').forEach((button) => button.click())"
GIVE_UP = "() => parley.outbox.records.forEach(({ type, key }) => parley.outbox.discard(type, key))"


async def do_here(chance: random.Random, tab: Person, body: str) -> None:
    await tab.page.evaluate(HERE, {"pick": chance.random(), "body": body, "act": chance.choice("wweeeed")})


async def do_there(chance: random.Random, client: httpx.AsyncClient, known: list[dict[str, Any]], body: str) -> None:
    if not known or chance.random() < 0.3:
        known.append(await write(client, body))
    elif chance.random() < 0.3:
        await client.delete(f"/api/comments/{known.pop(chance.randrange(len(known)))['id']}")
    else:
        await client.put(f"/api/comments/{chance.choice(known)['id']}", json={"body": body})
