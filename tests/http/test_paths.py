"""Paths that a proxy may read differently than the app does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx
import pytest

from app.http.middleware.paths import is_ambiguous
from tests.support.problems import read_problem

if TYPE_CHECKING:
    from tests.support.serving import Site

AMBIGUOUS = [
    "/Article/..%2Fstatic/x", "/Article/..%2fstatic%2fx.css", "/Article/%2e%2e/static/x", "/Article/.%2E/static/x",
    "/Article/../static/x", "/Article/./1", "/Article/%2e", "/static/..%2fArticle/1", "/static/%2e%2e/Article/1",
    "/static/../Article/1", "/Article/1%2f..%2fstatic%2fx.css", "/Article/1/..%2f..%2fstatic/x", "/Article/1/..",
    "/Article/1/%2e%2e%2f", "/static%2fx.css", "/static%2f..%2fArticle/1", "//static/x", "//Article/1",
    "/%2fArticle/1", "/Article%2f1", "/embed%2fArticle/1", "/feeds%2fall", "/api%2fcomments", "/api/comments%2f1",
    "/Article/..%5cstatic/x", "/Article/1%5cstatic", "/Article/1\\static", "/Article/1%00", "/Article/1%0a.css",
    "/Article/%7f", "/Article/%1b1", "/Article/%ff", "/Article/%c3", "/Article/%ed%a0%80", "/%2e%2e/Article/1",
    "/embed/Article/..%2f..%2fstatic/x", "/api/commentables/Article/..%2f1",
]  # fmt: skip
PLAIN = [
    "/", "/Article/1", "/Article/2024/hello", "/Article/2024%2Fhello", "/Article/a..b", "/Article/...", "/Article/.x",
    "/Article/1.css", "/Article/1;x=..", "/Article/1%3F", "/Article/%C3%A9", "/Article/%E8%B0%A2", "/Article/100%25",
    "/Article/a%252fb", "/Article/a//b", "/embed/Article/a%2Fb", "/api/commentables/Article/a%2Fb",
    "/feeds/Article/a%2Fb", "/static/css/page.css", "/api/comments/", "/.well-known/change-password",
]  # fmt: skip


@pytest.mark.parametrize("path", AMBIGUOUS)
def test_a_path_that_two_programs_may_read_differently_is_ambiguous(path: str) -> None:
    assert is_ambiguous(path)
    assert is_ambiguous(f"/talk{path}", "/talk")


@pytest.mark.parametrize("path", PLAIN)
def test_a_path_with_a_valid_id_is_not_ambiguous(path: str) -> None:
    assert not is_ambiguous(path)
    assert not is_ambiguous(f"/talk{path}", "/talk")
    assert not is_ambiguous(f"/talk/talk{path}", "/talk")


# Without the paths that the tests' client normalizes.
@pytest.mark.parametrize("path", [path for path in AMBIGUOUS if not re.search(r"/\.\.?(/|$)", path)])
async def test_an_ambiguous_path_shows_no_page(shared_site: Site, shared_alice: httpx.AsyncClient, path: str) -> None:
    asked = httpx.URL(shared_site.url).copy_with(raw_path=path.encode())  # sent unchanged
    read_problem(await shared_alice.get(asked), 404)
    page = await shared_alice.get(asked, headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["cache-control"]) == (404, "no-store")
    assert "alice" not in page.text.lower()


@pytest.mark.parametrize("path", PLAIN)
async def test_a_plain_path_is_served(shared_site: Site, shared_alice: httpx.AsyncClient, path: str) -> None:
    asked = httpx.URL(shared_site.url).copy_with(raw_path=path.encode())
    answer = await shared_alice.get(asked)
    assert answer.status_code in (200, 302, 308, 404, 405, 422)
    if path.startswith("/Article/"):
        assert answer.status_code in (200, 308), "308 leads to its canonical form"
    if answer.status_code == 200 and path.startswith("/Article/"):
        assert answer.headers["cache-control"] == "no-store"
