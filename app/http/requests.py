"""Requests: their bodies, read up to a limit and parsed with pydantic, and the objects that their URLs name."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Annotated, Any, ClassVar, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from starlette.requests import ClientDisconnect, Request

from app.accounts.identity import parley_of
from app.errors import Missing, Seen
from app.http.problems import Problem, invalid, invalid_fields
from app.live.topics import BadTopic, Topic
from app.text.visible_text import shows_something

BODY_TIMEOUT_SECONDS = 60.0  # for the whole body: 64 KB take that long at 9 kbit/s
MAX_BODY_BYTES = 65_536  # a form may allow more

Form = TypeVar("Form", bound="Input")

_ETAGS = re.compile(r'(?:W/)?"(?P<seq>[^"]*)"')
_ETAG_LIST = re.compile(r'\s*(?:W/)?"[^"]*"\s*(?:,\s*(?:W/)?"[^"]*"\s*)*')
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("NUL characters aren't allowed")
    return text


def _written(text: str) -> str:
    without_nul(text)
    if not shows_something(text):
        raise ValueError("Can't be empty")
    return text


def _describe_written(schema: dict[str, Any]) -> None:
    schema["pattern"] = r"[^\s\x1c-\x1f\x85]"
    schema.pop("default", None)  # an empty text means that it is not given


def _uuid(value: Any) -> UUID:
    if not isinstance(value, str) or (parsed := parse_uuid(value)) is None:
        raise ValueError("Must be a UUID, like 0b7f5e0e-6f0c-4c4a-9d51-2f6d8f6f1c11")
    return parsed


def _whole(value: Any) -> Any:
    """57.0 as 57: in JSON they are the same number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


ENUM = Field(strict=False)  # for enums: strict validation does not accept their values
WHOLE = BeforeValidator(_whole)  # for numbers
WRITTEN = AfterValidator(_written)  # for text with at least one visible character
WRITTEN_SCHEMA = Field(json_schema_extra=_describe_written)  # the same rule, for the API's documentation
Id = Annotated[UUID, BeforeValidator(_uuid)]


class Input(BaseModel):
    """A JSON body. Unknown members are ignored, because Backbone sends whole models."""

    model_config = ConfigDict(strict=True, extra="ignore")
    max_bytes: ClassVar[int] = MAX_BODY_BYTES
    wrapped_as: ClassVar[str | None] = None  # a member that may contain all others, as Backbone can send them


async def read_input(request: Request, form: type[Form]) -> Form:
    """The body as `form`, also if it is wrapped: `{"comment": {…}}`. Raises Problem 400, 408, 413, 415, 422."""
    value = _parse(await read_body(request, most=form.max_bytes))
    if isinstance(value, dict) and isinstance(value.get(form.wrapped_as), dict):
        value = value[form.wrapped_as]
    if not isinstance(value, dict):
        raise invalid(("body of the request", "Must be a JSON object"))
    try:
        return form.model_validate(value)
    except ValidationError as error:
        raise invalid_fields(error) from None


async def read_body(request: Request, media: str = "application/json", most: int = MAX_BODY_BYTES) -> bytes:
    """The body, of this media type and with at most this many bytes. Raises Problem 400, 408, 413, 415."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != media:
        raise Problem(415, f"Send {media}.", headers={"Accept": media})
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > most:
        raise _too_large(most)
    body = b""
    try:
        async with asyncio.timeout(BODY_TIMEOUT_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > most:
                    raise _too_large(most)
    except TimeoutError:
        raise Problem(408, "The request did not arrive in time.", headers={"Connection": "close"}) from None
    except ClientDisconnect:
        raise Problem(400, "The request ended too early.") from None
    return body


def _too_large(most: int) -> Problem:
    return Problem(413, f"Too large: the limit is {most:,} bytes.")


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body.decode())
    except (ValueError, RecursionError):  # malformed, not UTF-8, a number of 5,000 digits, 100,000 brackets
        raise Problem(400, "The body is not valid JSON.") from None


def parse_topic(name: str) -> Topic:
    """The topic that a query names, in its canonical form. Raises Problem 422."""
    try:
        return Topic.canonical(name)
    except BadTopic as error:
        raise invalid(("topic", str(error))) from None


def topic_from(request: Request, type: str, id: str, field: str = "") -> Topic:
    """The commentable of this type and id, in its canonical form; see `app.live.topics`.

    Raises Problem 422, which names `field`, or without it the invalid one of the two.
    """
    known = parley_of(request).settings.commentable_types
    if type not in known:
        raise invalid((field or "commentable_type", f"Must be one of {', '.join(sorted(known))}"))
    try:
        return Topic.commentable(type, id)
    except BadTopic as error:
        raise invalid((field or "commentable_id", str(error))) from None


def commentable_from(request: Request) -> Topic:
    """The commentable that the query names. Raises Problem 422."""
    query = request.query_params
    if missing := [name for name in ("commentable_type", "commentable_id") if name not in query]:
        raise invalid(*((name, "Required") for name in missing))
    return topic_from(request, query["commentable_type"], query["commentable_id"])


def path_id(request: Request, missing: str) -> UUID:
    """The `id` in the path. If it is not a UUID, raises Missing with this message."""
    if (id_ := parse_uuid(request.path_params["id"])) is None:
        raise Missing(missing)
    return id_


def parse_uuid(text: str) -> UUID | None:
    """A UUID in its usual form. Python accepts other forms; each would be another name of the same object."""
    return UUID(text) if _UUID.fullmatch(text) else None


def if_match(request: Request) -> Seen:
    """The seqs that `If-Match` names. Without the header, or with `*`: any. Raises Problem 400.

    Weak tags count as strong ones, because a proxy that compresses a response makes its tag weak.
    """
    headers = request.headers.getlist("if-match")
    header = ", ".join(headers)  # several headers are one list (RFC 9110, 5.3)
    if not headers or header.strip() == "*":
        return None
    if not _ETAG_LIST.fullmatch(header):
        raise Problem(400, 'If-Match: give an ETag in quotes, like "57".', [("If-Match", "An ETag in quotes")])
    return [int(tag) for tag in _ETAGS.findall(header) if re.fullmatch(r"\d{1,19}", tag, re.ASCII)]
