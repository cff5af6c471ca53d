"""The doctor behind proxies: each wraps the real app, and the doctor examines it over real HTTP."""

from __future__ import annotations

import asyncio
import ssl
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme

from app.doctor import proxy
from app.main import create_app
from tests.doctor.diagnosis import Diagnosis, collect_findings
from tests.support.serving import free_port, serving

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from app.settings import Settings


pytestmark = pytest.mark.sqlite_only


@pytest.fixture(autouse=True)
def short_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "TIMEOUT_SECONDS", 1.0)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory, authority: trustme.CA) -> Path:
    path = tmp_path_factory.mktemp("certificate") / "all.pem"
    path.write_bytes(authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.bytes())
    return path


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))


async def diagnose(settings: Settings, url: str) -> Diagnosis:
    return await collect_findings(proxy.examine(settings, url))


# -- proxies ------------------------------------------------------------------------------------------------


class Buffering:
    """Sends a response when it is complete."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        held: list[Message] = []

        async def hold(message: Message) -> None:
            held.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                for each in held:
                    await send(each)

        await self.app(scope, receive, send if scope["type"] == "lifespan" else hold)


class Compressing:
    """Compresses streams, though the client did not ask for it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def compressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [header for header in message["headers"] if header[0] != b"cache-control"]
                await send({**message, "headers": [*kept, (b"content-encoding", b"deflate")]})
            else:
                await send({**message, "body": zlib.compress(message["body"])})

        await self.app(scope, receive, compressed if scope.get("path") == "/streams" else send)


class Changing:
    """Changes each request before the app gets it."""

    def __init__(self, app: ASGIApp, change: Callable[[Scope], Scope]) -> None:
        self.app, self.change = app, change

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope if scope["type"] == "lifespan" else self.change(scope), receive, send)


def with_backend_host(scope: Scope) -> Scope:
    headers = [header for header in scope["headers"] if header[0] != b"host"]
    return {**scope, "headers": [*headers, (b"host", b"backend:8000")]}


def without_scheme(scope: Scope) -> Scope:
    return {**scope, "scheme": "http"}


# -- findings -----------------------------------------------------------------------------------------------


async def test_a_site_without_a_proxy_is_ok_and_a_wrong_prefix_is_reported(settings: Settings) -> None:
    async with serving(create_app(settings)) as site:
        assert (await diagnose(settings, site.url)).is_ok
        prefixed = await diagnose(settings, f"{site.url}/talk")
    (message,) = prefixed.problems
    assert "/talk/healthz answers 404" in message


async def test_a_proxy_that_buffers_is_reported(settings: Settings) -> None:
    async with serving(Buffering(create_app(settings))) as site:
        (message,) = (await diagnose(settings, site.url)).problems
    assert message.startswith("no stream event came within 1 s")


async def test_a_proxy_that_compresses_streams_is_reported(settings: Settings) -> None:
    async with serving(Compressing(create_app(settings))) as site:
        found = await diagnose(settings, site.url)
    assert found.problems == ["streams are compressed (deflate), which delays events."]
    assert [message[:42] for message in found.warnings] == ["streams arrive with Cache-Control: nothing"]


async def test_a_proxy_that_changes_the_host_is_reported(settings: Settings) -> None:
    async with serving(Changing(create_app(settings), change=with_backend_host)) as site:
        (message,) = (await diagnose(settings, site.url)).problems
    assert message.startswith("Parley refuses writes from browsers: it gets another Host")


@pytest.mark.usefixtures("trusted")
async def test_a_proxy_with_tls_must_tell_parley_of_it(settings: Settings, certificate: Path) -> None:
    for app, problems in (
        (create_app(settings), []),
        (
            Changing(create_app(settings), change=without_scheme),
            ["Parley gets plain HTTP, and the proxy's address instead of the visitors'."],
        ),
    ):
        async with serving(app, ssl_certfile=certificate) as site:
            found = await diagnose(settings, site.url.replace("http:", "https:"))
        assert found.problems == problems
        assert [message[:9] for message in found.warnings] == ["no HTTP/2"]


async def test_an_untrusted_certificate_is_reported(settings: Settings, certificate: Path) -> None:
    async with serving(create_app(settings), ssl_certfile=certificate) as site:
        (message,) = (await diagnose(settings, site.url.replace("http:", "https:"))).problems
    assert "certificate" in message


@pytest.mark.usefixtures("trusted")
async def test_http_2_is_detected(certificate: Path) -> None:
    async with http_2_server(certificate) as url:
        assert await asyncio.to_thread(proxy._negotiated, proxy.urlsplit(url)) == "h2"


@asynccontextmanager
async def http_2_server(certificate: Path) -> AsyncIterator[str]:
    """A server that negotiates HTTP/2 and then closes the connection."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["h2"])
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_server_that_is_away_and_an_invalid_url_are_reported(settings: Settings) -> None:
    (message,) = (await diagnose(settings, f"http://127.0.0.1:{free_port()}")).problems
    assert "refused" in message
    for url, shown in (("talk.example.com", "talk.example.com"), ("http://a:secret@b", "http://a:***@b")):
        assert (await diagnose(settings, url)).problems == [f"{shown} is not a URL."]


async def test_the_doctor_examines_public_url_if_it_is_set(settings: Settings) -> None:
    assert (await collect_findings(proxy.examine(settings, None))).is_ok
    known = settings.model_copy(update={"public_url": f"http://127.0.0.1:{free_port()}"})
    known.model_fields_set.add("public_url")
    assert (await collect_findings(proxy.examine(known, None))).problems
