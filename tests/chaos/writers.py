"""Writers: each person posts, edits and deletes comments, and repeats a request until its result is known.

Each writer has a random generator for the next step, its topic and the pause before it. Every step draws the same
number of times, so the responses of the service do not change the rest of the script.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import UUID

import httpx

from tests.chaos.ledger import Ask, Ledger, Verb
from tests.support.people import sign_up
from tests.support.serving import browser

TOPICS = ("Article/1", "Article/1", "Article/2", "Page/about")  # one topic gets more comments than the others
RESPONSE_TIMEOUT_SECONDS = 5.0
HASTE = (0.002, 0.05)  # seconds until a person closes the page during a request
RETRY_SECONDS = (0.2, 1.0)  # until the request is repeated
THINKING = (0.05, 0.4)  # seconds between two steps
PADDING = (0, 40, 400, 4_000, 8_000)  # characters, which fill the buffers of slow readers

GATEWAY = {502, 503, 504}


@dataclass(frozen=True)
class Step:
    """The next step. `pick`, from 0 to 1, chooses among the comments that exist then."""

    deed: str
    topic: str
    id: UUID
    pick: float
    padding: int
    hasty: bool
    door: int
    thinking: float


DEEDS = {"say": 40, "reply": 15, "correct": 12, "correct if unchanged": 12, "correct what is stale": 4, "take back": 12,
         "trespass": 3, "say again": 2}  # fmt: skip


def script(name: str, seed: int) -> Iterator[Step]:
    """The endless script of one person."""
    dice = Random(f"{seed} {name}")
    while True:
        yield Step(
            deed=dice.choices([*DEEDS], [*DEEDS.values()])[0],
            topic=dice.choice(TOPICS),
            id=UUID(int=dice.getrandbits(128), version=4),
            pick=dice.random(),
            padding=dice.choice(PADDING),
            hasty=dice.random() < 0.05,
            door=dice.getrandbits(16),
            thinking=dice.uniform(*THINKING),
        )


class Writer:
    """One person. `urls` are the doors, which are equivalent."""

    def __init__(self, name: str, urls: Sequence[str], seed: int, ledger: Ledger, everything: dict[UUID, Any]) -> None:
        self.name = name
        self.client = browser("", timeout=RESPONSE_TIMEOUT_SECONDS)
        self._urls = urls
        self._steps = script(name, seed)
        self._dice = Random(f"{seed} {name}'s patience")
        self._ledger = ledger
        self._everything = everything  # all acknowledged comments, for replies
        self._mine: dict[UUID, dict[str, Any]] = {}
        self._before: dict[UUID, int] = {}  # a seq at which the writer's comment had other content
        self._serial = 0

    async def sign_up(self) -> None:
        async with browser(self._urls[0]) as client:
            await sign_up(client, self.name)
            self.client.cookies = client.cookies

    async def work(self, over: asyncio.Event) -> None:
        """Run step after step until `over` is set, and finish the last step."""
        while not over.is_set():
            step = next(self._steps)
            await self._do(step)
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), step.thinking)

    async def _do(self, step: Step) -> None:
        self._serial += 1
        mine = _pick(self._mine, step)
        others = _pick({id: said for id, said in self._everything.items() if id not in self._mine}, step)
        if step.deed in ("say", "say again", "reply") or mine is None:
            parent = _pick(self._on(step.topic), step) if step.deed == "reply" else None
            await self._post(step, parent, again=step.deed == "say again")
        elif step.deed == "take back":
            await self._delete(step, mine)
        elif step.deed == "trespass":
            if others is not None:
                await self._trespass(step, others)
        else:
            await self._edit(step, mine, step.deed)

    def _on(self, topic: str) -> dict[UUID, Any]:
        return {id: said for id, said in self._everything.items() if _topic_of(said) == topic}

    async def _post(self, step: Step, parent: dict[str, Any] | None, again: bool) -> None:
        type_, id_ = step.topic.split("/")
        ask = self._ledger.ask(by=self.name, verb=Verb.CREATE, id=step.id, body=self._words(step))
        form = {"id": str(step.id), "body": ask.body, "commentable_type": type_, "commentable_id": id_}
        response = await self._send(ask, step, "POST", "/api/comments/", {**form, "parent_id": parent and parent["id"]})
        # The parent comment may have been deleted meanwhile.
        if said := self._settle(ask, response, {201, 200}, refusals={422} if parent else set()):
            self._keep(said)
        if again and said:
            await self._post_twice(step, form)

    async def _post_twice(self, step: Step, form: Mapping[str, Any]) -> None:
        """Post the same id with another body: the response is the stored comment, and the body is never stored."""
        ask = self._ledger.ask(by=self.name, verb=Verb.CREATE, id=step.id, body=f"{form['body']} (not this)")
        response = await self._send(ask, step, "POST", "/api/comments/", {**form, "body": ask.body})
        ask.refuse(response.status_code)
        if response.status_code != httpx.codes.OK or response.json()["body"] != form["body"]:
            self._ledger.complain(f"{self.name}: the same id again was answered {response.status_code}")

    async def _edit(self, step: Step, mine: dict[str, Any], deed: str) -> None:
        id_ = UUID(mine["id"])
        etag = None if deed == "correct" else mine["seq"]
        if deed == "correct what is stale":
            etag = self._before.get(id_, mine["created_seq"] - 1)
        headers = {"If-Match": f'"{etag}"'} if etag is not None else {}
        ask = self._ledger.ask(
            by=self.name, verb=Verb.EDIT, id=id_, body=self._words(step), conditional=etag is not None
        )
        response = await self._send(ask, step, "PUT", f"/api/comments/{id_}", {**mine, "body": ask.body}, headers)
        if response.status_code == httpx.codes.PRECONDITION_FAILED:
            self._learn(ask, response.json()["comment"], stale=deed == "correct what is stale")
        elif said := self._settle(ask, response, {200}):
            if deed == "correct what is stale":
                self._ledger.complain(f"{self.name}: a stale If-Match passed on {id_}")
            self._keep(said)

    def _learn(self, ask: Ask, current: dict[str, Any], stale: bool) -> None:
        """Handle a 412: another edit was faster, or the writer's own edit whose response was lost."""
        if current["body"] == ask.body:
            ask.acknowledge(412, current)
        else:
            ask.refuse(412)
            if not ask.lost and not stale and current["seq"] == self._mine[ask.id]["seq"]:
                self._ledger.complain(f"{self.name}: If-Match with the newest ETag of {ask.id} failed")
        self._keep(current)

    async def _delete(self, step: Step, mine: dict[str, Any]) -> None:
        id_ = UUID(mine["id"])
        ask = self._ledger.ask(by=self.name, verb=Verb.DELETE, id=id_)
        response = await self._send(ask, step, "DELETE", f"/api/comments/{id_}")
        if self._settle(ask, response, {204}) is not None:
            self._mine.pop(id_)
            self._everything.pop(id_, None)

    async def _trespass(self, step: Step, others: dict[str, Any]) -> None:
        """Try to change the comment of another person."""
        id_ = UUID(others["id"])
        ask = self._ledger.ask(by=self.name, verb=Verb.EDIT, id=id_, body=self._words(step))
        response = await self._send(ask, step, "PATCH", f"/api/comments/{id_}", {"body": ask.body})
        if self._settle(ask, response, set(), refusals={403, 404}) is not None:
            self._ledger.complain(f"{self.name} could change another's comment")

    async def _send(
        self, ask: Ask, step: Step, method: str, path: str, form: Any = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Repeat the request through any door until the service itself responds, and return that response."""
        timeout = self._dice.uniform(*HASTE) if step.hasty else RESPONSE_TIMEOUT_SECONDS
        while True:
            url = f"{self._urls[(step.door + ask.sent) % len(self._urls)]}{path}"
            ask.sent += 1
            try:
                async with asyncio.timeout(timeout):
                    response = await self.client.request(method, url, json=form, headers=headers)
                if response.status_code not in GATEWAY:
                    return response
            except (httpx.TransportError, TimeoutError):
                pass
            ask.lost += 1
            timeout = RESPONSE_TIMEOUT_SECONDS
            await asyncio.sleep(self._dice.uniform(*RETRY_SECONDS))

    def _settle(
        self, ask: Ask, response: httpx.Response, welcome: set[int], refusals: Collection[int] = ()
    ) -> dict[str, Any] | None:
        """The comment in the response (or {}), or None if it was refused; anything else is a violation."""
        if response.status_code in welcome:
            said: dict[str, Any] = response.json() if response.content else {}
            ask.acknowledge(response.status_code, said)
            if said and said["body"] != ask.body:
                self._ledger.complain(f"{self.name}: {ask.verb} of {ask.id} was answered with another body")
            return said
        ask.refuse(response.status_code)
        if response.status_code not in refusals:
            self._ledger.complain(f"{self.name}: {ask.verb} was answered {response.status_code}: {response.text:.200}")
        return None

    def _keep(self, said: dict[str, Any]) -> None:
        id_ = UUID(said["id"])
        if (known := self._mine.get(id_)) and known["body"] != said["body"]:
            self._before[id_] = known["seq"]
        self._mine[id_] = self._everything[id_] = said

    def _words(self, step: Step) -> str:
        """A unique body."""
        return f"{self.name} {self._serial} {'talk ' * (step.padding // 5)}".strip()


def _pick(said: Mapping[UUID, dict[str, Any]], step: Step) -> dict[str, Any] | None:
    """Choose one of these comments, in the order of ids, because the seed does not decide the order of responses."""
    ids = sorted(said)
    return said[ids[int(step.pick * len(ids))]] if ids else None


def _topic_of(said: Mapping[str, Any]) -> str:
    return f"{said['commentable_type']}/{said['commentable_id']}"
