"""Parameters: values in a request's query or headers, each with its description, and the function that reads it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from app.accounts.identity import ACCOUNT_HEADER
from app.http.problems import invalid
from app.live.cursors import MAX_SEQ
from app.live.read.pages import MAX_PAGE_SIZE, PAGE_SIZE

Schema = dict[str, Any]

# Schemas that depend on the settings; `app.http.openapi` has them.
TYPE = {"$ref": "#/components/schemas/CommentableType"}
ID = {"$ref": "#/components/schemas/CommentableId"}
TOPIC = {"$ref": "#/components/schemas/Topic"}


@dataclass(frozen=True)
class Parameter:
    name: str
    schema: Schema
    description: str
    required: bool = False
    where: str = "query"


class WholeNumber(Parameter):
    """A number from `least` to `most`. The schema may name the `default` that the caller uses."""

    def __init__(self, name: str, description: str, least: int = 1, most: int = MAX_SEQ, default: int = 0) -> None:
        schema = {"type": "integer", "minimum": least, "maximum": most} | ({"default": default} if default else {})
        super().__init__(name, schema, description)

    def read(self, request: Request) -> int | None:
        """The number in the query, or None if there is none. Raises Problem 422."""
        text = request.query_params.get(self.name)
        if text is None:
            return None
        least, most = self.schema["minimum"], self.schema["maximum"]
        if not re.fullmatch(r"\d{1,19}", text, re.ASCII) or not least <= int(text) <= most:
            raise invalid((self.name, f"Must be a whole number from {least} to {most}"))
        return int(text)


class Flag(Parameter):
    """`1` for true. `0` means the same as no parameter."""

    def __init__(self, name: str, description: str) -> None:
        super().__init__(name, {"type": "string", "enum": ["0", "1"]}, description)

    def read(self, request: Request) -> bool:
        """Raises Problem 422 for any other value."""
        values = request.query_params.getlist(self.name)
        if values not in ([], ["0"], ["1"]):
            raise invalid((self.name, "Must be 0 or 1, and given once"))
        return values == ["1"]


def topics_parameter(schema: Schema, most: int, required: bool = False) -> Parameter:
    schema = {"type": "array", "items": schema, "minItems": 1, "maxItems": most}
    return Parameter("topic", schema, "A topic like `Article/1`. The parameter may be repeated.", required)


BEFORE = WholeNumber("before", "Only objects that were created before this seq.")
LIMIT = WholeNumber("limit", "The maximum number of objects in the response.", most=MAX_PAGE_SIZE, default=PAGE_SIZE)
PLACE = (
    Parameter("commentable_type", TYPE, "The type of the commentable.", required=True),
    Parameter("commentable_id", ID, "The id of the commentable.", required=True),
)
ACCOUNT = Parameter(
    "-".join(part.capitalize() for part in ACCOUNT_HEADER.split("-")),
    {"type": "string", "format": "uuid"},
    "The id of the account that the request is meant for. If another account is signed in, the response is 401.",
    where="header",
)
IF_MATCH = Parameter(
    "If-Match",
    {"type": "string"},
    'An `ETag`, like `"57"`. If the content has changed since that version, the response is 412.',
    where="header",
)
