"""The API's description, OpenAPI 3.1: from the routing table, what `app.http.operations` says of its endpoints, and the
pydantic models that they parse with. Served at `/openapi.json`, and for people at `/docs`.

A route that nobody has said anything of is left out here, and fails a test.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from http import HTTPStatus
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route, Router

from app import streams
from app.accounts.identity import cookie_of_logins
from app.http import schemas
from app.http.operations import ID, OPERATIONS, TYPE, Operation, Parameter, Schema
from app.http.routes import Endpoint, Resource
from app.live.model import LiveModel
from app.live.topics import MAX_ID_LENGTH
from app.pages.assets import FOR_ANYBODY
from app.pages.service_worker import REVALIDATE
from app.pages.templates import rendered
from app.settings import Settings

VERSION = "1"  # of what clients rely on
REF = "#/components/schemas/{model}"
CANONICAL = (
    "Responses and streams have it in its canonical form: Unicode composed (NFC), without spaces at its ends and "
    "without superfluous slashes. Refused: segments `.` and `..`, and invisible characters."
)
PRINTABLE = r"[^\x00-\x1f\x7f-\xa0]+"  # most of it: what says more is not known to every tool

Mode = Literal["validation", "serialization"]
JSON, PROBLEM, STREAM = "application/json", "application/problem+json", "text/event-stream"
NAMES = {"commentable_type": TYPE, "commentable_id": ID}

ABOUT = (
    "Comments that arrive while one reads: REST up, Server-Sent Events down.\n\n"
    "Paths answer with and without a trailing slash. What browsers send from other sites is refused, unless it is safe "
    "or the site's origin is listed. Answers may get more members; members that a request does not know are ignored."
)

REFUSED = {
    400: "The body is not JSON, or a header is malformed.",
    401: "Not signed in, or signed in as somebody other than `Parley-User` names.",
    403: "Not allowed, or the request came from another site.",
    404: "There is no such object, it was deleted, or you may not see it.",
    409: "The id is in use for something else.",
    412: "The object was changed in the meantime.",
    413: "The body is too large.",
    415: "Send application/json.",
    422: "A field is invalid.",
    429: "Too many requests.",
    503: "The database is unavailable, or too many people are asking.",
}
RETRY = {
    "Retry-After": {"description": "In so many seconds.", "required": True, "schema": {"type": "integer", "minimum": 1}}
}

TOLD = {
    "heartbeat": "The first block, and then every 15 seconds. Its `id:` is how far this session has been sent.",
    "reset": "A cursor could not be honoured. Its `id:` continues from the head.",
    "auth": "The login of this stream has ended. Without an `id:`.",
    "presence": "Who is here, and who types. Without an `id:`, since it is no change and moves no cursor.",
}
CHANGED = {
    "create": "An object that is new to this session. Clients take it as they take an update.",
    "update": "An object's latest state; what lies between may have been left out.",
    "destroy": "It is gone, or this viewer may see it no longer. Of an unknown id it means nothing.",
}


async def show(request: Request) -> Response:
    """For tools of whatever origin: it knows nothing of who asks."""
    return _made_once(request, "openapi.json", JSON, lambda: to_json(request.app.state.openapi()), FOR_ANYBODY)


async def docs(request: Request) -> Response:
    """The documentation page, which is also the same for everybody."""

    def render() -> bytes:
        context = {"title": "The API", "openapi": request.app.state.openapi()}
        return rendered(request, "docs.html", context).encode()

    version = request.app.state.front_end.refresh().version
    return _made_once(request, f"docs {version}", "text/html", render)


def _made_once(
    request: Request, name: str, media_type: str, make: Callable[[], bytes], headers: Mapping[str, str] | None = None
) -> Response:
    """A document with an ETag, which each process makes once, because that takes 50 ms. 304 if the client has it."""
    made: dict[str, bytes] = request.app.state.documents
    if name not in made:
        made[name] = make()
    tag = f'"{blake2b(made[name], digest_size=8).hexdigest()}"'
    known = {one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")}
    answered = {**REVALIDATE, "ETag": tag, **(headers or {})}
    if tag in known:
        return Response(status_code=304, headers=answered)
    return Response(made[name], headers=answered, media_type=media_type)


def describe(routes: Sequence[BaseRoute], settings: Settings, models: Iterable[LiveModel]) -> dict[str, Any]:
    """The document of these routes, as JSON would have it."""
    live = [one for one in models if one.render]
    paths: dict[str, dict[str, Any]] = {}
    for path, method, endpoint in endpoints(routes):
        if operation := OPERATIONS.get(endpoint):
            said = _operation(operation, path, method, endpoint)
            paths.setdefault(path, {})[method.lower()] = said | (_events(live) if endpoint is streams.show else {})
    return {
        "openapi": "3.1.0",
        "info": {"title": "Parley", "version": VERSION, "description": ABOUT, "license": {"name": "MIT"}},
        "servers": [{"url": settings.root_path or "/"}],
        "tags": [{"name": name} for name in dict.fromkeys(_tags(paths))],
        "paths": paths,
        "components": {
            "schemas": _schemas(settings, live),
            "responses": {_name(status): _refused(status) for status in REFUSED},
            "securitySchemes": {"login": _login(settings)},
        },
    }


def endpoints(routes: Iterable[BaseRoute], under: str = "") -> Iterator[tuple[str, str, Endpoint]]:
    """Each path, as OpenAPI writes it, with its methods and their endpoints."""
    for route in routes:
        if isinstance(route, Mount) and isinstance(route.app, Router):
            yield from endpoints(route.routes, under + route.path)
        elif isinstance(route, Resource):
            for method, endpoint in route.endpoints.items():
                yield under + route.path_format, method, endpoint
        elif isinstance(route, Route):
            yield under + route.path_format, "GET", route.endpoint


# -- paths --------------------------------------------------------------------------------------------------


# Clients generate names from tags and operation ids, so these do not follow the names of modules.
TAGS = {"mailed_links_api": "links", "typing_indicator": "typing"}


def _operation(operation: Operation, path: str, method: str, endpoint: Endpoint) -> dict[str, Any]:
    module = endpoint.__module__.rpartition(".")[2]
    tag = TAGS.get(module) or module.removesuffix("_api")
    said: dict[str, Any] = {
        "operationId": f"{method.lower()}-{tag}-{getattr(endpoint, '__name__', '')}".replace("_", "-"),
        "tags": [tag],
        "summary": operation.summary,
        "security": [{"login": []}] if operation.signs_in else [{}, {"login": []}],
        "responses": _responses(operation, path, method),
    }
    if operation.description:
        said["description"] = operation.description
    if parameters := [*_in_path(path), *operation.all_parameters()]:
        said["parameters"] = [parameter.described() for parameter in parameters]
    if operation.takes:
        schema = _body(operation.takes, operation.wrapped_as)
        said["requestBody"] = {"required": True, "content": {JSON: {"schema": schema}}}
    return said


def _tags(paths: dict[str, dict[str, Any]]) -> Iterator[str]:
    """The API's first."""
    for path in sorted(paths, key=lambda path: not path.startswith("/api/")):
        for said in paths[path].values():
            yield from said["tags"]


def _in_path(path: str) -> Iterator[Parameter]:
    for name in re.findall(r"{(\w+)}", path):
        schema = {"type": TYPE, "id": ID}[name] if "{type}" in path else {"type": "string", "format": "uuid"}
        yield Parameter(name, schema, "Which one.", required=True, where="path")


def _body(form: type[BaseModel], wrapped_as: str | None) -> Schema:
    """The form; wrapped, too, as Backbone may send it. What comes under the wrapper's name is taken for wrapped."""
    plain = _ref(form)
    if not wrapped_as:
        return plain
    wrapped = {"type": "object", "required": [wrapped_as], "properties": {wrapped_as: plain}}
    bare = {"allOf": [plain, {"properties": {wrapped_as: {"not": {"type": "object"}}}}]}
    return {"anyOf": [bare, wrapped]}


def _responses(operation: Operation, path: str, method: str) -> dict[str, Any]:
    answers = {str(status): _answer(status, model, operation) for status, model in operation.answers.items()}
    refusals = {
        str(status): {"$ref": f"#/components/responses/{_name(status)}"} for status in operation.refusals(method, path)
    }
    if operation.stale:
        refusals["412"] = _refused(412, operation.stale)
    return answers | refusals


def _answer(status: int, model: type[BaseModel] | None, operation: Operation) -> dict[str, Any]:
    said: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if model:
        said["content"] = {JSON: {"schema": _ref(model)}}
    elif status == HTTPStatus.OK:  # whatever else says nothing is a 204
        said["content"] = {STREAM: {"schema": {"type": "string"}}}
    if operation.headers:
        said["headers"] = {
            name: {"description": text, "schema": {"type": "string"}} for name, text in operation.headers.items()
        }
    return said


def _refused(status: int, model: type[BaseModel] | None = None) -> dict[str, Any]:
    model = model or (schemas.Invalid if status == HTTPStatus.UNPROCESSABLE_ENTITY else schemas.Problem)
    said: dict[str, Any] = {"description": REFUSED[status], "content": {PROBLEM: {"schema": _ref(model)}}}
    return said | ({"headers": RETRY} if status in (429, 503) else {})


def _name(status: int) -> str:
    return f"refused-{status}"


# -- components ---------------------------------------------------------------------------------------------


class _Untitled(GenerateJsonSchema):
    """Without a title for each member, which would be its name once more."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _schemas(settings: Settings, live: Sequence[LiveModel]) -> dict[str, Schema]:
    """Of all that is taken, answered and streamed."""
    taken = {operation.takes for operation in OPERATIONS.values() if operation.takes}
    given = {model for model in vars(schemas).values() if isinstance(model, type) and issubclass(model, BaseModel)}
    modes: list[tuple[type[BaseModel], Mode]] = [(model, "validation") for model in taken]
    modes += [(model, "serialization") for model in given - {BaseModel}]
    modes.sort(key=_by_name)
    _, generated = models_json_schema(modes, ref_template=REF, schema_generator=_Untitled)
    made: dict[str, Schema] = generated["$defs"]
    for schema in made.values():
        schema.pop("title", None)
    for form in taken:
        members = made[form.__name__]["properties"]
        members.update({name: ref for name, ref in NAMES.items() if name in members})
    return {**_places(settings), **made, **_changes(live)}


def _by_name(one: tuple[type[BaseModel], Mode]) -> str:
    return one[0].__name__


def _places(settings: Settings) -> dict[str, Schema]:
    types = sorted(settings.commentable_types)
    topic = f"^({'|'.join(types)})/{PRINTABLE}$"
    longest = MAX_ID_LENGTH + 1 + max(map(len, types), default=0)
    return {
        "CommentableType": {"type": "string", "enum": types},
        "CommentableId": {
            "type": "string",
            "pattern": f"^{PRINTABLE}$",
            "minLength": 1,
            "maxLength": MAX_ID_LENGTH,
            "description": CANONICAL,
        },
        "Topic": {"type": "string", "pattern": topic, "maxLength": longest, "description": "Like `Article/1`."},
    }


def _login(settings: Settings) -> dict[str, Any]:
    description = "By `POST /api/session`. It is signed, `HttpOnly` and `SameSite=Lax`."
    return {"type": "apiKey", "in": "cookie", "name": cookie_of_logins(settings), "description": description}


# -- what the stream says -----------------------------------------------------------------------------------


def _events(live: Sequence[LiveModel]) -> dict[str, Any]:
    """Each event by its name: when it comes, and its data."""
    told = {name: {"description": text, "data": _ref(schemas.STREAM[name])} for name, text in TOLD.items()}
    changes = {
        f"global.{one.name}.{verb}.success": {
            "description": text,
            "data": {"$ref": REF.format(model=_change(one, verb))},
        }
        for one in live
        for verb, text in CHANGED.items()
    }
    return {"x-events": told | changes}


def _change(live: LiveModel, verb: str) -> str:
    if verb == "update" and _partials(live):
        return f"{live.model.__name__}Updated"
    if verb != "destroy":
        return f"{live.model.__name__}Changed"
    return f"{live.model.__name__}Destroyed" if live.name in schemas.REMOVED else "Destroyed"


def _changes(live: Sequence[LiveModel]) -> dict[str, Schema]:
    """The data of changes. Of a live model that says nothing here, what all of them have."""
    changed = {
        _change(one, verb): _payload(schemas.LIVE.get(one.name, schemas.Tombstone), *partial)
        for one in live
        for verb, partial in (("create", ()), ("update", _partials(one)))
    }
    removed = {one: [schemas.REMOVED[one.name]] if one.name in schemas.REMOVED else [] for one in live}
    destroyed = {_change(one, "destroy"): _payload(schemas.Tombstone, *others) for one, others in removed.items()}
    return changed | destroyed


def _partials(live: LiveModel) -> list[type[BaseModel]]:
    return [schemas.PARTIAL[live.name]] if live.name in schemas.PARTIAL else []


def _payload(model: type[BaseModel], *others: type[BaseModel]) -> Schema:
    one = {"anyOf": [_ref(model), *map(_ref, others)]} if others else _ref(model)
    payload = {"type": "object", "required": ["model"], "properties": {"model": one}}
    return {"type": "object", "required": ["payload"], "properties": {"payload": payload}}


def _ref(model: type[BaseModel]) -> Schema:
    return {"$ref": REF.format(model=model.__name__)}
