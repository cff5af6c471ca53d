"""The API's documentation, OpenAPI 3.1: at `/openapi.json` for tools, and at `/docs` for people.

It is derived from the routes, from each `Endpoint` (`app.http.endpoints`), from the types that renderers of live models
return, and from `app.http.schemas`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from http import HTTPStatus
from types import UnionType
from typing import Any, Literal, get_args, get_type_hints

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Router

from app.accounts.identity import cookie_of_logins
from app.http import schemas
from app.http.endpoints import Endpoint, Resource
from app.http.parameters import ID, TYPE, Parameter, Schema
from app.http.requests import Input
from app.http.responses import is_known
from app.live.model import LiveModel, Tombstone
from app.live.topics import MAX_ID_LENGTH
from app.pages.assets import FOR_ANYBODY
from app.pages.service_worker import REVALIDATE
from app.pages.templates import rendered
from app.settings import Settings

VERSION = "1"  # of the API
CANONICAL = (
    "Responses and streams have the canonical form: composed Unicode (NFC), without spaces at the ends, and without "
    "superfluous slashes. The segments `.` and `..` and invisible characters are refused."
)
PRINTABLE = r"[^\x00-\x1f\x7f-\xa0]+"  # approximate: not every tool can express the exact rule

REF = "#/components/schemas/{model}"
Mode = Literal["validation", "serialization"]
JSON, PROBLEM, STREAM = "application/json", "application/problem+json", "text/event-stream"
PREFIX = "Rendered"  # of the names of types; in the documentation, `RenderedComment` is `Comment`
PLACE = {"commentable_type": TYPE, "commentable_id": ID}

# Generated clients have names that are made from tags and operation ids. So these do not change when a module does.
TAGS = {"mailed_links_api": "links", "typing_indicator": "typing"}

ABOUT = (
    "Live comments: REST for changes, Server-Sent Events for updates.\n\n"
    "A path works with and without a trailing slash. A browser's request from another site is refused, unless it is "
    "safe or the site's origin is in `ALLOWED_ORIGINS`. Responses may get more members in a later release. Unknown "
    "members of a request are ignored."
)

ERRORS = {
    400: "The body is not JSON, or a header is malformed.",
    401: "The request is not signed in, or `Parley-User` names another account.",
    403: "You may not do this, or the request came from another site.",
    404: "The object does not exist, was deleted, or is hidden from you.",
    409: "The id is in use for another object, or the change would leave the service in an invalid state.",
    412: "The object has changed since the version in `If-Match`.",
    413: "The body is too large.",
    415: "The content type must be application/json.",
    422: "A field is invalid.",
    429: "Too many requests.",
    503: "The database is unavailable, or too many requests are waiting.",
}
RETRY = {
    "Retry-After": {
        "description": "Seconds until the next attempt.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    }
}

CHANGES = {
    "create": "An object that is new to this session. Clients handle it like an update.",
    "update": "An object's latest state. States in between may be left out.",
    "destroy": "The object was deleted, or this viewer may no longer see it. Clients ignore an unknown id.",
}


async def show(request: Request) -> Response:
    """The document, for tools of any origin: it is the same for everybody."""
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
    all_headers = {**REVALIDATE, "ETag": tag, **(headers or {})}
    if is_known(request, tag):
        return Response(status_code=304, headers=all_headers)
    return Response(made[name], headers=all_headers, media_type=media_type)


def describe(routes: Sequence[BaseRoute], settings: Settings, models: Iterable[LiveModel]) -> dict[str, Any]:
    live = [one for one in models if one.render]
    found = list(endpoints(routes))
    paths: dict[str, dict[str, Any]] = {}
    for path, method, endpoint in found:
        paths.setdefault(path, {})[method.lower()] = _operation(endpoint, path, method, live)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Parley", "version": VERSION, "description": ABOUT, "license": {"name": "MIT"}},
        "servers": [{"url": settings.root_path or "/"}],
        "tags": [{"name": name} for name in dict.fromkeys(_tags(paths))],
        "paths": paths,
        "components": {
            "schemas": _schemas(settings, [endpoint for _, _, endpoint in found], live),
            "responses": {_name(status): _error(status) for status in ERRORS},
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


# -- paths --------------------------------------------------------------------------------------------------


def _operation(endpoint: Endpoint, path: str, method: str, live: Sequence[LiveModel]) -> dict[str, Any]:
    module = endpoint.handler.__module__.rpartition(".")[2]
    tag = TAGS.get(module) or module.removesuffix("_api")
    described: dict[str, Any] = {
        "operationId": f"{method.lower()}-{tag}-{endpoint.handler.__name__}".replace("_", "-"),
        "tags": [tag],
        "summary": endpoint.summary,
        "security": [{"login": []}] if endpoint.signed_in else [{}, {"login": []}],
        "responses": _responses(endpoint, method),
    }
    if endpoint.description:
        described["description"] = endpoint.description
    if parameters := [*_in_path(path), *endpoint.all_parameters()]:
        described["parameters"] = [_parameter(parameter) for parameter in parameters]
    if endpoint.form:
        described["requestBody"] = {"required": True, "content": {JSON: {"schema": _body(endpoint.form)}}}
    return described | (_events(live) if endpoint.is_stream else {})


def _tags(paths: dict[str, dict[str, Any]]) -> Iterator[str]:
    """The tags of the API, then the others."""
    for path in sorted(paths, key=lambda path: not path.startswith("/api/")):
        for described in paths[path].values():
            yield from described["tags"]


def _in_path(path: str) -> Iterator[Parameter]:
    for name in re.findall(r"{(\w+)}", path):
        schema = {"type": TYPE, "id": ID}[name] if "{type}" in path else {"type": "string", "format": "uuid"}
        yield Parameter(name, schema, f"The {name} of the object.", required=True, where="path")


def _parameter(one: Parameter) -> dict[str, Any]:
    return {
        "name": one.name,
        "in": one.where,
        "required": one.required,
        "description": one.description,
        "schema": one.schema,
    }


def _body(form: type[Input]) -> Schema:
    """The form, also wrapped. If there is a member with the wrapper's name, the server reads the form from it."""
    plain, name = _ref(form), form.wrapped_as
    if not name:
        return plain
    wrapped = {"type": "object", "required": [name], "properties": {name: plain}}
    bare = {"allOf": [plain, {"properties": {name: {"not": {"type": "object"}}}}]}
    return {"anyOf": [bare, wrapped]}


def _responses(endpoint: Endpoint, method: str) -> dict[str, Any]:
    answers = {str(status): _answer(endpoint, status, body) for status, body in endpoint.answers.items()}
    errors = {str(status): {"$ref": f"#/components/responses/{_name(status)}"} for status in endpoint.errors(method)}
    if endpoint.versioned:
        errors["412"] = _error(412, _named(_stale_name(endpoint.versioned)))
    return answers | errors


def _answer(endpoint: Endpoint, status: int, body: Any) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if body:
        answer["content"] = {JSON: {"schema": _ref(body)}}
    elif endpoint.is_stream:
        answer["content"] = {STREAM: {"schema": {"type": "string"}}}
    elif endpoint.media and status == HTTPStatus.OK:
        answer["content"] = {endpoint.media: {"schema": {"type": "string"}}}
    if endpoint.headers:
        answer["headers"] = {
            name: {"description": text, "schema": {"type": "string"}} for name, text in endpoint.headers.items()
        }
    return answer


def _error(status: int, schema: Schema | None = None) -> dict[str, Any]:
    schema = schema or _ref(schemas.Invalid if status == HTTPStatus.UNPROCESSABLE_ENTITY else schemas.Problem)
    error: dict[str, Any] = {"description": ERRORS[status], "content": {PROBLEM: {"schema": schema}}}
    return error | ({"headers": RETRY} if status in (429, 503) else {})


def _name(status: int) -> str:
    return f"refused-{status}"


# -- schemas ------------------------------------------------------------------------------------------------


class _Generator(GenerateJsonSchema):
    """Without titles of members, which would repeat their names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def normalize_name(self, name: str) -> str:
        return super().normalize_name(name).removeprefix(PREFIX)


def _schemas(settings: Settings, found: Sequence[Endpoint], live: Sequence[LiveModel]) -> dict[str, Schema]:
    forms = {endpoint.form for endpoint in found if endpoint.form}
    bodies = {body for endpoint in found for body in endpoint.answers.values() if body}
    bodies |= {schemas.Problem, schemas.Invalid, *schemas.STREAM.values()}
    bodies |= {type_ for one in live for type_ in (*_rendered(one), *_partial(one), *_tombstones(one))}
    modes: list[tuple[Any, Mode]] = [(one, "validation") for one in forms]
    modes += [(one, "serialization") for one in bodies]
    modes.sort(key=lambda one: str(one[0].__name__))
    inputs = [(type_, mode, TypeAdapter(type_)) for type_, mode in modes]
    _, generated = TypeAdapter.json_schemas(inputs, ref_template=REF, schema_generator=_Generator)
    made: dict[str, Schema] = generated["$defs"]
    for schema in made.values():
        schema.pop("title", None)
    for form in forms:
        members = made[form.__name__]["properties"]
        members.update({name: ref for name, ref in PLACE.items() if name in members})
    stale = {_stale_name(model): _stale(made["Problem"], model) for model in {one.versioned for one in found} if model}
    return {**_places(settings), **made, **stale, **_changes(live)}


def _stale_name(live: LiveModel) -> str:
    return f"Stale{live.model.__name__}"


def _stale(problem: Schema, live: LiveModel) -> Schema:
    """A 412: a problem with the current state of the object."""
    current = {**_any_of(_rendered(live)), "description": "Its current state."}
    return problem | {
        "description": "The object has changed since the version in `If-Match`.",
        "properties": {**problem["properties"], live.name: current},
        "required": [*problem["required"], live.name],
    }


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
    description = "Set by `POST /api/session`. It is signed, `HttpOnly` and `SameSite=Lax`."
    return {"type": "apiKey", "in": "cookie", "name": cookie_of_logins(settings), "description": description}


# -- events -------------------------------------------------------------------------------------------------


def _events(live: Sequence[LiveModel]) -> dict[str, Any]:
    """Each event of a stream by its name: its meaning, and the schema of its data."""
    events = {name: {"description": data.__doc__, "data": _ref(data)} for name, data in schemas.STREAM.items()}
    changes = {
        f"global.{one.name}.{verb}.success": {"description": text, "data": _named(_change_name(one, verb))}
        for one in live
        for verb, text in CHANGES.items()
    }
    return {"x-events": events | changes}


def _change_name(live: LiveModel, verb: str) -> str:
    if verb == "update" and live.partial:
        return f"{live.model.__name__}Updated"
    if verb != "destroy":
        return f"{live.model.__name__}Changed"
    return f"{live.model.__name__}Destroyed" if len(_tombstones(live)) > 1 else "Destroyed"


def _changes(live: Sequence[LiveModel]) -> dict[str, Schema]:
    data: dict[str, Schema] = {}
    for one in live:
        data[_change_name(one, "create")] = _payload(_rendered(one))
        data[_change_name(one, "update")] = _payload([*_rendered(one), *_partial(one)])
        data[_change_name(one, "destroy")] = _payload(_tombstones(one))
    return data


def _rendered(live: LiveModel) -> Sequence[Any]:
    return _returned(live.render)


def _partial(live: LiveModel) -> Sequence[Any]:
    return _returned(live.partial) if live.partial else ()


def _tombstones(live: LiveModel) -> Sequence[Any]:
    return _returned(live.model.tombstone)


def _returned(function: Any) -> Sequence[Any]:
    """The types that the function returns, by its annotation. Without one, the common members of all live models."""
    returned = get_type_hints(function).get("return", Tombstone)
    return get_args(returned) if isinstance(returned, UnionType) else (returned,)


def _payload(types: Sequence[Any]) -> Schema:
    payload = {"type": "object", "required": ["model"], "properties": {"model": _any_of(types)}}
    return {"type": "object", "required": ["payload"], "properties": {"payload": payload}}


def _any_of(types: Sequence[Any]) -> Schema:
    return _ref(types[0]) if len(types) == 1 else {"anyOf": [*map(_ref, types)]}


def _ref(type_: Any) -> Schema:
    return _named(type_.__name__.removeprefix(PREFIX))


def _named(name: str) -> Schema:
    return {"$ref": REF.format(model=name)}
