"""Real nginx and Caddy in front of the app, with the configurations of this repository."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from app.main import create_app
from app.settings import Settings
from tests.support import proxies
from tests.support.front_end import static
from tests.support.people import email_of, person, read_json, write
from tests.support.proxies import CLIENT_ADDRESS, Proxied
from tests.support.serving import serving
from tests.support.sse import open_stream
from tests.support.waiting import wait_until

PROXIES = {"nginx": proxies.nginx, "caddy": proxies.caddy}
# The part of each file that the lines for a prefix replace: its first line, and the text that follows it.
PLACES = {
    "nginx": ("        location ~ ^/(metrics|readyz)/*$ {", "    }\n}"),
    "caddy": ("\timport parley\n", "}\n\n# Without"),
}
SAFELY_BIG = "a" * 1_200_000  # bytes, more than a proxy accepts

Seen = list[dict[str, Any]]


pytestmark = [pytest.mark.sqlite_only, pytest.mark.extended]


@pytest.fixture(params=PROXIES)
def proxy(request: pytest.FixtureRequest) -> str:
    if sys.platform != "linux":
        pytest.skip("no second address of this machine's own, from which a client could come")
    if not proxies.find(request.param):
        pytest.skip(f"no {request.param} on PATH: `make proxies` fetches it where there is apt-get")
    return str(request.param)


@asynccontextmanager
async def behind(
    proxy: str, settings: Settings, change: Callable[[str], str] = str
) -> AsyncIterator[tuple[Proxied, Starlette, Seen]]:
    """The app behind this proxy: the proxied site, the site itself, and the requests that the app got."""
    app, seen = create_app(settings.model_copy(update={"heartbeat_seconds": 60.0})), Seen()

    async def looked_at(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            seen.append(scope)
        await app(scope, receive, send)

    binary = proxies.find(proxy)
    assert binary
    async with serving(looked_at) as site, PROXIES[proxy](binary, site, change) as proxied:
        yield proxied, app, seen


async def test_browsers_get_pages_and_streams_through_the_proxy(proxy: str, settings: Settings) -> None:
    async with behind(proxy, settings) as (site, app, seen), person(site, "Alice") as alice, site.client() as guest:
        # Heartbeats are a minute apart: a proxy that holds a block back holds it longer than the test waits.
        async with open_stream(guest, "Article/1") as stream:
            await stream.until("heartbeat")
            assert "content-encoding" not in stream.response.headers
            comment = await write(alice, "a comment that crosses")
            assert (await stream.until("create.success")).model["id"] == comment["id"]

        await wait_until(lambda: not app.state.admission.streams, "the app to know that nobody listens", 3)
        await goes_on_after_a_reload(site, alice, guest)

        await write(alice, "long enough to be worth it " * 50)
        listed = await guest.get("/api/comments/?commentable_type=Article&commentable_id=1")
        assert listed.headers["content-encoding"] in {"gzip", "zstd"}
        assert len(read_json(listed, 200)["comments"]) == 3
        script = await guest.get(static("js/app.js"), headers={"Accept-Encoding": "br, gzip"})
        assert script.headers["content-encoding"] == "br", "as the app has compressed it"
        assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
        worker = await guest.get("/worker.js")
        known = await guest.get("/worker.js", headers={"If-None-Match": worker.headers["etag"]})
        assert known.status_code == 304

        edited = await alice.put(f"/api/comments/{comment['id']}", json={"body": "edited " * 300})
        again = await alice.put(
            f"/api/comments/{comment['id']}", json={"body": "again"}, headers={"If-Match": edited.headers["etag"]}
        )
        assert again.status_code == 200, "compressed or not, its ETag names what it named"

        await the_client_is_who_it_is(site, seen)
        for path in (b"/metrics", b"/readyz", b"/readyz/", b"//readyz", b"/%72eadyz", b"/./readyz", b"/x/../readyz//"):
            asked = httpx.URL(site.url).copy_with(raw_path=path)  # sent unchanged; httpx would normalize a text
            assert (await guest.get(asked)).status_code == 404, path
        too_large = await alice.post("/api/comments/", json={"body": SAFELY_BIG})
        assert too_large.status_code == 413
        wordy = await alice.post("/api/comments/", json={"body": SAFELY_BIG[:200_000]})
        assert (wordy.status_code, wordy.headers["content-type"]) == (413, "application/problem+json")
        assert await asyncio.to_thread(spoken, site.port) == "h2"
        async with httpx.AsyncClient(trust_env=False) as careless:
            plain = await careless.get(f"{site.plain}/Article/1", headers={"Host": "talk.example.com"})
        assert plain.status_code == 308
        assert plain.headers["location"] == "https://talk.example.com/Article/1"


def polls(seen: Seen) -> list[str]:
    return [scope["path"] for scope in seen if scope["path"].startswith("/changes/")]


def has_polled(seen: Seen, times: int) -> bool:
    return len(polls(seen)) > times


async def test_nginx_sends_one_request_for_many_guests(settings: Settings) -> None:
    if not proxies.find("nginx"):
        pytest.skip("no nginx on PATH: `make proxies` fetches it where there is apt-get")
    async with behind("nginx", settings) as (proxied, _, seen), AsyncExitStack() as stack:
        alice = await stack.enter_async_context(person(proxied, "Alice"))
        guests = [await stack.enter_async_context(proxied.client()) for _ in range(40)]
        begun = read_json(await guests[0].get("/changes/Article/1"), 200)
        before = len(polls(seen))
        address = f"/changes/Article/1?{begun['next']}"
        for number in range(3):
            polling = [asyncio.create_task(guest.get(address)) for guest in guests]
            # A guest who leaves, though nginx may have sent exactly that guest's request to Parley.
            await wait_until(partial(has_polled, seen, before + number), "nginx to ask Parley")
            polling.pop(0).cancel()
            comment = await write(alice, f"round {number}")
            found = [read_json(response, 200) for response in await asyncio.gather(*polling)]
            assert all(one == found[0] for one in found)
            assert found[0]["events"][0]["data"]["payload"]["model"]["id"] == comment["id"]
            address = f"/changes/Article/1?{found[0]['next']}"
        assert len(polls(seen)) - before <= 6  # for 120 requests; one more each time if a turn ended meanwhile
        refused = [await guest.get("/changes/Nothing/1") for guest in guests[:2]]
        assert [response.status_code for response in refused] == [422, 422]
        assert polls(seen).count("/changes/Nothing/1") == 2, "nginx stores no error"


# Links that a stranger may send; {} is replaced by another word each time.
DECEPTIONS = [
    "/Article/..%2Fstatic/{}", "/Article/..%2fstatic%2f{}.css", "/Article/%2e%2e/static/{}.css",
    "/Article/../static/{}", "/static/..%2fArticle/{}", "/static/%2e%2e/Article/{}", "/static/../Article/{}",
    "/static/x/..%2f..%2fArticle/{}.css", "/static/css/page.css/..%2f..%2f..%2faccount?{}",
    "/Article/{}%2f..%2fstatic%2fx.css", "//static/{}", "/Article//static/{}", "/static%2f..%2fArticle/{}",
    "/static%2fx/../../Article/{}", "/Article/{}\\..\\static\\x", "/Article/{}%5c..%5cstatic/x.css",
    "/Article/{}%00.css", "/static/..%00/Article/{}", "/Article/{}.css", "/Article/{};/static/x.css",
    "/Article/{}%3b/static/x.js", "/Article/{}%3F/static/x.css", "/static/..%3f/../Article/{}",
    "/static/..;/Article/{}", "/account%2f..%2fstatic%2f{}", "/account/..%2fstatic/{}", "/account;/static/{}.css",
    "/account%3f/../static/{}", "/inbox/%2e%2e%2fstatic%2f{}.png", "/embed/Article/..%2f..%2fstatic/{}",
    "/api/session/..%2f..%2fstatic/{}", "/api/%2e%2e/static/{}", "/%2e/static/{}", "/Article/..%252fstatic/{}",
    "/Article/.%2e%2Fstatic/{}",
]  # fmt: skip


async def test_a_link_cannot_make_the_proxy_store_alices_page(proxy: str, settings: Settings) -> None:
    """Web cache deception: the proxy would store her page as a public file, and serve it to a stranger."""
    async with behind(proxy, settings) as (site, _, seen), person(site, "Alice") as alice, site.client() as stranger:
        assert email_of("Alice") in (await alice.get("/Article/1")).text, "her pages have what is hers"
        for number, deception in enumerate(DECEPTIONS):
            path = deception.format(f"x{number}").encode()
            asked = httpx.URL(site.url).copy_with(raw_path=path)
            hers = await alice.get(asked)
            before = len(seen)
            theirs = await stranger.get(asked)
            assert email_of("Alice") not in theirs.text, path
            assert "alice" not in theirs.headers.get("parley-keep", ""), path
            if hers.status_code == 200:
                assert "no-store" in hers.headers["cache-control"], path
                assert len(seen) == before + 1, f"{path!r} was stored"


async def test_the_proxy_stores_static_files(settings: Settings) -> None:
    """Their cache key is the address as it was sent, with the encoding."""
    if not (binary := proxies.find("nginx")):
        pytest.skip("no nginx")
    async with behind("nginx", settings) as (site, _, seen), site.client() as guest:
        assert binary
        for path in (static("css/app.css"), static("js/app.js"), f"{static('css/app.css')}?v=1"):
            for encoding in ("gzip", "br"):
                headers = {"Accept-Encoding": encoding}
                first, before = await guest.get(path, headers=headers), len(seen)
                assert first.headers["content-encoding"] == encoding
                again = await guest.get(path, headers=headers)
                assert (again.content, again.headers["content-encoding"]) == (first.content, encoding)
                assert len(seen) == before, f"{path} was asked for again"
        for _ in range(2):
            before = len(seen)
            assert (await guest.get("/static/of-another-release.js")).status_code == 404
            assert len(seen) == before + 1, "another server may have it"


async def test_the_proxy_closes_the_connection_of_a_silent_client(proxy: str, settings: Settings) -> None:
    """The configuration is that of the files, with a shorter timeout."""
    async with behind(
        proxy, settings, lambda said: re.sub(r"(client_header_timeout|read_header) 15s", r"\1 1s", said)
    ) as (
        site,
        _,
        _,
    ):
        port = int(site.plain.rpartition(":")[2])
        for sent in (b"", b"GET / HTTP/1.1\r\nHost: localhost\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            assert b" 200 " not in await reader.read()  # until it is closed
            writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n")
        assert (await reader.readline()).split()[1] in {b"400", b"431"}
        writer.close()


async def goes_on_after_a_reload(site: Proxied, alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    async with open_stream(guest, "Article/1") as stream:
        await stream.until("heartbeat")
        await asyncio.to_thread(site.reload)
        comment = await write(alice, "said while it was reloaded")
        try:
            last = await stream.until("create.success", 2)
        except AssertionError:  # the proxy cut the stream; a browser reconnects with its position
            async with open_stream(guest, "Article/1", last_event_id=stream.position) as again:
                last = await again.until("create.success")
    assert last.model["id"] == comment["id"]


async def the_client_is_who_it_is(site: Proxied, seen: Seen) -> None:
    said = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "http", "X-Request-ID": "somebody-elses"}
    async with site.client(headers=said) as liar:
        answer = await liar.get("/healthz")
    assert (seen[-1]["client"][0], seen[-1]["scheme"]) == (CLIENT_ADDRESS, "https")
    (request,) = answer.headers.get_list("X-Request-ID")
    assert request.encode() == dict(seen[-1]["headers"])[b"x-request-id"]
    assert re.fullmatch(r"[0-9a-f-]{32,36}", request), "it is the proxy's own"


@pytest.mark.parametrize("way", ["left on", "taken off"])
async def test_the_proxy_may_keep_or_remove_a_prefix(proxy: str, settings: Settings, way: str) -> None:
    """Uses the lines of docs/deployment.md."""
    prefixed = settings.model_copy(update={"root_path": "/talk"})
    lines = next(block for block in proxies.blocks_of("deployment.md", proxy) if f"# The prefix is {way}" in block)

    def change(said: str) -> str:
        begin, end = PLACES[proxy]
        head, found, rest = said.partition(begin)
        assert found
        return f"{head}{lines}{rest[rest.index(end) :]}"

    async with behind(proxy, prefixed, change) as (site, _, _), site.client() as lost, site.client("/talk") as guest:
        page = await guest.get("/Article/1")
        assert page.status_code == 200
        assert '"/talk/' in page.text
        async with open_stream(guest, "Article/1") as stream:
            await stream.until("heartbeat")
        for path in ("/readyz", "/talk/readyz"):
            assert (await guest.get(path)).status_code == 404, path
        assert "/talk/" not in (await lost.get("/Article/1")).text, "what lies beside it is not ours"


def spoken(port: int) -> str | None:
    """The protocol that a browser and the proxy negotiate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", port)) as connection,
        context.wrap_socket(connection, server_hostname="localhost") as secured,
    ):
        return secured.selected_alpn_protocol()
