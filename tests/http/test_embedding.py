"""Embedding: the sites that may frame a thread or call the API from scripts, and a prefix before every path."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from typing import TYPE_CHECKING

import pytest
from starlette.routing import Mount, Route

from tests.support.cases import check_each
from tests.support.front_end import static
from tests.support.mailbox import find_token, wait_for_mail
from tests.support.people import ARTICLE, me, person, sign_up, write
from tests.support.problems import read_problem
from tests.support.serving import serving, spawned
from tests.support.sse import open_stream

if TYPE_CHECKING:
    import httpx
    from starlette.types import ASGIApp, Receive, Scope, Send

    from app.settings import Settings
    from tests.support.serving import Site

LISTED = "https://www.example.com"
OTHERS = [
    "https://evil.example", "http://www.example.com", "https://www.example.com:8443", "https://www.example.com.evil.example",
    "https://example.com", "https://WWW.example.com", "https://www.example.com/", "null", "",
]  # fmt: skip
ROOT = "/talk"


pytestmark = pytest.mark.sqlite_only


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    more = getattr(request, "param", {})
    return settings.model_copy(update={"allowed_origins": frozenset({LISTED}), **more})


@asynccontextmanager
async def site_with(settings: Settings, **update: object) -> AsyncIterator[Site]:
    from app.main import create_app

    async with serving(create_app(settings.model_copy(update=update))) as site:
        yield site


def ancestors(response: httpx.Response) -> str:
    (found,) = re.findall(r"frame-ancestors ([^;]*)", response.headers["content-security-policy"])
    return str(found)


# -- frames -------------------------------------------------------------------------------------------------


async def test_a_listed_page_may_frame_a_thread_and_nothing_else(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    await write(alice, "Under another page")
    for path in ("/embed/Article/1", "/embed/Page/never/seen before", "/embed/Article/1/"):
        assert ancestors(await guest.get(path)) == f"'self' {LISTED}"
    for path in ("/", "/Article/1", "/account", "/reset"):
        assert ancestors(await guest.get(path)) == "'none'", path
    for path in ("/embed/User/1", "/embed/Nothing/1", "/embed/Article", "/embed"):
        read_problem(await guest.get(path), 404)


async def test_an_embedded_page_has_the_thread_and_its_controls_only(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    comment = await write(alice, "Under another page")
    whole, alone = [(await guest.get(f"{prefix}/Article/1")).text for prefix in ("", "/embed")]
    section = re.compile(r'<section class="thread".*?</section>', re.DOTALL)
    assert section.findall(alone) == [text.replace('href="/A', 'href="/embed/A') for text in section.findall(whole)]
    assert comment["id"] in alone
    for part in ('class="account"', 'class="dialog entry"', 'class="light"', 'class="notice"', 'id="bootstrap"'):
        assert part in alone
    for part in ('class="article', 'class="brand"', 'class="foot"', 'class="skip"'):
        assert part in whole
        assert part not in alone


async def test_only_our_own_pages_may_frame_a_thread_without_a_list(settings: Settings) -> None:
    async with site_with(settings, allowed_origins=frozenset()) as site, site.client() as guest:
        assert ancestors(await guest.get("/embed/Article/1")) == "'self'"


async def test_a_page_of_any_origin_may_load_the_script(guest: httpx.AsyncClient) -> None:
    script = await guest.get("/embed.js", headers={"Origin": "https://evil.example"})
    assert script.status_code == 200
    assert script.headers["content-type"].startswith("text/javascript")
    assert script.headers["cache-control"] == "public, max-age=300"
    assert script.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in script.headers
    assert not re.search(r"\bimport\b *[{\"(]", script.text), "the script is one file"
    assert re.fullmatch(r"(\"use strict\";)?\(\(\)=>\{.*\}\)\(\);\s*", script.text, re.DOTALL), (
        "the script defines no global names"
    )


async def test_the_script_is_small(guest: httpx.AsyncClient) -> None:
    async with guest.stream("GET", "/embed.js", headers={"Accept-Encoding": "gzip"}) as script:
        assert script.headers["content-encoding"] == "gzip"
        assert len(b"".join([part async for part in script.aiter_raw()])) <= 3 * 1_024


async def test_the_former_page_of_counts_is_not_found(guest: httpx.AsyncClient) -> None:
    read_problem(await guest.get("/embed/counts?topic=Article/1"), 404)


# -- calls --------------------------------------------------------------------------------------------------


async def test_a_script_of_a_listed_page_may_call_the_api_as_the_signed_in_person(alice: httpx.AsyncClient) -> None:
    headers = {"Origin": LISTED, "Sec-Fetch-Site": "same-site"}
    asked = {
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "content-type,if-match,parley-user",
    }
    preflight = await alice.options("/api/comments/1", headers={**headers, **asked})
    assert preflight.status_code == 200
    assert "PUT" in preflight.headers["access-control-allow-methods"]
    posted = await alice.post("/api/comments/", json={**ARTICLE, "body": "From outside"}, headers=headers)
    read = await alice.get("/api/session", headers=headers)
    assert (posted.status_code, read.json()["user"]["username"]) == (201, "Alice")
    for answer in (preflight, posted, read):
        assert answer.headers["access-control-allow-origin"] == LISTED
        assert answer.headers["access-control-allow-credentials"] == "true"
        assert "Origin" in answer.headers["vary"]
    assert "ETag" in posted.headers["access-control-expose-headers"]


async def test_a_listed_page_may_read_refusals_and_streams_too(alice: httpx.AsyncClient) -> None:
    alice.headers["Origin"] = LISTED
    answer = await alice.post("/api/comments/", json={})
    assert "body" in str(answer.json()["errors"])
    assert answer.headers["access-control-allow-origin"] == LISTED
    async with alice.stream("GET", "/streams", params={"topic": "Article/1"}) as stream:
        assert stream.headers["access-control-allow-origin"] == LISTED
        assert stream.headers["access-control-allow-credentials"] == "true"


async def test_a_script_of_a_listed_page_may_not_read_our_pages(alice: httpx.AsyncClient) -> None:
    for path in ("/", "/account", "/Article/1", "/embed/Article/1"):
        answer = await alice.get(path, headers={"Origin": LISTED})
        assert not [name for name in answer.headers if name.startswith("access-control-")], path


async def test_other_sites_may_not_read_responses(alice: httpx.AsyncClient) -> None:
    async def check(origin: str) -> None:
        headers = {"Origin": origin, "Sec-Fetch-Site": "same-site", "Access-Control-Request-Method": "POST"}
        for answer in (
            await alice.get("/api/session", headers=headers),
            await alice.options("/api/comments/", headers=headers),
            await alice.head("/streams?topic=Article/1", headers=headers),
        ):
            assert not [name for name in answer.headers if name.startswith("access-control-")]
        read_problem(await alice.post("/api/comments/", json={**ARTICLE, "body": "Buy!"}, headers=headers), 403)
        read_problem(await alice.delete("/api/session", headers=headers), 403)
        assert await me(alice)

    await check_each({repr(origin): origin for origin in OTHERS}, check)


# -- a prefix -----------------------------------------------------------------------------------------------


class Stripping:
    """A proxy that removes the prefix."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "path": scope["path"].removeprefix(ROOT) or "/"}
        await self.app(scope, receive, send)


@pytest.fixture(params=["taken off", "left on", "put on again"])
async def prefixed(settings: Settings, request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    """Parley at /talk, behind each kind of proxy and server."""
    from app.main import create_app

    app = create_app(settings.model_copy(update={"root_path": ROOT}))
    server = {"root_path": ROOT} if request.param == "put on again" else {}
    async with serving(app if request.param == "left on" else Stripping(app), **server) as site:
        yield site


async def test_every_page_and_link_works_behind_a_prefix(prefixed: Site) -> None:
    async with prefixed.client() as alice:
        alice.base_url = alice.base_url.join(f"{ROOT}/")
        await sign_up(alice, "Alice")
        posted = await alice.post("/api/comments/", json={**ARTICLE, "body": "Here"})
        assert posted.headers["location"] == f"{ROOT}/api/comments/{posted.json()['id']}"
        assert (await alice.get(f"/api/comments/{posted.json()['id']}/")).status_code == 200
        password = await alice.get("/.well-known/change-password")
        assert (password.status_code, password.headers["location"]) == (302, f"{ROOT}/account")
        async with open_stream(alice, "Article/1") as stream:
            assert (await stream.next()).event == "heartbeat"
        for path in ("/", "/Article/1", "/embed/Article/1", "/account", "/reset", "/dev/mail", "/nothing"):
            page = await alice.get(path, headers={"Accept": "text/html"})
            assert page.status_code == (404 if path == "/nothing" else 200), path
            assert f'<html lang="en" data-base="{ROOT}">' in page.text
            leads = set(re.findall(r'(?:href|src)="(/[^"]*)"', page.text))
            assert leads
            assert not [link for link in leads if not link.startswith(f"{ROOT}/")], path
        for path in ("/worker.js", "/embed.js", static("js/app.js"), "/healthz"):
            assert (await alice.get(path)).status_code == 200
        read_problem(await alice.get("/api/nothing", headers={"Accept": "text/html"}), 404)


async def test_the_prefix_without_a_slash_has_a_page(prefixed: Site) -> None:
    async with prefixed.client() as guest:
        assert "Join the conversation" in unescape((await guest.get(ROOT)).text)


async def test_health_and_metrics_need_no_prefix(settings: Settings) -> None:
    async with site_with(settings, root_path=ROOT) as site, site.client() as guest:
        for path in ("/healthz", f"{ROOT}/healthz", "/readyz"):
            assert (await guest.get(path)).status_code == 200
        for path in ("/talkative/healthz", f"{ROOT}{ROOT}/healthz"):
            read_problem(await guest.get(path), 404)


async def test_two_parleys_of_one_host_do_not_take_each_others_cookies(settings: Settings) -> None:
    async with site_with(settings, root_path=ROOT) as one, site_with(settings) as other, person(one, "Alice") as alice:
        assert {cookie.name for cookie in alice.cookies.jar} == {"parley_login.talk", "parley_device.talk"}
        assert {cookie.path for cookie in alice.cookies.jar} == {"/"}
        assert await me(alice)
        alice.base_url = other.url
        assert await me(alice) is None
        secure = {"X-Forwarded-Proto": "https"}
        form = {"email": "bob@example.com", "username": "Bob", "password": "talk among friends"}
        async with one.client(headers=secure) as bob:
            cookie = (await bob.post("/api/users", json=form)).headers["set-cookie"]
        assert cookie.startswith("__Host-parley_login.talk=")
        assert "Path=/;" in cookie


async def test_links_in_mail_have_the_prefix(settings: Settings) -> None:
    from app.settings import Settings

    named = settings.model_dump(exclude={"public_url"}) | {"root_path": ROOT}
    async with site_with(Settings(_env_file=None, **named)) as site, person(site, "Alice") as alice:
        await alice.post(f"{ROOT}/api/resets", json={"email": "alice@example.com"})
        text = await wait_for_mail(site.state.parley, "Alice", "Choose a new password")
        token = find_token(text, "talk/reset")
        assert f'href="{site.url}{ROOT}/reset#{token}"' in (await alice.get(f"{ROOT}/dev/mail")).text


@pytest.mark.parametrize(
    ("module", "options"),
    [
        pytest.param("app", [], marks=pytest.mark.extended),
        pytest.param("uvicorn", [], marks=pytest.mark.extended),
        ("uvicorn", ["--root-path", ROOT]),
    ],
)
async def test_a_prefix_works_with_every_way_to_start(
    module: str, options: list[str], sqlite_url: str, redis_url: str
) -> None:
    environment = {"ROOT_PATH": ROOT, "DATABASE_URL": sqlite_url, "REDIS_URL": redis_url}
    async with spawned(environment, *options, module=module) as app, app.client() as guest:
        styles = 'href="{}{}"'.format(ROOT, static("css/app.css"))
        for path in (f"{ROOT}/Article/1", "/Article/1"):
            assert styles in (await guest.get(path)).text


def test_a_prefix_must_not_be_a_path_of_the_app(settings: Settings) -> None:
    from app.main import create_app
    from app.settings import OWN_PATHS

    routes = [route for route in create_app(settings).routes if isinstance(route, Mount | Route)]
    first = {route.path.split("/")[1] for route in routes} - {"", "{type}"}
    assert first - {".well-known"} == OWN_PATHS
