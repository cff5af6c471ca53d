"""Many people sign in at once, and streams continue without delay."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from app.accounts import passwords
from tests.support.people import PASSWORD, email_of, person
from tests.support.problems import read_problem
from tests.support.serving import serving
from tests.support.sse import open_stream
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from app.settings import Settings

HEARTBEAT = 0.1  # seconds
PEOPLE = 50


pytestmark = pytest.mark.sqlite_only  # the tests are about CPU time


class Hashing:
    """Password hashes that end only when the test sets `may_end`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.may_end = threading.Event(), threading.Event()
        self._verify = passwords._verify
        monkeypatch.setattr(passwords, "_verify", self.verify)

    def verify(self, text: str, hash: str | None) -> bool:
        self.begun.set()
        assert self.may_end.wait(60)
        return self._verify(text, hash)


@pytest.fixture
def hashing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hashing]:
    hashing = Hashing(monkeypatch)
    yield hashing
    hashing.may_end.set()


async def test_heartbeats_continue_while_fifty_people_sign_in(settings: Settings, hashing: Hashing) -> None:
    from app.main import create_app

    quick = settings.model_copy(update={"heartbeat_seconds": HEARTBEAT, "rate_limits": False})
    async with AsyncExitStack() as open_:
        site = await open_.enter_async_context(serving(create_app(quick)))
        alice = await open_.enter_async_context(person(site, "Alice"))
        people = [await open_.enter_async_context(site.client(timeout=60)) for _ in range(PEOPLE)]
        stream = await open_.enter_async_context(open_stream(alice, "Article/1"))
        await stream.next()

        form = {"email": email_of("Alice"), "password": PASSWORD}
        signing_in = asyncio.gather(*(client.post("/api/session", json=form) for client in people))
        await wait_until(hashing.begun.is_set, "the first hash to begin")
        for _ in range(3):  # a hash on the event loop would block these
            await stream.until("heartbeat")
        assert not signing_in.done()
        hashing.may_end.set()
        assert {response.status_code for response in await signing_in} == {200}


async def test_a_sign_in_is_refused_if_too_many_wait(
    settings: Settings, hashing: Hashing, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.main import create_app

    monkeypatch.setattr(passwords, "MAX_WAITING", 5)
    served = 5 + passwords.MAX_HASHES_AT_ONCE
    lenient = settings.model_copy(update={"rate_limits": False})
    async with AsyncExitStack() as open_:
        site = await open_.enter_async_context(serving(create_app(lenient)))
        await open_.enter_async_context(person(site, "Alice"))
        people = [await open_.enter_async_context(site.client(timeout=60)) for _ in range(30)]
        form = {"email": email_of("Alice"), "password": PASSWORD}
        asked = [asyncio.create_task(client.post("/api/session", json=form)) for client in people]
        await wait_until(lambda: sum(task.done() for task in asked) == len(asked) - served, "the others to be refused")
        hashing.may_end.set()
        answers = await asyncio.gather(*asked)
    assert sorted(answer.status_code for answer in answers) == [200] * served + [503] * (len(asked) - served)
    for answer in answers:
        if answer.status_code == 503:
            assert "Too many people are signing in" in read_problem(answer, 503)["detail"]
            assert answer.headers["retry-after"] == "5"
