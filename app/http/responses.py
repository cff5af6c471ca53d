"""JSON responses. They are never cached: they may be private, and they are out of date within a second."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

Body_co = TypeVar("Body_co", covariant=True)

ETAG = {"ETag": "The object's seq, for `If-Match`."}


class Json(Response, Generic[Body_co]):
    media_type = "application/json"

    def __init__(self, body: Body_co | bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        content = body if isinstance(body, bytes) else to_json(body)  # bytes are the encoded body
        super().__init__(content, status, {"Cache-Control": "no-store", **(headers or {})})


def is_known(request: Request, tag: str) -> bool:
    """Whether the client has the content with this ETag, so that the response is a 304 (RFC 9110, 13.1.2)."""
    known = ",".join(request.headers.getlist("if-none-match")).split(",")
    return not {one.strip().removeprefix("W/") for one in known}.isdisjoint({tag.removeprefix("W/"), "*"})


def etag(seq: int) -> dict[str, str]:
    return {"ETag": f'"{seq}"'}
