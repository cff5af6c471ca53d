"""Through proxies that do what proxies do: each stands before the real app, and is looked through over real HTTP."""

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
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
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


async def examined(settings: Settings, url: str) -> Diagnosis:
    return await collect_findings(proxy.examine(settings, url))


# -- proxies ------------------------------------------------------------------------------------------------


class Buffering:
    """Gives an answer when it has all of it."""

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
    """Compresses streams, too, which nobody asked for."""

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
    """Changes a request on its way in."""

    def __init__(self, app: ASGIApp, change: Callable[[Scope], Scope]) -> None:
        self.app, self.change = app, change

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope if scope["type"] == "lifespan" else self.change(scope), receive, send)


def to_the_backend(scope: Scope) -> Scope:
    headers = [header for header in scope["headers"] if header[0] != b"host"]
    return {**scope, "headers": [*headers, (b"host", b"backend:8000")]}


def silent_about_tls(scope: Scope) -> Scope:
    return {**scope, "scheme": "http"}


# -- what is seen through them ------------------------------------------------------------------------------


async def test_nothing_between(settings: Settings) -> None:
    async with serving(create_app(settings)) as site:
        assert (await examined(settings, site.url)).well
        prefixed = await examined(settings, f"{site.url}/talk")
    (said,) = prefixed.wrong
    assert "/talk/healthz answers 404" in said


async def test_one_that_buffers(settings: Settings) -> None:
    async with serving(Buffering(create_app(settings))) as site:
        (said,) = (await examined(settings, site.url)).wrong
    assert said.startswith("no stream event came within 1 s")


async def test_one_that_compresses(settings: Settings) -> None:
    async with serving(Compressing(create_app(settings))) as site:
        found = await examined(settings, site.url)
    assert found.wrong == ["streams are compressed (deflate), which delays events."]
    assert [said[:42] for said in found.warnings] == ["streams arrive with Cache-Control: nothing"]


async def test_one_that_calls_it_by_another_name(settings: Settings) -> None:
    async with serving(Changing(create_app(settings), change=to_the_backend)) as site:
        (said,) = (await examined(settings, site.url)).wrong
    assert said.startswith("Parley refuses writes from browsers: it gets another Host")


@pytest.mark.usefixtures("trusted")
async def test_one_with_tls_of_which_parley_knows_or_does_not(settings: Settings, certificate: Path) -> None:
    for app, wrong in (
        (create_app(settings), []),
        (
            Changing(create_app(settings), change=silent_about_tls),
            ["Parley gets plain HTTP, and the proxy's address instead of the visitors'."],
        ),
    ):
        async with serving(app, ssl_certfile=certificate) as site:
            found = await examined(settings, site.url.replace("http:", "https:"))
        assert found.wrong == wrong
        assert [said[:9] for said in found.warnings] == ["no HTTP/2"]


async def test_a_certificate_that_nobody_trusts(settings: Settings, certificate: Path) -> None:
    async with serving(create_app(settings), ssl_certfile=certificate) as site:
        (said,) = (await examined(settings, site.url.replace("http:", "https:"))).wrong
    assert "certificate" in said


@pytest.mark.usefixtures("trusted")
async def test_http_2_is_seen(certificate: Path) -> None:
    async with speaking_http_2(certificate) as url:
        assert await asyncio.to_thread(proxy._negotiated, proxy.urlsplit(url)) == "h2"


@asynccontextmanager
async def speaking_http_2(certificate: Path) -> AsyncIterator[str]:
    """As far as that is agreed upon."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["h2"])
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_nobody_there(settings: Settings) -> None:
    (said,) = (await examined(settings, f"http://127.0.0.1:{free_port()}")).wrong
    assert "refused" in said
    for url, shown in (("talk.example.com", "talk.example.com"), ("http://a:secret@b", "http://a:***@b")):
        assert (await examined(settings, url)).wrong == [f"{shown} is not a URL."]


async def test_it_looks_where_people_come_in_if_that_is_known(settings: Settings) -> None:
    assert (await collect_findings(proxy.examine(settings, None))).well
    known = settings.model_copy(update={"public_url": f"http://127.0.0.1:{free_port()}"})
    known.model_fields_set.add("public_url")
    assert (await collect_findings(proxy.examine(known, None))).wrong
