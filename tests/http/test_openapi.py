"""OpenAPI: schemathesis sends valid and invalid requests, and compares the responses with the document."""

from __future__ import annotations

import copy
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, get_type_hints

import httpx
import jsonschema_rs
import pytest
from starlette.routing import Route
from typing_extensions import is_typeddict

from app.accounts import roles
from app.accounts.user import Role
from app.http import metrics, openapi
from app.http.endpoints import Resource
from app.http.security_headers import POLICY
from app.models import LIVE_MODELS
from app.pages import pages, service_worker
from app.settings import Settings
from tests.http.explorer import explore
from tests.support.people import COOKIE, PASSWORD, delete, edit, email_of, me, person, read_json, write
from tests.support.sse import open_stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.applications import Starlette

    from tests.support.serving import Site

SENT_BY_OTHERS = {  # operations after which Alice would not be signed in
    "Carol": "POST /api/account/deletion",
    "Dave": "DELETE /api/session",
    "Erin": "PUT /api/account/password",
    "Frank": "DELETE /api/logins/{id}",
}
NAMES = ["Alice", "Bob", *SENT_BY_OTHERS]
ACCEPTED = ["2xx", "401", "403", "404", "409"]
# These operations refuse some requests that fit their schemas. A schema cannot express common or wrong passwords, used
# links, the author of a comment, or that only one of `before`, `after` and `around` is allowed.
BEYOND_SCHEMAS = (
    r"/api/(users|resets|confirmations|unlocks|comments|commentables|commentables/{type}/{id}|account/\w+"
    r"|comments/{id}/report|users/{id}/role)$"
)
VERSIONED = r"/api/\w+/{id}$"
MODELS = {"comment", "commentable", "like", "notification", "report", "decision", "user"}


@pytest.fixture
def settings(sqlite_url: str, redis_url: str, channel: str) -> Settings:
    return Settings(
        _env_file=None, database_url=sqlite_url, redis_url=redis_url, redis_channel_name=channel, rate_limits=False
    )


@pytest.fixture
def app(site: Site) -> Starlette:
    app: Starlette = site.server.config.app  # type: ignore[assignment]
    return app


@pytest.fixture
async def people(site: Site) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    async with AsyncExitStack() as doors:
        yield {name: await doors.enter_async_context(person(site, name)) for name in NAMES}


@pytest.fixture
async def known(app: Starlette, people: dict[str, httpx.AsyncClient]) -> dict[str, list[str]]:
    """Values that schemathesis could not guess: ids, names and passwords of objects that exist."""
    await roles.assign_role(app.state.parley, email_of("Alice"), Role.OWNER)
    comments = [await write(people[name], "Well, @Alice", commentable_id="1") for name in ("Alice", "Bob") * 3]
    inbox = (await people["Alice"].get("/api/notifications")).json()["notifications"]
    bob = await me(people["Bob"])
    assert bob
    return {
        "comments": [comment["id"] for comment in comments],
        "inbox": [notification["id"] for notification in inbox],
        "people": [bob["id"]],
        "articles": ["1"],
        "passwords": [PASSWORD],
        "addresses": [email_of("Grace"), email_of("Bob")],
        "names": ["Grace", "Bob"],
    }


@pytest.mark.extended
async def test_a_guest_gets_the_documented_responses(
    site: Site, app: Starlette, known: dict[str, list[str]], seed: int
) -> None:
    config = configuration(site, known, phases={"coverage": {"enabled": False}}, seed=seed)
    found = await explore(strict(app.state.openapi()), **config)
    assert not found, "\n\n".join(found)


@pytest.mark.extended
async def test_an_owner_gets_the_documented_responses(
    site: Site, app: Starlette, people: dict[str, httpx.AsyncClient], known: dict[str, list[str]], seed: int
) -> None:
    """Alice is an owner, so she may do everything."""
    config = configuration(site, known, **await as_if(people["Alice"]), seed=seed)
    for name, operation in SENT_BY_OTHERS.items():
        config["operations"].append({"include-name": operation, **await as_if(people[name])})
    document = strict(app.state.openapi())
    # A request with more than one of these is always refused. The guest's test sends them all.
    parameters = document["paths"]["/api/comments"]["get"]["parameters"]
    parameters[:] = [one for one in parameters if one["name"] not in ("after", "around")]
    found = await explore(document, **config)
    assert not found, "\n\n".join(found)


async def as_if(client: httpx.AsyncClient) -> dict[str, Any]:
    """The headers of a request by this client's account."""
    user = await me(client)
    assert user
    return {"headers": {"Cookie": f"{COOKIE}={client.cookies[COOKIE]}", "Parley-User": user["id"]}}


def configuration(site: Site, known: dict[str, list[str]], **config: Any) -> dict[str, Any]:
    """A configuration for all operations except the stream, with the known values."""

    def often(name: str) -> dict[str, Any]:
        return {"dictionary": name, "probability": 0.7}

    def always(name: str) -> dict[str, Any]:
        return {"dictionary": name, "probability": 1.0}

    forms = ("body", "body.user", "body.comment")
    return {
        "base-url": site.url,
        "dictionaries": {name: {"values": values} for name, values in known.items()},
        "parameters": {
            "path.id": often("comments"),
            "query.around": often("comments"),
            "query.commentable_id": always("articles"),
            **{f"{form}.commentable_id": always("articles") for form in forms},
            **{f"{form}.parent_id": often("comments") for form in forms},
            **{f"{form}.email": always("addresses") for form in forms},
            **{f"{form}.username": often("names") for form in forms},
            **{f"{form}.{name}": often("passwords") for form in forms for name in ("password", "current_password")},
        },
        "generation": {
            "max-examples": 5,
            "deterministic": True,
            "allow-x00": False,
            "with-security-parameters": False,
        },
        "operations": [
            {"include-path": "/streams", "enabled": False},
            {"include-path-regex": BEYOND_SCHEMAS, **accepting(422)},
            # schemathesis sends any text as an ETag, and as a text that must be visible.
            {"include-path-regex": VERSIONED, **accepting(400, 412, 422)},
            {"include-path-regex": "/api/users/{id}", "parameters": {"path.id": known["people"][0]}},
            # The pattern of a conversation's id allows some invisible characters, which are refused.
            {"include-path-regex": "/(changes|feeds)/{type}/{id}", "parameters": {"path.id": always("articles")}},
            {"include-path-regex": "/api/notifications/{id}", "parameters": {"path.id": often("inbox")}},
        ],
        **config,
    }


def accepting(*statuses: int) -> dict[str, Any]:
    return {"checks": {"positive_data_acceptance": {"expected-statuses": [*ACCEPTED, *map(str, statuses)]}}}


def strict(document: dict[str, Any]) -> dict[str, Any]:
    """The document, but responses and events with members that it does not name are invalid."""
    document = copy.deepcopy(document)
    schemas = document["components"]["schemas"]
    names = set[str]()
    left = [
        document["components"]["responses"],
        *(schema for name, schema in schemas.items() if name.startswith("Stale")),
        *(described["responses"] for path in document["paths"].values() for described in path.values()),
        document["paths"]["/streams"]["get"]["x-events"],
    ]
    while left:
        new = set(references(left.pop())) - names
        names |= new
        left += [schemas[name] for name in new]
    for name in names:
        if "properties" in schemas[name]:
            schemas[name]["additionalProperties"] = False
    return document


def references(part: Any) -> Iterator[str]:
    """The names of the schemas that this part of the document refers to."""
    if isinstance(part, dict):
        if "$ref" in part and "/schemas/" in part["$ref"]:
            yield part["$ref"].rpartition("/")[2]
        part = list(part.values())
    if isinstance(part, list):
        for one in part:
            yield from references(one)


async def test_a_stale_change_gets_the_documented_response(
    app: Starlette, people: dict[str, httpx.AsyncClient]
) -> None:
    alice = people["Alice"]
    comment = await write(alice, "Good morning")
    await edit(alice, comment, "Good evening")
    stale = await alice.delete(f"/api/comments/{comment['id']}", headers={"If-Match": f'"{comment["seq"]}"'})
    assert stale.status_code == httpx.codes.PRECONDITION_FAILED
    assert validator(app, {"$ref": "#/components/schemas/StaleComment"}).is_valid(stale.json())


async def test_a_stream_sends_the_documented_events(app: Starlette, people: dict[str, httpx.AsyncClient]) -> None:
    alice, bob = people["Alice"], people["Bob"]
    await roles.assign_role(app.state.parley, email_of("Alice"), Role.OWNER)
    async with open_stream(alice, "Article/1", "Commentable/Article/1", cursor="lost", presence=1) as stream:
        await stream.until("reset")
        comment = await write(bob, "Well, @Alice")
        read_json(await alice.put(f"/api/comments/{comment['id']}/like"), 200)
        read_json(
            await bob.put(f"/api/comments/{(await write(alice, 'Oh'))['id']}/report", json={"reason": "spam"}), 200
        )
        read_json(await alice.put(f"/api/comments/{comment['id']}/hidden", json={"reason": "Rude"}), 200)
        change = {"email": email_of("Grace"), "current_password": PASSWORD}
        read_json(await alice.put("/api/account/email", json=change), 202)
        await delete(bob, comment)
        await stream.until("comment.destroy.success")
        if not any(block.event == "presence" for block in stream.blocks):  # presence may come at any time
            await stream.until("presence")
        await alice.delete("/api/session")
        await stream.ended()
    events = app.state.openapi()["paths"]["/streams"]["get"]["x-events"]
    for block in stream.blocks:
        if block.data is not None:
            validator(app, events[block.event]["data"]).validate(block.json())
    received = {block.event.removesuffix(".success") for block in stream.blocks}
    assert {"heartbeat", "reset", "auth", "presence", "global.comment.create", "global.comment.destroy"} <= received
    assert {event.split(".")[1] for event in received if event.startswith("global.")} == MODELS


def validator(app: Starlette, schema: dict[str, Any]) -> Any:
    """A validator for this part of the document, which may refer to other parts."""
    return jsonschema_rs.validator_for({**strict(app.state.openapi()), **schema})


async def test_everybody_can_read_the_document(site: Site, guest: httpx.AsyncClient, app: Starlette) -> None:
    for path in ("/openapi.json", "/openapi.json/"):
        response = await guest.get(path)
        assert read_json(response, 200) == app.state.openapi()
        assert response.headers["access-control-allow-origin"] == "*"
    page = await guest.get("/docs")
    assert page.headers["content-security-policy"] == POLICY, "the viewers of other projects need a weaker policy"
    for path in app.state.openapi()["paths"]:
        assert f'<code class="op__path">{path}</code>' in page.text
    linked = set(re.findall(r'href="#([^"]+)"', page.text))
    assert linked <= set(re.findall(r'id="([^"]+)"', page.text))


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
async def test_the_document_is_built_once_and_not_sent_again_to_a_client_that_has_it(
    guest: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Building it takes 50 ms, and anybody may request it."""
    first = await guest.get(path)

    def fail(*_: object) -> None:
        raise AssertionError("built a second time")

    for maker in ("rendered", "to_json"):
        monkeypatch.setattr(openapi, maker, fail)
    second = await guest.get(path)
    assert (second.status_code, second.content) == (200, first.content)
    for known in (first.headers["etag"], f'"other", W/{first.headers["etag"]}'):
        unchanged = await guest.get(path, headers={"If-None-Match": known})
        assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert (await guest.get(path, headers={"If-None-Match": '"other"'})).status_code == 200


def test_the_document_has_the_path_of_the_server(settings: Settings) -> None:
    from app.main import create_app

    settings = settings.model_copy(update={"root_path": "/talk", "public_url": "https://example.com/talk"})
    document = create_app(settings).state.openapi()
    assert document["servers"] == [{"url": "/talk"}]
    assert document["components"]["securitySchemes"]["login"]["name"] == "__Host-parley_login.talk"


async def test_every_route_is_described_or_is_a_page(app: Starlette) -> None:
    beside = {openapi.docs, openapi.show, service_worker.show, service_worker.embed, metrics.show}
    beside |= {page for page in vars(pages).values() if callable(page)}
    plain = [route for route in app.routes if isinstance(route, Route) and not isinstance(route, Resource)]
    left = {route.path for route in plain if route.endpoint not in beside}
    assert not left, "decorate their handlers with an Endpoint (app/http/endpoints.py)"
    for path, method, endpoint in openapi.endpoints(app.routes):
        assert endpoint.summary, f"{method} {path}: the docstring of its handler documents it"


def test_every_live_model_is_described() -> None:
    for live in LIVE_MODELS:
        assert live.render is None or is_typeddict(get_type_hints(live.render)["return"]), live.name
