"""Limits of streams: a client beyond a limit gets a retry time, and a stream that ends frees its place."""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractContextManager, AsyncExitStack
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.support.people import person, sign_in, write
from tests.support.serving import serving
from tests.support.sse import Stream, open_stream
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from app.settings import Settings
    from tests.support.serving import Site


def bounded(settings: Settings, **bounds: Any) -> Any:
    from app.main import create_app

    return create_app(settings.model_copy(update=bounds))


def open_streams(site: Site) -> int:
    streams: int = site.state.admission.streams
    return streams


async def assert_refused(client: httpx.AsyncClient, **options: Any) -> None:
    """Check that the response is a 200 with only a retry time, because any other status ends an EventSource."""
    response = await client.get("/streams?topic=Article/1", **options)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    name, _, milliseconds = response.text.strip().partition(": ")
    assert name == "retry"
    assert 10_000 <= int(milliseconds) <= 20_000


async def listen(doors: AsyncExitStack, client: httpx.AsyncClient, **options: Any) -> Stream:
    stream = await doors.enter_async_context(open_stream(client, "Article/1", **options))
    await stream.next()
    return stream


async def test_a_full_process_refuses_new_streams_and_serves_open_ones(settings: Settings) -> None:
    async with (
        serving(bounded(settings, max_streams=3)) as site,
        person(site, "Alice") as alice,
        site.client() as guest,
    ):
        async with AsyncExitStack() as doors:
            streams = [await listen(doors, guest) for _ in range(3)]
            for client in (alice, guest):
                await assert_refused(client)
            await write(alice, "You three are lucky")
            for stream in streams:
                await stream.until("create.success")
        await wait_until(lambda: open_streams(site) == 0, "the places to be free")
        async with open_stream(alice, "Article/1") as stream:
            await stream.next()


async def test_each_login_has_its_own_limit_of_streams(settings: Settings) -> None:
    async with (
        serving(bounded(settings, max_streams_per_login=2)) as site,
        person(site, "Alice") as alice,
        person(site, "Bob") as bob,
        site.client() as phone,
        AsyncExitStack() as doors,
    ):
        await sign_in(phone, "Alice")
        for _ in range(2):
            await listen(doors, alice)
        await assert_refused(alice)
        for client in (phone, bob):
            await listen(doors, client)


async def test_each_address_has_a_limit_of_streams(settings: Settings) -> None:
    here, there = {"X-Forwarded-For": "192.0.2.1"}, {"X-Forwarded-For": "192.0.2.2"}
    app = bounded(settings, max_streams_per_address=1)
    async with serving(app) as site, site.client(headers=here) as one, site.client(headers=there) as other:
        async with open_stream(one, "Article/1") as stream:
            await stream.next()
            await assert_refused(one)
            async with open_stream(other, "Article/1") as others:
                await others.next()
        await wait_until(lambda: open_streams(site) == 0, "the places to be free")
        async with open_stream(one, "Article/1") as stream:
            await stream.next()


def test_a_stream_that_ends_is_forgotten_without_a_scan(settings: Settings) -> None:
    from starlette.requests import Request

    from app.http.stream_limits import Admission
    from app.live.viewers import GUEST

    class Register(Counter[Any]):
        def items(self) -> Any:  # a scan of all entries would call it
            raise AssertionError("ten thousand times ten thousand")

    admission = Admission(settings)
    admission._open = Register()

    def place(address: str) -> AbstractContextManager[bool]:
        request = Request({"type": "http", "client": (address, 1), "headers": [], "app": None})
        return admission.place(request, GUEST)

    with place("192.0.2.1") as here:
        with place("192.0.2.1") as too, place("192.0.2.2") as there:
            assert all([here, too, there])
            assert len(admission._open) == 6, "streams and topics: of the process, and of two addresses"
        assert len(admission._open) == 4
    assert not admission._open


async def test_only_the_limit_of_the_process_holds_for_load_tests(settings: Settings) -> None:
    bounds = {"rate_limits": False, "max_streams": 3, "max_streams_per_login": 1, "max_streams_per_address": 1}
    async with serving(bounded(settings, **bounds)) as site, person(site, "Alice") as alice, AsyncExitStack() as doors:
        for _ in range(3):
            await listen(doors, alice)
        await assert_refused(alice)


@pytest.mark.parametrize("refused", ["/streams", "/streams?topic=Nonsense/1", "/streams?topic=User/1"])
async def test_a_refused_stream_takes_no_place(settings: Settings, refused: str) -> None:
    async with serving(bounded(settings, max_streams=1)) as site, site.client() as guest:
        for _ in range(3):
            assert (await guest.get(refused)).status_code in (403, 422)
        assert (await guest.head("/streams?topic=Article/1")).status_code in (200, 405)
        assert open_streams(site) == 0
        async with open_stream(guest, "Article/1") as stream:
            await stream.next()


async def test_streams_end_one_after_the_other_at_shutdown(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import asyncio

    from app.http import sse_response

    monkeypatch.setattr(sse_response, "STREAM_ENDS_PER_SECOND", 40)  # so thirty streams take most of a second
    async with serving(bounded(settings)) as site, site.client() as guest, AsyncExitStack() as doors:
        streams = [await listen(doors, guest) for _ in range(30)]
        site.stop()
        ends = []

        async def see_off(stream: Stream) -> None:
            await stream.ended()
            ends.append(asyncio.get_running_loop().time())

        await asyncio.gather(*(see_off(stream) for stream in streams))
        retries = {stream.blocks[-1].retry for stream in streams}
        assert None not in retries
        assert len(retries) > 10
        assert max(ends) - min(ends) > 0.3
    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]


async def test_topics_are_bounded_for_the_process_a_login_and_an_address(settings: Settings) -> None:
    here, there = {"X-Forwarded-For": "192.0.2.1"}, {"X-Forwarded-For": "192.0.2.2"}
    bounds = {"max_topics": 9, "max_topics_per_login": 4, "max_topics_per_address": 5}
    async with (
        serving(bounded(settings, **bounds)) as site,
        person(site, "Alice") as alice,
        site.client(headers=here) as one,
        site.client(headers=there) as other,
        AsyncExitStack() as doors,
    ):

        async def opens(client: httpx.AsyncClient, *names: str) -> None:
            stream = await doors.enter_async_context(open_stream(client, *names))
            assert (await stream.next()).event == "heartbeat"

        async def is_refused(client: httpx.AsyncClient, *names: str) -> None:
            response = await client.get("/streams", params={"topic": names})
            assert (response.status_code, response.text[:6]) == (200, "retry:")

        await opens(alice, "Article/1", "Article/2")  # and her own
        await is_refused(alice, "Article/3")
        await opens(one, "Article/1", "Article/2", "Article/3")
        await is_refused(one, "Article/4", "Article/5", "Article/6")
        await is_refused(other, "Article/4", "Article/5", "Article/6", "Article/7")
        await opens(other, "Article/4")
        refused = site.state.admission.refused
        assert {kind for kind, times in refused.items() if times} == {"topics", "login_topics", "address_topics"}
    bounds = {"rate_limits": False, "max_topics": 1, "max_topics_per_login": 1, "max_topics_per_address": 1}
    async with (
        serving(bounded(settings, **bounds)) as site,
        person(site, "Bob") as bob,
        open_stream(bob, "Article/1", "Article/2") as stream,
    ):
        assert (await stream.next()).event == "heartbeat"


async def test_streams_of_one_address_are_counted_by_their_topics(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from limits import parse

    from app.http import rate_limits

    monkeypatch.setattr(rate_limits, "STREAM_TOPICS", rate_limits.Limit("stream topics", parse("25 per 5 minutes")))
    here, there = {"X-Forwarded-For": "192.0.2.1"}, {"X-Forwarded-For": "192.0.2.2"}
    ten = "/streams?once=1&" + "&".join(f"topic=Article/{number}" for number in range(10))
    async with (
        serving(bounded(settings, heartbeat_seconds=0.1)) as site,
        site.client(headers=here) as one,
        site.client(headers=there) as other,
    ):
        for _ in range(2):
            assert "event: heartbeat" in (await one.get(ten)).text
        refused = await one.get(ten)
        assert (refused.status_code, refused.text[:6]) == (200, "retry:")
        assert "event: heartbeat" in (await one.get("/streams?once=1&topic=Article/1")).text
        assert "event: heartbeat" in (await other.get(ten)).text


class FailingMiddleware:
    """Fails after each stream's start."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)
        if scope["path"] == "/streams":
            raise ArithmeticError("a bug")


async def test_a_stream_whose_middleware_fails_gives_its_place_back(settings: Settings) -> None:
    app = bounded(settings)
    app.add_middleware(FailingMiddleware)
    async with serving(app) as site, site.client() as guest:
        with pytest.raises(httpx.RemoteProtocolError):
            await guest.get("/streams?topic=Article/1")
        assert open_streams(site) == 0
        assert not app.state.parley.feeds
