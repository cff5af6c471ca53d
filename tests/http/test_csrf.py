"""Requests by other sites' pages in Alice's browser (CSRF), and the security headers of responses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from limits import parse

from app.http import rate_limits
from app.http.middleware.stream_pacing import StreamPacingMiddleware
from tests.support.database import count_rows
from tests.support.front_end import static
from tests.support.people import ARTICLE, sign_up
from tests.support.problems import read_problem

if TYPE_CHECKING:
    import httpx

    from app.live.service import Parley
    from app.settings import Settings
    from tests.support.serving import Site

UNSAFE = [
    ("POST", "/api/comments/"),
    ("POST", "/api/session"),
    ("POST", "/api/users"),
    ("PUT", "/api/comments/1"),
    ("PATCH", "/api/comments/1"),
    ("DELETE", "/api/comments/1/"),
    ("DELETE", "/api/session"),
]


@pytest.fixture
def site(shared_site: Site) -> Site:
    return shared_site


@pytest.fixture
def alice(shared_alice: httpx.AsyncClient) -> httpx.AsyncClient:
    return shared_alice


@pytest.mark.parametrize("where", ["cross-site", "same-site", "Cross-Site", "sideways"])
async def test_another_sites_page_may_not_act_for_alice(
    alice: httpx.AsyncClient, site: Site, site_parley: Parley, where: str
) -> None:
    before = await count_rows(site_parley)
    for method, url in UNSAFE:
        # An own Origin does not help, because Sec-Fetch-Site says that the request is from another site.
        headers = {"Sec-Fetch-Site": where, "Origin": site.url}
        read_problem(await alice.request(method, url, json={**ARTICLE, "body": "Buy!"}, headers=headers), 403)
    assert await count_rows(site_parley) == before
    assert (await alice.get("/api/session")).json()["user"]["username"] == "Alice"


@pytest.mark.parametrize("where", ["same-origin", "none"])
async def test_our_own_page_may_act_for_alice(alice: httpx.AsyncClient, where: str) -> None:
    headers = {"Sec-Fetch-Site": where, "Origin": "https://proxied.example"}
    response = await alice.post("/api/comments/", json={**ARTICLE, "body": "Hello"}, headers=headers)
    assert response.status_code == 201


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "{url}.evil.example",
        "http://evil.example/{host}",
        "http://{host}@evil.example",
        "http://evil@{host}",
        "{host}",
        "file://",
        "http://[",
        "http://[::1",
        "\x80",
        "http://℀.example",
    ],
)
async def test_an_older_browser_is_checked_by_its_origin(alice: httpx.AsyncClient, site: Site, origin: str) -> None:
    told = origin.format(url=site.url, host=site.url.removeprefix("http://"))
    for method, url in UNSAFE:
        read_problem(await alice.request(method, url, json={}, headers={"Origin": told.encode()}), 403)


async def test_our_own_origin_may_act_for_alice(alice: httpx.AsyncClient, site: Site) -> None:
    for origin in (site.url, site.url.replace("http:", "https:"), site.url.upper()):
        response = await alice.post("/api/comments/", json={**ARTICLE, "body": "Hello"}, headers={"Origin": origin})
        assert response.status_code == 201


async def test_a_client_that_is_no_browser_may_write(alice: httpx.AsyncClient) -> None:
    response = await alice.post("/api/comments/", json={**ARTICLE, "body": "Hello"})
    assert not {"origin", "sec-fetch-site"} & set(response.request.headers)
    assert response.status_code == 201


async def test_every_site_may_link_to_us(alice: httpx.AsyncClient) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"}
    for url in ("/api/session", "/healthz"):
        assert (await alice.get(url, headers=headers)).status_code == 200
        assert (await alice.head(url, headers=headers)).status_code == 200


async def test_no_other_site_may_read_our_answers(alice: httpx.AsyncClient) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "PUT"}
    for response in (
        await alice.get("/api/session", headers=headers),
        await alice.options("/api/session", headers=headers),
    ):
        assert not [name for name in response.headers if name.startswith("access-control-")]


async def test_paths_answer_with_and_without_the_slash(alice: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/readyz", "/api/session", "/Article/1"):
        for slash in ("", "/"):
            assert (await alice.get(path + slash)).status_code == 200
    for path in ("/api/users", "/api/session"):
        for slash in ("", "/"):
            read_problem(await alice.post(path + slash, json=[]), 422, "body of the request")
    for slash in ("", "/"):
        read_problem(await alice.get(f"/streams{slash}", params={"topic": "nonsense"}), 422, "topic")


async def test_two_slashes_are_another_path(alice: httpx.AsyncClient) -> None:
    read_problem(await alice.get("/healthz//"), 404)


# -- headers for browsers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/Article/1", "/nothing", "/docs"])
async def test_every_page_has_a_content_security_policy(guest: httpx.AsyncClient, path: str) -> None:
    headers = (await guest.get(path, headers={"Accept": "text/html"})).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["x-content-type-options"] == "nosniff"
    assert "strict-transport-security" not in headers, "this request came without TLS"


async def test_a_response_that_is_no_document_cannot_be_shown_as_one(guest: httpx.AsyncClient) -> None:
    for path in ("/api/session", "/api/nothing", static("css/app.css"), static("css/docs.css")):
        headers = (await guest.get(path, headers={"Accept": "text/html"})).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "content-security-policy" not in headers
        assert sum(len(name) + len(value) for name, value in headers.raw) < 500


async def test_streams_and_server_errors_have_security_headers_too(
    site: Site, guest: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.comments import threads

    unwritten = {**ARTICLE, "commentable_id": "unwritten"}  # never served from memory

    async def mistaken(*_: object) -> None:
        raise ZeroDivisionError

    async with guest.stream("GET", "/streams?topic=Article/1") as stream:
        answers = [stream, await guest.get("/streams"), await guest.post("/streams")]
    answers.append(await guest.post("/streams", headers={"Sec-Fetch-Site": "cross-site"}))
    monkeypatch.setattr(threads, "page", mistaken)
    async with site.client(headers={"Accept": "text/html"}) as person:
        answers += [await person.get("/Article/unwritten"), await person.get("/api/comments/", params=unwritten)]
        over_tls = await person.get("/Article/unwritten", headers={"X-Forwarded-Proto": "https"})
    async with site.client(headers={"X-Forwarded-For": "192.0.2.1"}) as too_often:
        monkeypatch.setattr(rate_limits, "STREAM", replace(rate_limits.STREAM, by_address=parse("1 per 10 minutes")))
        answers += [await too_often.head("/streams?topic=Article/1") for _ in range(2)]
        answers.append(await too_often.get("/streams?topic=Article/1"))
    assert [answer.status_code for answer in answers] == [200, 422, 405, 403, 500, 500, 200, 200, 200]
    for answer in (*answers, over_tls):
        is_page = answer.headers["content-type"].startswith("text/html")
        assert ("content-security-policy" in answer.headers) == is_page
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-site"
    assert over_tls.status_code == 500
    assert "max-age" in over_tls.headers["strict-transport-security"]


async def test_cookies_are_secure_in_production_behind_any_proxy(production: Settings) -> None:
    from app.main import create_app
    from tests.support.serving import serving

    settings = production.model_copy(update={"require_confirmation": False})
    async with serving(create_app(settings)) as site, site.client() as alice:
        form = {"email": "zoe@example.com", "username": "Zoe", "password": "talk among friends"}
        cookies = (await alice.post("/api/users", json=form)).headers.get_list("set-cookie")
    assert len(cookies) == 2
    for cookie in cookies:
        assert cookie.startswith("__Host-")
        assert {"secure", "httponly", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}


async def test_browsers_must_use_tls_after_a_visit_over_tls(site: Site) -> None:
    """uvicorn takes the scheme from the proxy's header."""
    async with site.client(headers={"X-Forwarded-Proto": "https"}) as alice:
        assert "max-age" in (await alice.get("/")).headers["strict-transport-security"]
        form = {"email": "zoe@example.com", "username": "Zoe", "password": "talk among friends"}
        cookie = (await alice.post("/api/users", json=form)).headers["set-cookie"]
        assert cookie.startswith("__Host-parley_login=")
        assert {"secure", "httponly", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
        alice.headers["Cookie"] = cookie.partition(";")[0]
        assert (await alice.get("/api/session")).json()["user"]["username"] == "Zoe"
        gone = (await alice.delete("/api/session")).headers["set-cookie"]
        assert gone.startswith('__Host-parley_login=""')
        assert "secure" in gone.lower(), "a browser would not accept the cookie otherwise"


async def test_a_cookie_of_one_scheme_is_not_accepted_under_the_other(site: Site) -> None:
    async with site.client() as alice:
        await sign_up(alice, "Nora")
        assert (await alice.get("/api/session")).json()["user"]
        assert (await alice.get("/api/session", headers={"X-Forwarded-Proto": "https"})).json() == {"user": None}


async def test_only_requests_for_streams_wait_for_a_turn() -> None:
    passed, turns = list[str](), list[str]()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        passed.append(scope["path"])

    async def take_turn(scope: Any) -> None:
        turns.append("taken")

    for path in ("/streams", "/api/comments", "/streams"):
        await StreamPacingMiddleware(app, take_turn)({"type": "http", "path": path}, None, None)  # type: ignore[arg-type]
    assert passed == ["/streams", "/api/comments", "/streams"]
    assert len(turns) == 2
