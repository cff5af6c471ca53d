"""Arbitrary requests: no request causes a 500, and every refusal is a problem document.

`test_openapi.py` sends requests that resemble the documented ones. This module sends all others.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.people import write
from tests.support.problems import read_problem

if TYPE_CHECKING:
    from tests.support.serving import Site

PARAMETERS = ["commentable_type", "commentable_id", "before", "limit", "topic", "cursor", "once"]
HEADERS = ["If-Match", "If-None-Match", "Last-Event-ID", "Cookie", "Origin", "Sec-Fetch-Site", "Accept", "Range",
           "Content-Type", "X-Forwarded-For", "X-Forwarded-Proto"]  # fmt: skip
LIKELY = ["", "*", "1", '"1"', '"1", "2"', "Article", "Article/1", "User/1", "0", "-1", "null", "\ud800", "\0", "é🦜",
          "application/json", "cross-site", "lost", "a~b.1", "http://[", str(2**63), "9" * 30, "x" * 201]  # fmt: skip

texts = st.sampled_from(LIKELY) | st.text(max_size=20)
segments = st.sampled_from(["api", "comments", "session", "users", "streams", "Article", "static", "THIS"]) | texts
paths = st.sampled_from(
    ["/api/comments/", "/api/comments", "/api/comments/THIS", "/api/session", "/api/users", "/streams", "/", "/readyz"]
) | st.lists(segments, max_size=4).map(lambda parts: "/" + "/".join(parts))
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=8),
    max_leaves=12,
)
bodies = values.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=50)


@pytest.fixture
def site(shared_site: Site) -> Site:
    return shared_site


@pytest.fixture
async def comment(shared_alice: httpx.AsyncClient) -> dict[str, Any]:
    return await write(shared_alice, "Anything")


def to_path(path: str) -> str:
    return quote(path.encode("utf-8", "surrogatepass"))


def to_header(text: str) -> bytes:
    """The part of a text that is valid in a header."""
    return text.encode("utf-8", "surrogatepass").translate(None, bytes(range(32)) + b"\x7f").strip()


@settings(
    deadline=None,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
    path=paths,
    query=st.lists(st.tuples(st.sampled_from(PARAMETERS) | texts, texts), max_size=4),
    headers=st.dictionaries(st.sampled_from(HEADERS), texts, max_size=3),
    body=bodies,
    signed_in=st.booleans(),
)
async def test_no_request_causes_a_server_error(
    shared_alice: httpx.AsyncClient,
    guest: httpx.AsyncClient,
    comment: dict[str, Any],
    method: str,
    path: str,
    query: list[tuple[str, str]],
    headers: dict[str, str],
    body: bytes,
    signed_in: bool,
) -> None:
    signs_out = method == "DELETE" and "session" in path  # Alice must stay signed in
    client = shared_alice if signed_in and not signs_out else guest
    path = path.replace("THIS", comment["id"])
    asked = "&".join(f"{to_path(name)}={to_path(value)}" for name, value in query)
    sent = {"Content-Type": b"application/json", **{name: to_header(value) for name, value in headers.items()}}
    url = httpx.URL(client.base_url, raw_path=f"{to_path(path)}?{asked}".encode())
    request = client.build_request(method, url, content=body, headers=sent)
    response = await client.send(request, stream=True)
    try:
        assert response.status_code < 500, (method, path, query, sent, body)
        assert response.status_code < 300 or response.status_code == 304 or response.status_code >= 400
        if response.status_code >= 400 and method != "HEAD":
            await response.aread()
            check_problem(response)
    finally:
        await response.aclose()


def check_problem(response: httpx.Response) -> None:
    if response.headers["content-type"].startswith("text/html"):
        assert "text/html" in response.request.headers["accept"]
        return
    read_problem(response, response.status_code, *(error["field"] for error in response.json().get("errors", [])))
