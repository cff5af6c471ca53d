"""Input: what a request says, read with a limit and parsed with pydantic; what cannot be taken is a Problem."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, ClassVar, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError
from starlette.requests import ClientDisconnect, Request

from app.accounts.identity import parley_of
from app.http.problems import Problem, invalid, invalid_fields
from app.live.model import Live
from app.live.topics import BadTopic, Topic
from app.text.visible_text import shows_something

BODY_TIMEOUT_SECONDS = 60.0  # for the whole body to arrive: 64 KB take that long at 9 kbit/s
MAX_BODY_BYTES = 65_536  # bytes; a form may allow more

Form = TypeVar("Form", bound="Input")
Word = TypeVar("Word", bound=StrEnum)

_ETAGS = re.compile(r'(?:W/)?"(?P<seq>[^"]*)"')
_ETAG_LIST = re.compile(r'\s*(?:W/)?"[^"]*"\s*(?:,\s*(?:W/)?"[^"]*"\s*)*')
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def without_nul(text: str) -> str:
    if "\0" in text:
        raise PydanticCustomError("nul", "NUL characters aren't allowed")
    return text


def one_of(words: type[Word]) -> Callable[[Any], Word]:
    """Reads one of these words."""

    def read(value: Any) -> Word:
        try:
            return words(value)
        except ValueError:
            raise PydanticCustomError("word", "{words}", {"words": f"Must be one of {', '.join(words)}"}) from None

    return read


def _written(text: str) -> str:
    without_nul(text)
    if not shows_something(text):
        raise PydanticCustomError("blank", "Can't be empty")
    return text


def _say_written(schema: dict[str, Any]) -> None:
    schema["pattern"] = r"[^\s\x1c-\x1f\x85]"
    schema.pop("default", None)  # an empty one stands for nothing


def _uuid(value: Any) -> UUID:
    if not isinstance(value, str) or (parsed := parse_uuid(value)) is None:
        raise PydanticCustomError("uuid", "Must be a UUID, like 0b7f5e0e-6f0c-4c4a-9d51-2f6d8f6f1c11")
    return parsed


def _whole(value: Any) -> Any:
    """In JSON, 57.0 is the number 57."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)  # for numbers
WRITTEN = AfterValidator(_written)  # for text that has to say something
SAID_WRITTEN = Field(json_schema_extra=_say_written)  # the same, for the API's description
Id = Annotated[UUID, BeforeValidator(_uuid)]


class Input(BaseModel):
    """A JSON body. What a form does not name is ignored: Backbone sends whole models."""

    model_config = ConfigDict(strict=True, extra="ignore")
    largest: ClassVar[int] = MAX_BODY_BYTES  # bytes of a request's body


async def read_input(request: Request, form: type[Form], wrapped_as: str | None = None) -> Form:
    """The body as `form`, also when it comes wrapped, `{"comment": {…}}`. Raises Problem 400, 408, 413, 415, 422."""
    value = _parse(await read_body(request, most=form.largest))
    if wrapped_as and isinstance(value, dict) and isinstance(value.get(wrapped_as), dict):
        value = value[wrapped_as]
    if not isinstance(value, dict):
        raise invalid(("body of the request", "Must be a JSON object"))
    try:
        return form.model_validate(value)
    except ValidationError as error:
        raise invalid_fields(error) from None


async def read_body(request: Request, media: str = "application/json", most: int = MAX_BODY_BYTES) -> bytes:
    """The body, of this media type and at most so many bytes. Raises Problem 400, 413, 415."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != media:
        raise Problem(415, f"Send {media}.", headers={"Accept": media})
    too_large = Problem(413, f"Too large: the limit is {most:,} bytes.")
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > most:
        raise too_large
    body = b""
    try:
        async with asyncio.timeout(BODY_TIMEOUT_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > most:
                    raise too_large
    except TimeoutError:
        raise Problem(408, "The request did not arrive in time.", headers={"Connection": "close"}) from None
    except ClientDisconnect:
        raise Problem(400, "The request ended too early.") from None
    return body


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body.decode())
    except (ValueError, RecursionError):  # broken, not UTF-8, a number of 5,000 digits, 100,000 brackets
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


def query_int(request: Request, name: str, default: int | None, least: int, most: int) -> int | None:
    """A whole number in the query. Raises Problem 422."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"\d{1,19}", text, re.ASCII) or not least <= int(text) <= most:
        raise invalid((name, f"Must be a whole number from {least} to {most}"))
    return int(text)


def query_flag(request: Request, name: str) -> bool:
    """Whether the query has `name=1`. `0` means the same as no parameter. Raises Problem 422 for anything else."""
    values = request.query_params.getlist(name)
    if values not in ([], ["0"], ["1"]):
        raise invalid((name, "Must be 0 or 1, and given once"))
    return values == ["1"]


def parse_uuid(text: str) -> UUID | None:
    """A UUID as everybody writes it; the many other forms that Python takes would be many names of one thing."""
    return UUID(text) if _UUID.fullmatch(text) else None


def if_match(request: Request) -> Callable[[Live], bool]:
    """Whether an object is still one that `If-Match` names: its content has not changed after that seq.

    No header and `*` match all; a malformed one raises Problem 400. Weak tags count as strong ones, since proxies
    that compress weaken ours on the way.
    """
    headers = request.headers.getlist("if-match")
    header = ", ".join(headers)  # several count as one list
    if not headers or header.strip() == "*":
        return lambda row: True
    if not _ETAG_LIST.fullmatch(header):
        raise Problem(400, 'If-Match: give an ETag in quotes, like "57".', [("If-Match", "An ETag in quotes")])
    seqs = [int(tag) for tag in _ETAGS.findall(header) if re.fullmatch(r"\d{1,19}", tag, re.ASCII)]
    return lambda row: any(row.content_seq <= seq <= row.seq for seq in seqs)
