"""Many sign in at once, at Argon2's real price: whoever watches does not notice."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

import pytest

from app.models.password import AT_ONCE
from tests.support.people import PASSWORD, email_of, person
from tests.support.serving import serving
from tests.support.sse import listening
from tests.web.refusals import refused

if TYPE_CHECKING:
    from app.settings import Settings

HEARTBEAT = 0.1  # seconds
PEOPLE = 50


pytestmark = pytest.mark.sqlite_only  # the tests are about the processor


@pytest.fixture
def passwords_cost_little() -> None:
    """They do not here."""


async def test_heartbeats_stay_on_time_while_fifty_sign_in(settings: Settings) -> None:
    from app.main import create_app

    quick = settings.model_copy(update={"heartbeat_seconds": HEARTBEAT, "rate_limits": False})
    async with AsyncExitStack() as open_:
        site = await open_.enter_async_context(serving(create_app(quick)))
        alice = await open_.enter_async_context(person(site, "Alice"))
        people = [await open_.enter_async_context(site.client(timeout=60)) for _ in range(PEOPLE)]
        stream = await open_.enter_async_context(listening(alice, "Article/1"))
        await stream.next()

        beats = [time.perf_counter()]
        form = {"email": email_of("Alice"), "password": PASSWORD}
        signing_in = asyncio.gather(*(client.post("/api/session", json=form) for client in people))
        while not signing_in.done():
            if (await stream.next()).event == "heartbeat":
                beats.append(time.perf_counter())
        assert {response.status_code for response in await signing_in} == {200}

    took = beats[-1] - beats[0]
    gaps = [later - earlier for earlier, later in pairwise(beats)]
    # However busy the machine is: a hash on the loop would hold every heartbeat up, for as long as it takes or longer.
    hash = took / PEOPLE * AT_ONCE
    assert took > 5 * HEARTBEAT, "they did cost something"
    assert median(gaps) < HEARTBEAT + hash / 2, f"{median(gaps):.2f} s between heartbeats, {hash:.2f} s a hash"
    assert max(gaps) < HEARTBEAT + 1, f"{max(gaps):.2f} s without a heartbeat"


async def test_too_many_at_once_are_sent_away_instead_of_waiting(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.main import create_app
    from app.models import password

    monkeypatch.setattr(password, "WAITING", 5)
    lenient = settings.model_copy(update={"rate_limits": False})
    async with AsyncExitStack() as open_:
        site = await open_.enter_async_context(serving(create_app(lenient)))
        await open_.enter_async_context(person(site, "Alice"))
        people = [await open_.enter_async_context(site.client(timeout=60)) for _ in range(30)]
        form = {"email": email_of("Alice"), "password": PASSWORD}
        answers = await asyncio.gather(*(client.post("/api/session", json=form) for client in people))
    codes = [answer.status_code for answer in answers]
    assert set(codes) == {200, 503}
    assert codes.count(200) >= 5
    for answer in answers:
        if answer.status_code == 503:
            assert "Too many people are signing in" in refused(answer, 503)["detail"]
            assert answer.headers["retry-after"] == "5"
