from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from redis.asyncio import Redis

from app.accounts import logins
from app.accounts.logins import viewer_of
from app.live.presence import room, service
from app.live.presence.messages import MAX_MESSAGE_LENGTH, MAX_NAMED
from app.live.presence.room import (
    MAX_NAMES_SHOWN,
    MAX_PROCESSES,
    MAX_TYPISTS,
    PUBLISH_INTERVAL_SECONDS,
    REFRESH_SECONDS,
)
from app.live.presence.service import EXPIRY_SECONDS, LINGER_SECONDS, MAX_MESSAGES_PER_TICK, TYPING_SECONDS, Presence
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import GUEST, Viewer
from app.models import LIVE_MODELS
from app.settings import Settings
from tests.support.people_without_http import ARTICLE, create_viewer, post_comment
from tests.support.redis import RedisServer
from tests.support.session_reader import Reader, open_session
from tests.support.sse import Block
from tests.support.waiting import WAIT_TIMEOUT_SECONDS, wait_until

OTHER = Topic("Article", "2")
TYPES = frozenset({"Article", "Page"})


def named(name: str) -> Viewer:
    return Viewer(uuid4(), name, login_id=uuid4())


ALICE, BOB, CAROL = named("Alice"), named("Bob"), named("Carol")


class World:
    """A clock, a road between processes, and what was said on it."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.said: list[dict[str, Any]] = []
        self.processes: list[Presence] = []
        self.is_cut = False

    def process(self) -> Presence:
        process = Presence(TYPES, self.send, lambda: self.now)
        self.processes.append(process)
        return process

    def send(self, text: str) -> None:
        self.said.append(json.loads(text))
        for process in [] if self.is_cut else self.processes:
            process.receive(text)

    def crash(self, process: Presence) -> None:
        """Nothing more comes from it, not even a word of farewell."""
        self.processes.remove(process)

    def passes(self, seconds: float) -> None:
        """Every process looks as often as it does."""
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + service.TICK_SECONDS)
            for process in self.processes:
                for watcher in process.run_due():
                    watcher.wake()


class Looker:
    """A session: who looks, at what, and what they have been told."""

    def __init__(
        self,
        process: Presence,
        viewer: Viewer = GUEST,
        topics: Sequence[Topic] = (ARTICLE,),
        network: str | None = None,
    ) -> None:
        self.process, self.viewer, self.topics, self.network = process, viewer, tuple(topics), network
        self.woken = 0
        self.told: list[dict[str, Any]] = []
        self._versions: dict[Topic, int] = {}
        process.enter(self)

    def wake(self) -> None:
        self.woken += 1
        for topic in self.topics:
            if news := self.process.news(self, topic, self._versions.get(topic, 0)):
                self._versions[topic], block = news
                self.told.append(told(block))

    def leave(self, *, at_once: bool = False) -> None:
        self.process.leave(self, at_once=at_once)

    @property
    def sees(self) -> list[str]:
        return [person["username"] for person in self.told[-1]["people"]]

    @property
    def sees_typing(self) -> list[str]:
        return [person["username"] for person in self.told[-1]["typing"]]


def told(block: bytes) -> dict[str, Any]:
    event, data, *end = block.decode().split("\n")
    assert (event, end) == ("event: presence", ["", ""])
    said: dict[str, Any] = json.loads(data.removeprefix("data: "))
    return said


@pytest.fixture
def world() -> World:
    return World()


# -- who is here ------------------------------------------------------------------------------------------------


def test_everybody_at_a_topic_sees_who_else_is(world: World) -> None:
    here, there = world.process(), world.process()
    alice, bob, guest = Looker(here, ALICE), Looker(there, BOB), Looker(there)
    world.passes(2)
    for looker in (alice, bob, guest):
        assert sorted(looker.sees) == ["Alice", "Bob"]
        assert looker.told[-1] == {
            "topic": "Article/1", "people": looker.told[-1]["people"], "count": 2, "guests": 1,
            "typing": [], "typing_count": 0,
        }  # fmt: skip
    assert alice.told[-1]["people"][0] == {"id": str(ALICE.user_id), "username": "Alice"}


def test_nobody_elsewhere_is_seen(world: World) -> None:
    process = world.process()
    alice, bob = Looker(process, ALICE), Looker(process, BOB, [OTHER])
    world.passes(2)
    assert (alice.sees, bob.sees) == (["Alice"], ["Bob"])


def test_a_person_is_one_however_many_streams_they_have(world: World) -> None:
    here, there = world.process(), world.process()
    lookers = [Looker(here, ALICE), Looker(here, ALICE), Looker(there, replace(ALICE, login_id=uuid4()))]
    world.passes(2)
    assert [looker.told[-1]["count"] for looker in lookers] == [1, 1, 1]
    lookers[0].leave()
    world.passes(LINGER_SECONDS + 2)
    assert lookers[1].sees == ["Alice"]


def test_names_are_all_that_is_told_of_anybody(world: World) -> None:
    here, there = world.process(), world.process()
    alice, _ = Looker(here, ALICE), Looker(there)
    here.start_typing(ARTICLE, ALICE)
    world.passes(2)
    assert {key for person in alice.told[-1]["people"] for key in person} == {"id", "username"}
    everything = json.dumps([alice.told, world.said])
    assert str(ALICE.user_id) in everything
    assert str(ALICE.login_id) not in everything


def test_who_comes_is_told_of_themselves_first(world: World) -> None:
    """Whoever subtracts themselves from a number has to be in it."""
    process = world.process()
    Looker(process, ALICE)
    world.passes(2)
    bob, tab = Looker(process, BOB), Looker(process, ALICE)
    bob.wake(), tab.wake()
    assert (bob.told, tab.told) == ([], [])
    world.passes(2)
    assert [looker.told[0]["count"] for looker in (bob, tab)] == [2, 2]


def test_only_what_can_be_commented_on_is_a_place_to_be(world: World) -> None:
    process = world.process()
    topics = [Topic.account(ALICE.user_id), Topic("Commentable", "Article")]
    alice = Looker(process, ALICE, topics)
    process.start_typing(topics[0], ALICE)
    world.passes(REFRESH_SECONDS + 1)
    assert (alice.told, world.said, process.topics) == ([], [], 0)


def test_a_new_name_is_told(world: World) -> None:
    here, there = world.process(), world.process()
    alice, bob = Looker(here, ALICE), Looker(there, BOB)
    world.passes(2)
    alice.viewer = replace(ALICE, username="Alice Liddell")
    here.rename(alice)
    world.passes(2)
    assert sorted(bob.sees) == ["Alice Liddell", "Bob"]


# -- and who is not ---------------------------------------------------------------------------------------------


def test_who_goes_is_gone_a_little_later(world: World) -> None:
    here, there = world.process(), world.process()
    alice, bob, guest = Looker(here, ALICE), Looker(there, BOB), Looker(here)
    world.passes(2)
    alice.leave(), guest.leave()
    world.passes(LINGER_SECONDS - 1)
    assert sorted(bob.sees) == ["Alice", "Bob"]
    world.passes(3)
    assert (bob.sees, bob.told[-1]["guests"]) == (["Bob"], 0)


def test_who_reconnects_has_never_left(world: World) -> None:
    here, there = world.process(), world.process()
    alice, guest, bob = Looker(here, ALICE), Looker(here), Looker(there, BOB)
    world.passes(3)
    seen = len(bob.told)
    for _ in range(5):
        alice.leave(), guest.leave()
        world.passes(LINGER_SECONDS - 1)
        alice, guest = Looker(here, ALICE), Looker(here)
        world.passes(2)
    assert len(bob.told) == seen


def test_whose_login_has_ended_is_gone_at_once(world: World) -> None:
    here, there = world.process(), world.process()
    alice, bob = Looker(here, ALICE), Looker(there, BOB)
    here.start_typing(ARTICLE, ALICE)
    world.passes(2)
    assert bob.sees_typing == ["Alice"]
    alice.leave(at_once=True)
    world.passes(1.5)
    assert (bob.sees, bob.sees_typing) == (["Bob"], [])


def test_a_process_that_ends_says_so(world: World) -> None:
    here, there = world.process(), world.process()
    alice, _, _ = Looker(here, ALICE), Looker(there, BOB), Looker(there)
    world.passes(2)
    there.announce_end()
    world.passes(1)
    assert (alice.sees, alice.told[-1]["guests"]) == (["Alice"], 0)


def test_the_ghosts_of_a_process_that_died_are_gone_by_the_bound(world: World) -> None:
    here, there = world.process(), world.process()
    alice, _ = Looker(here, ALICE), Looker(there, BOB)
    world.passes(3 * EXPIRY_SECONDS)
    assert sorted(alice.sees) == ["Alice", "Bob"]
    world.crash(there)
    world.passes(EXPIRY_SECONDS - REFRESH_SECONDS - 1)
    assert sorted(alice.sees) == ["Alice", "Bob"]
    world.passes(REFRESH_SECONDS + 1 + PUBLISH_INTERVAL_SECONDS + service.TICK_SECONDS)
    assert alice.sees == ["Alice"]


def test_without_the_others_each_has_its_own(world: World) -> None:
    here, there = world.process(), world.process()
    alice, bob = Looker(here, ALICE), Looker(there, BOB)
    world.passes(2)
    world.is_cut = True
    world.passes(EXPIRY_SECONDS + 1)
    assert (alice.sees, bob.sees) == (["Alice"], ["Bob"])
    world.is_cut = False
    for process in world.processes:
        process.resync()
    world.passes(2)
    assert sorted(alice.sees) == sorted(bob.sees) == ["Alice", "Bob"]


def test_nothing_is_kept_of_a_topic_that_nobody_is_at(world: World) -> None:
    here, there = world.process(), world.process()
    alice, bob = Looker(here, ALICE), Looker(there, BOB)
    world.passes(2)
    alice.leave(), bob.leave()
    world.passes(LINGER_SECONDS + 2)
    assert (here.topics, there.topics) == (0, 0)
    world.said.clear()
    world.passes(2 * REFRESH_SECONDS)
    assert world.said == []


# -- who types --------------------------------------------------------------------------------------------------


def test_typing_ends_by_itself(world: World) -> None:
    process = world.process()
    Looker(process, ALICE)
    bob = Looker(process, BOB)
    world.passes(2)
    for _ in range(4):
        process.start_typing(ARTICLE, ALICE)
        world.passes(3)
        assert (bob.sees_typing, bob.told[-1]["typing_count"]) == (["Alice"], 1)
    world.passes(TYPING_SECONDS - 3 + PUBLISH_INTERVAL_SECONDS)
    assert (bob.sees_typing, bob.told[-1]["typing_count"]) == ([], 0)


def test_typing_is_told_from_whichever_process_hears_of_it(world: World) -> None:
    here, third = world.process(), world.process()
    bob = Looker(here, BOB)
    world.passes(2)
    third.start_typing(ARTICLE, ALICE)
    world.passes(1.5)
    assert bob.sees_typing == ["Alice"]
    third.stop_typing(ARTICLE, ALICE)
    world.passes(1.5)
    assert bob.sees_typing == []


def test_guests_do_not_type(world: World) -> None:
    process = world.process()
    bob = Looker(process, BOB)
    process.start_typing(ARTICLE, GUEST)
    world.passes(2)
    assert bob.told[-1]["typing_count"] == 0


# -- how often --------------------------------------------------------------------------------------------------


def rolls(world: World) -> list[dict[str, Any]]:
    return [message for message in world.said if message["kind"] == "roll"]


def test_who_comes_and_goes_all_the_time_is_told_once_a_second(world: World) -> None:
    here, there = world.process(), world.process()
    alice, bob = Looker(here, ALICE), Looker(there, BOB)
    world.passes(3)
    world.said.clear()
    woken = alice.woken, bob.woken
    for number in range(40):
        Looker(there, named(f"{number}"))
        world.passes(0.25)
    assert len(rolls(world)) <= 10 / PUBLISH_INTERVAL_SECONDS
    assert alice.woken - woken[0] <= 10 / PUBLISH_INTERVAL_SECONDS
    assert bob.woken - woken[1] <= 10 / PUBLISH_INTERVAL_SECONDS
    world.passes(2)
    assert alice.told[-1]["count"] == bob.told[-1]["count"] == 42


def test_a_crowd_is_told_less_often(world: World) -> None:
    process = world.process()
    crowd = [Looker(process, named(f"{number}")) for number in range(1_200)]
    world.passes(20)
    woken = crowd[0].woken
    for number in range(30):
        Looker(process, named(f"Another {number}"))
        world.passes(1)
    assert 2 <= crowd[0].woken - woken <= 3
    assert crowd[0].sees == [f"{number}" for number in range(MAX_NAMES_SHOWN)], "who came first stands first"


def test_typing_is_told_no_more_than_once_a_second(world: World) -> None:
    process = world.process()
    Looker(process, BOB)
    for _ in range(100):
        process.start_typing(ARTICLE, ALICE)
        world.passes(0.1)
    assert len([message for message in world.said if message["kind"] == "typing"]) <= 11


def test_who_stays_is_said_again_and_told_once(world: World) -> None:
    here, there = world.process(), world.process()
    alice, _ = Looker(here, ALICE), Looker(there, BOB)
    world.passes(3)
    world.said.clear()
    woken = alice.woken
    world.passes(3 * REFRESH_SECONDS)
    assert 4 <= len(world.said) <= 6
    assert alice.woken == woken


def test_a_process_that_begins_is_answered_and_need_not_wait(world: World) -> None:
    here = world.process()
    Looker(here, ALICE)
    world.passes(REFRESH_SECONDS / 2)
    bob = Looker(world.process(), BOB)
    world.passes(2)
    assert sorted(bob.sees) == ["Alice", "Bob"]


# -- bounds -----------------------------------------------------------------------------------------------------


def test_a_roll_names_some_and_counts_the_rest(world: World) -> None:
    here, there = world.process(), world.process()
    for number in range(MAX_NAMED + 10):
        Looker(there, Viewer(uuid4(), "🦜" * 29 + str(number % 10)))
    alice = Looker(here, ALICE)
    world.passes(3)
    assert {len(roll["people"]) for roll in rolls(world)} == {1, MAX_NAMED}
    assert (len(alice.sees), alice.told[-1]["count"]) == (MAX_NAMES_SHOWN, MAX_NAMED + 11)
    assert max(len(json.dumps(said, ensure_ascii=False)) for said in world.said) < MAX_MESSAGE_LENGTH / 2


def test_no_more_than_so_many_are_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    process = world.process()
    alice = Looker(process, ALICE)
    for number in range(MAX_PROCESSES + 5):
        process.receive(a_roll(process=f"{number}", guests=1))
    for number in range(MAX_TYPISTS + 5):
        process.start_typing(ARTICLE, named(f"{number}"))
    world.passes(2)
    assert (alice.told[-1]["guests"], alice.told[-1]["typing_count"]) == (MAX_PROCESSES, MAX_TYPISTS)
    monkeypatch.setattr(service, "MAX_ROOMS", 2)
    bob = Looker(process, BOB, [OTHER, Topic("Page", "1"), ARTICLE])
    world.passes(2)
    assert {said["topic"] for said in bob.told} == {"Article/1", "Article/2"}
    assert process.topics == 2
    bob.leave()


def test_many_topics_are_told_of_a_few_at_a_time(world: World) -> None:
    process = world.process()
    for number in range(MAX_MESSAGES_PER_TICK + 100):
        Looker(process, ALICE, [Topic("Article", str(number))])
    world.passes(service.TICK_SECONDS)
    assert len(world.said) == MAX_MESSAGES_PER_TICK
    world.passes(service.TICK_SECONDS)
    assert len({said["topic"] for said in world.said}) == MAX_MESSAGES_PER_TICK + 100


def test_one_stream_and_one_network_open_so_many_rooms_and_others_open_theirs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_ROOMS_PER_STREAM", 3)
    monkeypatch.setattr(service, "MAX_ROOMS_PER_NETWORK", 5)
    process = world.process()
    invented = [[Topic("Article", f"invented {stream} {number}") for number in range(10)] for stream in range(3)]
    attack = [Looker(process, GUEST, topics, "198.51.100.7") for topics in invented]
    assert process.topics == 5
    alice = Looker(process, ALICE, network="192.0.2.1")
    neighbour = Looker(process, BOB, network="198.51.100.7")
    world.passes(2)
    assert sorted(alice.sees) == sorted(neighbour.sees) == ["Alice", "Bob"], "Bob's network may enter an existing room"
    for stream in attack:
        stream.leave()
    world.passes(LINGER_SECONDS + 3)
    assert process.topics == 1
    Looker(process, GUEST, invented[2], "198.51.100.7")
    assert process.topics == 4, "its rooms were given back"


def a_roll(**changed: Any) -> str:
    roll = {
        "kind": "roll", "process": "another", "topic": "Article/1",
        "people": [{"id": str(uuid4()), "username": "Mallory"}], "more": 0, "guests": 0,
    }  # fmt: skip
    return json.dumps(roll | changed)


GARBAGE = {
    "no JSON": "gid://parley/Comment/1",
    "nothing": "",
    "no object": "[]",
    "brackets": "[" * 10_000,
    "no kind": json.dumps({"process": "another"}),
    "another kind": a_roll(kind="hint"),
    "no topic": a_roll(topic="Article"),
    "a count below nothing": a_roll(guests=-1),
    "a count beyond everybody": a_roll(more=10**9),
    "too many names": a_roll(people=[{"id": str(uuid4()), "username": "M"}] * (MAX_NAMED + 1)),
    "a name without end": a_roll(people=[{"id": str(uuid4()), "username": "M" * 101}]),
    "no id": a_roll(people=[{"id": "1", "username": "Mallory"}]),
    "too long": a_roll(more_to_say="x" * MAX_MESSAGE_LENGTH),
    "half a character": a_roll(topic="Article/\ud800"),
}


@pytest.mark.parametrize("text", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_is_a_line_in_the_log(world: World, caplog: pytest.LogCaptureFixture, text: str) -> None:
    process = world.process()
    alice = Looker(process, ALICE)
    with caplog.at_level(logging.WARNING):
        process.receive(text)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    world.passes(2)
    assert (alice.sees, alice.told[-1]["guests"]) == (["Alice"], 0)


def test_what_a_newer_release_says_beside_is_passed_over(world: World) -> None:
    process = world.process()
    alice = Looker(process, ALICE)
    process.receive(a_roll(mood="good"))
    world.passes(2)
    assert alice.sees == ["Alice", "Mallory"]


# -- over real Redis, through real sessions ---------------------------------------------------------------------


pytestmark = pytest.mark.sqlite_only  # the database holds nothing of it


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same in a twentieth of the time."""
    for name in ("TICK_SECONDS", "EXPIRY_SECONDS", "LINGER_SECONDS"):
        monkeypatch.setattr(service, name, getattr(service, name) / 20)
    for name in ("PUBLISH_INTERVAL_SECONDS", "REFRESH_SECONDS"):
        monkeypatch.setattr(room, name, getattr(room, name) / 20)
    monkeypatch.setattr(room, "NOTIFY_INTERVAL_SECONDS", (0.05, 0.5))


@asynccontextmanager
async def two(settings: Settings) -> AsyncIterator[tuple[Parley, Parley]]:
    async with Parley(settings, LIVE_MODELS) as here, Parley(settings, LIVE_MODELS) as there:
        await wait_until(lambda: here.hints.flowing and there.hints.flowing, "Redis")
        yield here, there


class Looking:
    """A real session that takes part in presence, read as fast as it comes."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.read = asyncio.create_task(self._read())
        self._taken = 0

    async def _read(self) -> None:
        with suppress(StopAsyncIteration):
            while True:
                await self.reader.next(timeout=60)

    async def until(self, event: str, timeout: float = 5) -> Block:
        """The next block of this event."""
        return await wait_until(lambda: self._next(event), event, timeout)

    def _next(self, event: str) -> Block | None:
        while self._taken < len(self.reader.blocks):
            block = self.reader.blocks[self._taken]
            self._taken += 1
            if block.event.endswith(event):
                return block
        return None

    async def sees(self, *names: str, timeout: float = WAIT_TIMEOUT_SECONDS) -> dict[str, Any]:
        """Waits until it was told of these people, and nobody else, last."""
        return await wait_until(lambda: self._sees(sorted(names)), f"{names} to be there", timeout)

    async def counts_guests(self, guests: int, *names: str) -> None:
        """Waits until the last message names these people, and counts so many guests."""
        shown = f"{guests} guests beside {names}"
        await wait_until(lambda: (self._sees(sorted(names)) or {}).get("guests") == guests, shown)

    def _sees(self, names: list[str]) -> dict[str, Any] | None:
        said = [block.json() for block in self.reader.blocks if block.event == "presence"]
        seen = said and sorted(person["username"] for person in said[-1]["people"]) == names
        return said[-1] if seen else None


@asynccontextmanager
async def looking(parley: Parley, viewer: Viewer = GUEST, *topics: Topic, **options: Any) -> AsyncIterator[Looking]:
    """A session, of Article/1 unless told otherwise."""
    async with open_session(parley.feeds, *topics, viewer=viewer, presence=parley.presence, **options) as reader:
        look = Looking(reader)
        try:
            yield look
        finally:
            look.read.cancel()
            await asyncio.wait([look.read])


def presence_of(parley: Parley) -> Presence:
    assert parley.presence
    return parley.presence


@pytest.mark.usefixtures("hurried")
async def test_two_processes_tell_each_other_beside_the_hints(settings: Settings) -> None:
    async with two(settings) as (here, there), Redis.from_url(settings.redis_url) as redis, redis.pubsub() as hints:
        alice, bob = await create_viewer(here, "Alice"), await create_viewer(there, "Bob")
        await hints.subscribe(settings.redis_channel_name)
        async with looking(here, alice) as hers, looking(there, bob) as his, looking(there) as guests:
            for look in (hers, his, guests):
                await look.counts_guests(1, "Alice", "Bob")
            position = hers.reader.position
            presence_of(there).start_typing(ARTICLE, bob)
            typing = await hers.until("presence")
            while not typing.json()["typing"]:
                typing = await hers.until("presence")
            assert typing.json()["typing"] == [{"id": str(bob.user_id), "username": "Bob"}]
            assert (typing.id, typing.retry, hers.reader.position) == (None, None, position)
            await post_comment(there, bob, "What I typed")
            assert (await hers.until("create.success")).model["body"] == "What I typed"
        heard = [message async for message in _until_silent(hints)]
        assert [text for text in heard if not text.startswith(b"gid://parley/")] == []
        assert len([text for text in heard if b"/Comment/" in text]) == 1


async def _until_silent(pubsub: Any) -> AsyncIterator[bytes]:
    while message := await pubsub.get_message(timeout=0.3):
        if message["type"] == "message":
            yield message["data"]


@pytest.mark.usefixtures("hurried")
async def test_nobody_without_a_key_puts_a_name_on_a_screen(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    channel = f"{settings.redis_channel_name}.presence"
    async with two(settings) as (here, there), Redis.from_url(settings.redis_url) as redis, redis.pubsub() as spy:
        alice, bob = await create_viewer(here, "Alice"), await create_viewer(there, "Bob")
        await spy.subscribe(channel)
        async with looking(here, alice) as hers:
            async with looking(there, bob):
                await hers.sees("Alice", "Bob")
            await hers.sees("Alice")
            while not (message := await spy.get_message(timeout=1)) or b"Bob" not in str(message["data"]).encode():
                pass
            await redis.publish(channel, message["data"])
            with caplog.at_level(logging.WARNING):
                await redis.publish(channel, a_roll())
            async with looking(here) as guests:  # a sentinel: all earlier messages have been received
                assert (await guests.sees("Alice"))["guests"] == 1
            assert (await hers.sees("Alice"))["count"] == 1
            told = [block.data for block in hers.reader.blocks if block.event == "presence"]
            assert not any("Mallory" in data for data in told if data)
    assert len([record for record in caplog.records if "presence" in record.message]) == 2, "each process once"
    assert not [record for record in caplog.records if "Mallory" in record.message]


@pytest.mark.extended  # in real time; the gate has it on the simulated clock above
@pytest.mark.usefixtures("hurried")
async def test_the_people_of_a_process_that_crashed_are_gone(settings: Settings) -> None:
    async with two(settings) as (here, there):
        alice, bob = await create_viewer(here, "Alice"), await create_viewer(there, "Bob")
        async with looking(here, alice) as hers, looking(there, bob):
            await hers.sees("Alice", "Bob")
            with pytest.raises(AssertionError):  # for longer than the bound, as long as it says so
                await hers.sees("Alice", timeout=1.2 * service.EXPIRY_SECONDS)
            await there._tasks.cancel()
            assert (await hers.sees("Alice", timeout=WAIT_TIMEOUT_SECONDS))["count"] == 1


@pytest.mark.usefixtures("hurried")
async def test_without_redis_everything_else_goes_on(settings: Settings, redis_server: RedisServer) -> None:
    settings = settings.model_copy(update={"redis_url": redis_server.url, "sweep_seconds": 0.2})
    async with two(settings) as (here, there):
        alice, bob = await create_viewer(here, "Alice"), await create_viewer(there, "Bob")
        async with looking(here, alice) as hers, looking(there, bob):
            await hers.sees("Alice", "Bob")
            redis_server.kill()
            await hers.sees("Alice")
            async with looking(here) as guests:
                assert (await guests.sees("Alice"))["guests"] == 1
                await post_comment(there, bob, "By sweep")
                await guests.until("create.success")
            redis_server.restart()
            await hers.sees("Alice", "Bob")


@pytest.mark.usefixtures("hurried")
async def test_a_process_that_is_closed_in_order_takes_its_people_with_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "EXPIRY_SECONDS", 60.0)
    async with AsyncExitStack() as there, Parley(settings, LIVE_MODELS) as here:
        leaving = await there.enter_async_context(Parley(settings, LIVE_MODELS))
        await wait_until(lambda: here.hints.flowing and leaving.hints.flowing, "Redis")
        alice, bob = await create_viewer(here, "Alice"), await create_viewer(here, "Bob")
        async with looking(here, alice) as hers:
            await there.enter_async_context(looking(leaving, bob))
            await hers.sees("Alice", "Bob")
            monkeypatch.setattr(service, "LINGER_SECONDS", 60.0)  # it is the process that says so, not Bob
            await there.aclose()
            await hers.sees("Alice")


@pytest.mark.usefixtures("hurried")
async def test_who_is_signed_out_elsewhere_is_gone_at_once(parley: Parley, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "LINGER_SECONDS", 60.0)
    alice, bob = await create_viewer(parley, "Alice"), await create_viewer(parley, "Bob")

    async def authorise() -> Viewer:
        async with parley.reading() as session:
            return (await viewer_of(session, _login(bob)))[0]

    topics = (ARTICLE, Topic.account(bob.user_id))
    async with looking(parley, alice) as hers, looking(parley, bob, *topics, authorise=authorise) as his:
        await his.sees("Alice", "Bob")
        await hers.sees("Alice", "Bob")
        await logins.end_login(parley, bob, _login(bob))
        await his.until("auth")
        await hers.sees("Alice")


def _login(viewer: Viewer) -> UUID:
    assert viewer.login_id
    return viewer.login_id


@pytest.mark.usefixtures("hurried")
async def test_changes_come_first_and_a_poll_does_not_end_for_presence(parley: Parley) -> None:
    alice, bob = await create_viewer(parley, "Alice"), await create_viewer(parley, "Bob")
    async with looking(parley, alice) as hers, looking(parley, bob, once=True) as his:
        await hers.sees("Alice", "Bob")
        presence_of(parley).start_typing(ARTICLE, alice)
        await wait_until(lambda: hers._sees(["Alice", "Bob"])["typing"], "Alice to be told")
        assert not his.read.done()
        await post_comment(parley, alice, "News")
        await asyncio.wait([his.read], timeout=WAIT_TIMEOUT_SECONDS)
        events = [block.event for block in his.reader.blocks]
        assert events == ["heartbeat", "global.comment.create.success", "presence", "message"]


@pytest.mark.usefixtures("hurried")
async def test_who_does_not_take_part_is_neither_told_nor_seen(parley: Parley) -> None:
    alice, bob = await create_viewer(parley, "Alice"), await create_viewer(parley, "Bob")
    async with open_session(parley.feeds, viewer=bob) as his, looking(parley, alice) as hers:
        await his.until("heartbeat")
        assert (await hers.sees("Alice"))["count"] == 1
        await post_comment(parley, alice, "Hello")
        assert (await his.next()).event == "global.comment.create.success"


async def test_switched_off_there_is_nothing_of_it(settings: Settings) -> None:
    async with (
        Parley(settings.model_copy(update={"presence": False}), LIVE_MODELS) as parley,
        Redis.from_url(settings.redis_url) as redis,
    ):
        await wait_until(lambda: parley.hints.flowing, "Redis")
        channels = await redis.pubsub_channels(f"{settings.redis_channel_name}*")
        assert channels == [settings.redis_channel_name.encode()]
        assert parley.presence is None


async def test_a_script_is_nowhere(settings: Settings) -> None:
    async with Parley(settings, LIVE_MODELS, listening=False) as parley:
        assert parley.presence is None
