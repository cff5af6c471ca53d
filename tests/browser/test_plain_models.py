"""Plain models and collections, of Backbone's own classes, behave the same with and without our overrides.

The tests describe the contract of Backbone.sync over real XMLHttpRequests, which Backbone's own tests do not use. One
difference is intended: error callbacks and "error" events get a Problem instead of the xhr. The last test has what the
overrides add.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Browser, Error, Page, Route

from tests.browser.upstream.stage import LIBRARIES, LIBRARIES_WITH_JQUERY, ORIGIN, open_page, ours

RUNNER = "<script type='module' src='/upstream/plain.js'></script>"
HEADERS = ("content-type", "x-mine", "x-http-method-override", "if-match")  # the headers that the tests compare
SLOW = f"{ORIGIN}/things/slow"
JSON = "content-type: application/json"


@dataclass(frozen=True)
class Act:
    """JavaScript for plain.js, the requests that it sends, the events that follow, and its return value."""

    code: str
    sent: list[str] = field(default_factory=list)
    events: list[Any] = field(default_factory=list)
    returned: str = "xhr 0"


REQUEST = ["model: request model xhr 0 options"]
CHANGED = ["model: change:title model Mine data", "model: change model data"]
THEIRS = ["model: change:title model Theirs options", "model: change model options"]
SUCCESS = ["success model data options", "model: sync model data options", "complete success"]
OLD = '{"id":1,"title":"Old"}'
MINE = '{"id":1,"title":"Mine"}'
GONE = [
    "model: remove model things options",
    "things: update things options",
    "model: destroy model things options",
    "success model undefined options",
    "model: sync model undefined options",
    "complete nocontent",
]


def failed(status: int, word: str = "error") -> list[str]:
    return [f"error model xhr {status} options", f"model: error model xhr {status} options", f"complete {word}"]


ACTS = {
    "create": Act(
        "fresh.save(null, hooks())",
        ["POST /things", JSON, '{"title":"New"}'],
        [
            "fresh: request fresh xhr 0 options",
            "fresh: changeId fresh undefined options",
            "fresh: change:id fresh 2 options",
            "fresh: change:title fresh Created options",
            "fresh: change fresh options",
            "success fresh data options",
            "fresh: sync fresh data options",
            "complete success",
        ],
    ),
    "create in a collection": Act(
        "things.create({ title: 'New' }, hooks())",
        ["POST /things", JSON, '{"title":"New"}'],
        [
            "things: add a model undefined things data",
            "things: update things data",
            "things: request a model undefined xhr 0 options",
            "things: changeId a model 2 undefined options",
            "things: change:id a model 2 2 options",
            "things: change:title a model 2 Created options",
            "things: change a model 2 options",
            "success a model 2 data options",
            "things: sync a model 2 data options",
            "complete success",
        ],
        "a model undefined",
    ),
    "create in a collection, waiting": Act(
        "things.create({ title: 'New' }, hooks({ wait: true }))",
        ["POST /things", JSON, '{"title":"New"}'],
        [
            "things: add a model 2 things options",
            "things: update things options",
            "success a model 2 data options",
            "things: sync a model 2 data options",
            "complete success",
        ],
        "a model undefined",
    ),
    "read": Act("model.fetch(hooks())", ["GET /things/1"], [*REQUEST, *THEIRS, *SUCCESS]),
    "read a collection": Act(
        "things.fetch(hooks({ data: { page: 2 } }))",
        ["GET /things?page=2"],
        [
            "things: request things xhr 0 options",
            *THEIRS,
            "things: add a model 3 things options",
            "things: sort things options",
            "things: update things options",
            "success things data options",
            "things: sync things data options",
            "complete success",
        ],
    ),
    "read and reset a collection": Act(
        "things.fetch(hooks({ reset: true }))",
        ["GET /things"],
        [
            "things: request things xhr 0 options",
            "things: reset things options",
            "success things data options",
            "things: sync things data options",
            "complete success",
        ],
    ),
    "update": Act(
        "model.save({ title: 'Mine' }, hooks())",
        ["PUT /things/1", JSON, MINE],
        [*CHANGED, *REQUEST, *THEIRS, *SUCCESS],
    ),
    "update, waiting": Act(
        "model.save({ title: 'Mine' }, hooks({ wait: true }))",
        ["PUT /things/1", JSON, MINE],
        [*REQUEST, *THEIRS, *SUCCESS],
    ),
    "patch": Act(
        "model.save({ title: 'Mine' }, hooks({ patch: true }))",
        ["PATCH /things/1", JSON, '{"title":"Mine"}'],
        [*CHANGED, *REQUEST, *THEIRS, *SUCCESS],
    ),
    "destroy": Act("model.destroy(hooks())", ["DELETE /things/1"], [*REQUEST, *GONE]),
    "destroy, waiting": Act("model.destroy(hooks({ wait: true }))", ["DELETE /things/1"], [*REQUEST, *GONE]),
    "destroy a new one": Act("fresh.destroy()", [], ["fresh: destroy fresh undefined data"], "false"),
    "other attributes": Act(
        "model.save(null, hooks({ attrs: { only: 'this' } }))",
        ["PUT /things/1", JSON, '{"only":"this"}'],
        [*REQUEST, *THEIRS, *SUCCESS],
    ),
    "other data": Act(
        "model.save(null, hooks({ data: 'as it is', contentType: 'text/plain' }))",
        ["PUT /things/1", "content-type: text/plain", "as it is"],
        [*REQUEST, *THEIRS, *SUCCESS],
    ),
    "another url": Act("model.fetch(hooks({ url: '/things/x' }))", ["GET /things/x"], [*REQUEST, *THEIRS, *SUCCESS]),
    "no url": Act("homeless.fetch()", returned='throws A "url" property or function must be specified'),
    "no options": Act("Backbone.sync('read', model)", ["GET /things/1"], REQUEST),
    "refused": Act(
        "model.save({ title: 'Mine' }, hooks({ url: '/things/refused' }))",
        ["PUT /things/refused", JSON, MINE],
        [*CHANGED, *REQUEST, *failed(422)],
    ),
    "refused, waiting": Act(
        "model.save({ title: 'Mine' }, hooks({ url: '/things/refused', wait: true }))",
        ["PUT /things/refused", JSON, MINE],
        [*REQUEST, *failed(422)],
    ),
    "refused, without a callback": Act(
        "model.fetch({ url: '/things/refused' })",
        ["GET /things/refused"],
        [*REQUEST, "model: error model xhr 422 options"],
    ),
    "refused, with a context": Act(
        "model.fetch({ url: '/things/refused', context: 'mine', error() { events.push(`error of ${this}`) } })",
        ["GET /things/refused"],
        [*REQUEST, "error of mine", "model: error model xhr 422 options"],
    ),
    "refused, with a context, by sync itself": Act(
        "Backbone.sync('read', model, "
        "{ url: '/things/refused', context: 'mine', error(_, word) { events.push(`${word} of ${this}`) } })",
        ["GET /things/refused"],
        [*REQUEST, "error of mine"],
    ),
    "refused, and why": Act(
        "model.fetch({ url: '/things/refused', error: (...[,, why]) => events.push(why.textStatus, why.xhr.status) })",
        ["GET /things/refused"],
        [*REQUEST, "error", 422, "model: error model xhr 422 options"],
    ),
    "unreachable": Act("model.fetch(hooks({ url: '/things/away' }))", ["GET /things/away"], [*REQUEST, *failed(0)]),
    "too slow": Act(
        "model.fetch(hooks({ url: '/things/slow', timeout: 50 }))",
        [],
        [*REQUEST, *failed(0, "timeout")],
    ),
    "with a timeout of its own": Act(
        "model.fetch({ url: '/things/away', timeout: 60_000, error: (...[,, why]) => events.push(why.timeout) })",
        ["GET /things/away"],
        [*REQUEST, 60_000, "model: error model xhr 0 options"],
    ),
    "not JSON": Act(
        "model.fetch(hooks({ url: '/things/garbled' }))",
        ["GET /things/garbled"],
        [*REQUEST, *failed(200, "parsererror")],
    ),
    "aborted": Act(
        "void model.fetch(hooks({ url: '/things/slow' })).abort()",
        events=[*REQUEST, *failed(0, "abort")],
        returned="undefined",
    ),
    "invalid": Act(
        "model.save({ title: '' }, hooks())", [], ["model: invalid model a title is wanted data"], returned="false"
    ),
    "invalid, and sent": Act(
        "model.save(null, hooks({ attrs: { title: '' }, validate: false }))",
        ["PUT /things/1", JSON, '{"title":""}'],
        [*REQUEST, *THEIRS, *SUCCESS],
    ),
    "headers": Act(
        "model.fetch(hooks({ headers: { 'X-Mine': 'kept' } }))",
        ["GET /things/1", "x-mine: kept"],
        [*REQUEST, *THEIRS, *SUCCESS],
    ),
    "before it is sent": Act(
        "model.fetch(hooks({ beforeSend(xhr) { xhr.setRequestHeader('X-Mine', 'late'); events.push('beforeSend') } }))",
        ["GET /things/1", "x-mine: late"],
        ["beforeSend", *REQUEST, *THEIRS, *SUCCESS],
    ),
    "stopped before it is sent": Act(
        "model.fetch(hooks({ beforeSend: () => false }))", [], ["model: request model xhr 0 options"], "xhr 0"
    ),
    "parsed": Act(
        "(model.parse = (answer, { xhr }) => (events.push(`parse ${xhr.status}`), answer), model.fetch(hooks()))",
        ["GET /things/1"],
        [*REQUEST, "parse 200", *THEIRS, *SUCCESS],
    ),
    "for servers that know POST alone": Act(
        "model.save(null, hooks({ emulateHTTP: true }))",
        ["POST /things/1", JSON, "x-http-method-override: PUT", '{"id":1,"title":"Old"}'],
        [*REQUEST, *THEIRS, *SUCCESS],
    ),
    "for servers that know forms alone": Act(
        "(Backbone.emulateHTTP = Backbone.emulateJSON = true, model.destroy(hooks()))",
        [
            "POST /things/1",
            "content-type: application/x-www-form-urlencoded",
            "x-http-method-override: DELETE",
            "_method=DELETE",
        ],
        [*REQUEST, *GONE[:-3], "success model data options", "model: sync model data options", "complete success"],
    ),
}


class World:
    """A page with plain.js, and the routes of a server of things."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.sent: list[str] = []
        self.held: list[Route] = []

    async def do(self, act: Act) -> dict[str, Any]:
        self.sent = []
        done: dict[str, Any] = await self.page.evaluate("(code) => window.act(code)", act.code)
        return {"sent": self.sent, **done}

    async def answer(self, route: Route) -> None:
        request = route.request
        if request.url == SLOW:
            self.held.append(route)  # no response; an aborted request may not arrive
            return
        headers = [f"{name}: {request.headers[name]}" for name in HEADERS if name in request.headers]
        line = f"{request.method} {request.url.removeprefix(ORIGIN)}"
        self.sent += [line, *headers, *filter(None, [request.post_data])]
        match request.method, request.url.removeprefix(f"{ORIGIN}/things").partition("?")[0]:
            case _, "/refused":
                await route.fulfill(status=422, json={"title": "Not so"}, content_type="application/problem+json")
            case _, "/away":
                await route.abort()
            case _, "/garbled":
                await route.fulfill(body="<html>", content_type="application/json")
            case "DELETE", _:
                await route.fulfill(status=204)
            case "GET", "":
                await route.fulfill(json=[{"id": 1, "title": "Theirs"}, {"id": 3, "title": "Third"}])
            case "POST", "":
                await route.fulfill(status=201, json={"id": 2, "title": "Created"})
            case _:
                await route.fulfill(json={"id": 1, "title": "Theirs"})


@asynccontextmanager
async def world(browser: Browser, ours: list[str]) -> AsyncIterator[World]:
    """Backbone with jQuery, or with our overrides and without jQuery, as on the site."""
    libraries = LIBRARIES if ours else LIBRARIES_WITH_JQUERY
    async with await browser.new_context() as context:
        page = await open_page(await context.new_page(), RUNNER, {"ours": ours}, libraries=libraries)
        await page.wait_for_function("window.act")
        world = World(page)
        await page.route(re.compile(f"^{ORIGIN}/things"), world.answer)
        yield world
        for route in world.held:
            with suppress(Error):  # it may be aborted
                await route.abort()


def expected_events(act: Act) -> list[Any]:
    """The events with our overrides: each failed xhr is a Problem with its status."""
    return [
        re.sub(r"(error \w+) xhr (\d+)", r"\1 Problem \2", line) if isinstance(line, str) else line
        for line in act.events
    ]


async def test_a_developer_gets_the_listed_behaviour_from_backbone(browser: Browser) -> None:
    async with world(browser, []) as plain:
        for name, act in ACTS.items():
            done = await plain.do(act)
            assert (name, done["sent"], done["events"], done["returned"]) == (name, act.sent, act.events, act.returned)


async def test_a_developer_gets_the_same_behaviour_with_our_overrides(browser: Browser) -> None:
    async with world(browser, []) as plain, world(browser, ours()) as with_ours:
        for name, act in ACTS.items():
            expected = await plain.do(act) | {"events": expected_events(act)}
            assert (name, await with_ours.do(act)) == (name, expected)


async def test_a_developer_gets_conditional_requests_and_timeouts_from_our_overrides(browser: Browser) -> None:
    conditional = Act("model.save(null, hooks({ ifMatch: 57, headers: { 'X-Mine': 'kept' } }))")
    async with world(browser, []) as plain, world(browser, ours()) as with_ours:
        assert (await plain.do(conditional))["sent"] == ["PUT /things/1", JSON, "x-mine: kept", OLD]
        assert (await with_ours.do(conditional))["sent"] == [
            "PUT /things/1",
            JSON,
            "x-mine: kept",
            'if-match: "57"',
            OLD,
        ]
        impatient = Act("model.fetch({ url: '/things/away', error: (...[,, why]) => events.push(why.timeout > 0) })")
        assert False in (await plain.do(impatient))["events"]
        assert True in (await with_ours.do(impatient))["events"]
