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


def create_viewer_named(name: str) -> Viewer:
    return Viewer(uuid4(), name, login_id=uuid4())


ALICE, BOB, CAROL = create_viewer_named("Alice"), create_viewer_named("Bob"), create_viewer_named("Carol")


class World:
    """A clock, a channel between processes, and the messages on it."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.messages: list[dict[str, Any]] = []
        self.processes: list[Presence] = []
        self.is_cut = False

    def process(self) -> Presence:
        process = Presence(TYPES, self.send, lambda: self.now)
        self.processes.append(process)
        return process

    def send(self, text: str) -> None:
        self.messages.append(json.loads(text))
        for process in [] if self.is_cut else self.processes:
            process.receive(text)

    def crash(self, process: Presence) -> None:
        """End a process that sends nothing any more, not even that it ends."""
        self.processes.remove(process)

    def pass_time(self, seconds: float) -> None:
        """Move the clock, and let every process run its timers."""
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + service.TICK_SECONDS)
            for process in self.processes:
                for watcher in process.run_due():
                    watcher.wake()


class Watcher:
    """A session that watches topics, and the presence events that it has received."""

    def __init__(
        self,
        process: Presence,
        viewer: Viewer = GUEST,
        topics: Sequence[Topic] = (ARTICLE,),
        network: str | None = None,
    ) -> None:
        self.process, self.viewer, self.topics, self.network = process, viewer, tuple(topics), network
        self.woken = 0
        self.received: list[dict[str, Any]] = []
        self._versions: dict[Topic, int] = {}
        process.enter(self)

    def wake(self) -> None:
        self.woken += 1
        for topic in self.topics:
            if news := self.process.news(self, topic, self._versions.get(topic, 0)):
                self._versions[topic], block = news
                self.received.append(received(block))

    def leave(self, *, at_once: bool = False) -> None:
        self.process.leave(self, at_once=at_once)

    @property
    def sees(self) -> list[str]:
        return [person["username"] for person in self.received[-1]["people"]]

    @property
    def names_typing(self) -> list[str]:
        return [person["username"] for person in self.received[-1]["typing"]]


def received(block: bytes) -> dict[str, Any]:
    event, data, *end = block.decode().split("\n")
    assert (event, end) == ("event: presence", ["", ""])
    messages: dict[str, Any] = json.loads(data.removeprefix("data: "))
    return messages


@pytest.fixture
def world() -> World:
    return World()


# -- presence ---------------------------------------------------------------------------------------------------


def test_everybody_at_a_topic_sees_the_others(world: World) -> None:
    here, there = world.process(), world.process()
    alice, bob, guest = Watcher(here, ALICE), Watcher(there, BOB), Watcher(there)
    world.pass_time(2)
    for watcher in (alice, bob, guest):
        assert sorted(watcher.sees) == ["Alice", "Bob"]
        assert watcher.received[-1] == {
            "topic": "Article/1", "people": watcher.received[-1]["people"], "count": 2, "guests": 1,
            "typing": [], "typing_count": 0,
        }  # fmt: skip
    assert alice.received[-1]["people"][0] == {"id": str(ALICE.user_id), "username": "Alice"}


def test_people_at_other_topics_are_not_shown(world: World) -> None:
    process = world.process()
    alice, bob = Watcher(process, ALICE), Watcher(process, BOB, [OTHER])
    world.pass_time(2)
    assert (alice.sees, bob.sees) == (["Alice"], ["Bob"])


def test_a_person_with_several_streams_is_shown_once(world: World) -> None:
    here, there = world.process(), world.process()
    lookers = [Watcher(here, ALICE), Watcher(here, ALICE), Watcher(there, replace(ALICE, login_id=uuid4()))]
    world.pass_time(2)
    assert [watcher.received[-1]["count"] for watcher in lookers] == [1, 1, 1]
    lookers[0].leave()
    world.pass_time(LINGER_SECONDS + 2)
    assert lookers[1].sees == ["Alice"]


def test_presence_shows_only_names(world: World) -> None:
    here, there = world.process(), world.process()
    alice, _ = Watcher(here, ALICE), Watcher(there)
    here.start_typing(ARTICLE, ALICE)
    world.pass_time(2)
    assert {key for person in alice.received[-1]["people"] for key in person} == {"id", "username"}
    everything = json.dumps([alice.received, world.messages])
    assert str(ALICE.user_id) in everything
    assert str(ALICE.login_id) not in everything


def test_a_person_who_arrives_is_in_their_own_first_list(world: World) -> None:
    """A client that subtracts itself from a number must be part of that number."""
    process = world.process()
    Watcher(process, ALICE)
    world.pass_time(2)
    bob, tab = Watcher(process, BOB), Watcher(process, ALICE)
    bob.wake(), tab.wake()
    assert (bob.received, tab.received) == ([], [])
    world.pass_time(2)
    assert [watcher.received[0]["count"] for watcher in (bob, tab)] == [2, 2]


def test_presence_is_only_at_commentables(world: World) -> None:
    process = world.process()
    topics = [Topic.account(ALICE.user_id), Topic("Commentable", "Article")]
    alice = Watcher(process, ALICE, topics)
    process.start_typing(topics[0], ALICE)
    world.pass_time(REFRESH_SECONDS + 1)
    assert (alice.received, world.messages, process.topics) == ([], [], 0)


def test_a_new_name_of_a_person_is_shown(world: World) -> None:
    here, there = world.process(), world.process()
    alice, bob = Watcher(here, ALICE), Watcher(there, BOB)
    world.pass_time(2)
    alice.viewer = replace(ALICE, username="Alice Liddell")
    here.rename(alice)
    world.pass_time(2)
    assert sorted(bob.sees) == ["Alice Liddell", "Bob"]


# -- leaving ----------------------------------------------------------------------------------------------------


def test_a_person_who_leaves_is_removed_a_little_later(world: World) -> None:
    here, there = world.process(), world.process()
    alice, bob, guest = Watcher(here, ALICE), Watcher(there, BOB), Watcher(here)
    world.pass_time(2)
    alice.leave(), guest.leave()
    world.pass_time(LINGER_SECONDS - 1)
    assert sorted(bob.sees) == ["Alice", "Bob"]
    world.pass_time(3)
    assert (bob.sees, bob.received[-1]["guests"]) == (["Bob"], 0)


def test_a_person_who_reconnects_is_never_removed(world: World) -> None:
    here, there = world.process(), world.process()
    alice, guest, bob = Watcher(here, ALICE), Watcher(here), Watcher(there, BOB)
    world.pass_time(3)
    seen = len(bob.received)
    for _ in range(5):
        alice.leave(), guest.leave()
        world.pass_time(LINGER_SECONDS - 1)
        alice, guest = Watcher(here, ALICE), Watcher(here)
        world.pass_time(2)
    assert len(bob.received) == seen


def test_a_person_whose_login_ends_is_removed_at_once(world: World) -> None:
    here, there = world.process(), world.process()
    alice, bob = Watcher(here, ALICE), Watcher(there, BOB)
    here.start_typing(ARTICLE, ALICE)
    world.pass_time(2)
    assert bob.names_typing == ["Alice"]
    alice.leave(at_once=True)
    world.pass_time(1.5)
    assert (bob.sees, bob.names_typing) == (["Bob"], [])


def test_the_people_of_a_process_that_ends_are_removed_at_once(world: World) -> None:
    here, there = world.process(), world.process()
    alice, _, _ = Watcher(here, ALICE), Watcher(there, BOB), Watcher(there)
    world.pass_time(2)
    there.announce_end()
    world.pass_time(1)
    assert (alice.sees, alice.received[-1]["guests"]) == (["Alice"], 0)


def test_the_people_of_a_dead_process_are_removed_within_the_bound(world: World) -> None:
    here, there = world.process(), world.process()
    alice, _ = Watcher(here, ALICE), Watcher(there, BOB)
    world.pass_time(3 * EXPIRY_SECONDS)
    assert sorted(alice.sees) == ["Alice", "Bob"]
    world.crash(there)
    world.pass_time(EXPIRY_SECONDS - REFRESH_SECONDS - 1)
    assert sorted(alice.sees) == ["Alice", "Bob"]
    world.pass_time(REFRESH_SECONDS + 1 + PUBLISH_INTERVAL_SECONDS + service.TICK_SECONDS)
    assert alice.sees == ["Alice"]


def test_processes_without_redis_show_their_own_people(world: World) -> None:
    here, there = world.process(), world.process()
    alice, bob = Watcher(here, ALICE), Watcher(there, BOB)
    world.pass_time(2)
    world.is_cut = True
    world.pass_time(EXPIRY_SECONDS + 1)
    assert (alice.sees, bob.sees) == (["Alice"], ["Bob"])
    world.is_cut = False
    for process in world.processes:
        process.resync()
    world.pass_time(2)
    assert sorted(alice.sees) == sorted(bob.sees) == ["Alice", "Bob"]


def test_a_topic_without_people_needs_no_memory(world: World) -> None:
    here, there = world.process(), world.process()
    alice, bob = Watcher(here, ALICE), Watcher(there, BOB)
    world.pass_time(2)
    alice.leave(), bob.leave()
    world.pass_time(LINGER_SECONDS + 2)
    assert (here.topics, there.topics) == (0, 0)
    world.messages.clear()
    world.pass_time(2 * REFRESH_SECONDS)
    assert world.messages == []


# -- typing -----------------------------------------------------------------------------------------------------


def test_typing_ends_by_itself(world: World) -> None:
    process = world.process()
    Watcher(process, ALICE)
    bob = Watcher(process, BOB)
    world.pass_time(2)
    for _ in range(4):
        process.start_typing(ARTICLE, ALICE)
        world.pass_time(3)
        assert (bob.names_typing, bob.received[-1]["typing_count"]) == (["Alice"], 1)
    world.pass_time(TYPING_SECONDS - 3 + PUBLISH_INTERVAL_SECONDS)
    assert (bob.names_typing, bob.received[-1]["typing_count"]) == ([], 0)


def test_typing_is_shown_for_a_request_to_any_process(world: World) -> None:
    here, third = world.process(), world.process()
    bob = Watcher(here, BOB)
    world.pass_time(2)
    third.start_typing(ARTICLE, ALICE)
    world.pass_time(1.5)
    assert bob.names_typing == ["Alice"]
    third.stop_typing(ARTICLE, ALICE)
    world.pass_time(1.5)
    assert bob.names_typing == []


def test_a_comment_ends_typing_that_was_reported_to_another_process(world: World) -> None:
    here, there, third = world.process(), world.process(), world.process()
    bob = Watcher(here, BOB)
    there.start_typing(ARTICLE, ALICE)
    world.pass_time(2)
    assert bob.names_typing == ["Alice"]
    third.stop_typing(ARTICLE, ALICE)
    world.pass_time(1.5)
    assert bob.names_typing == []


def test_a_comment_by_somebody_who_does_not_type_sends_nothing(world: World) -> None:
    here, there = world.process(), world.process()
    Watcher(here, BOB)
    here.start_typing(ARTICLE, CAROL)
    there.stop_typing(ARTICLE, CAROL)
    here.start_typing(OTHER, ALICE)
    world.pass_time(TYPING_SECONDS)
    here.start_typing(OTHER, BOB)
    world.messages.clear()
    for process in (here, there):
        for viewer in (ALICE, BOB, CAROL, GUEST):
            process.stop_typing(ARTICLE, viewer)
        process.stop_typing(OTHER, ALICE)
    assert world.messages == []


def test_the_number_of_known_typists_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the bound, the typing of the first one ends by itself."""
    monkeypatch.setattr(service, "MAX_TYPISTS", 2)
    process = world.process()
    for viewer in (ALICE, BOB, CAROL):
        process.start_typing(ARTICLE, viewer)
    world.messages.clear()
    for viewer in (ALICE, BOB, CAROL):
        process.stop_typing(ARTICLE, viewer)
    assert [message["person"]["username"] for message in world.messages] == ["Bob", "Carol"]


def test_guests_are_not_shown_as_typing(world: World) -> None:
    process = world.process()
    bob = Watcher(process, BOB)
    process.start_typing(ARTICLE, GUEST)
    world.pass_time(2)
    assert bob.received[-1]["typing_count"] == 0


# -- throttling -------------------------------------------------------------------------------------------------


def list_rolls(world: World) -> list[dict[str, Any]]:
    return [message for message in world.messages if message["kind"] == "roll"]


def test_constant_arrivals_are_sent_once_a_second(world: World) -> None:
    here, there = world.process(), world.process()
    alice, bob = Watcher(here, ALICE), Watcher(there, BOB)
    world.pass_time(3)
    world.messages.clear()
    woken = alice.woken, bob.woken
    for number in range(40):
        Watcher(there, create_viewer_named(f"{number}"))
        world.pass_time(0.25)
    assert len(list_rolls(world)) <= 10 / PUBLISH_INTERVAL_SECONDS
    assert alice.woken - woken[0] <= 10 / PUBLISH_INTERVAL_SECONDS
    assert bob.woken - woken[1] <= 10 / PUBLISH_INTERVAL_SECONDS
    world.pass_time(2)
    assert alice.received[-1]["count"] == bob.received[-1]["count"] == 42


def test_many_people_get_presence_less_often(world: World) -> None:
    process = world.process()
    crowd = [Watcher(process, create_viewer_named(f"{number}")) for number in range(1_200)]
    world.pass_time(20)
    woken = crowd[0].woken
    for number in range(30):
        Watcher(process, create_viewer_named(f"Another {number}"))
        world.pass_time(1)
    assert 2 <= crowd[0].woken - woken <= 3
    assert crowd[0].sees == [f"{number}" for number in range(MAX_NAMES_SHOWN)], (
        "the people who arrived first come first"
    )


def test_typing_is_sent_once_a_second_at_most(world: World) -> None:
    process = world.process()
    Watcher(process, BOB)
    for _ in range(100):
        process.start_typing(ARTICLE, ALICE)
        world.pass_time(0.1)
    assert len([message for message in world.messages if message["kind"] == "typing"]) <= 11


def test_a_refresh_of_present_people_wakes_no_session(world: World) -> None:
    here, there = world.process(), world.process()
    alice, _ = Watcher(here, ALICE), Watcher(there, BOB)
    world.pass_time(3)
    world.messages.clear()
    woken = alice.woken
    world.pass_time(3 * REFRESH_SECONDS)
    assert 4 <= len(world.messages) <= 6
    assert alice.woken == woken


def test_a_new_process_gets_the_people_of_the_others_at_once(world: World) -> None:
    here = world.process()
    Watcher(here, ALICE)
    world.pass_time(REFRESH_SECONDS / 2)
    bob = Watcher(world.process(), BOB)
    world.pass_time(2)
    assert sorted(bob.sees) == ["Alice", "Bob"]


# -- bounds -----------------------------------------------------------------------------------------------------


def test_a_roll_names_some_people_and_counts_the_others(world: World) -> None:
    here, there = world.process(), world.process()
    for number in range(MAX_NAMED + 10):
        Watcher(there, Viewer(uuid4(), "🦜" * 29 + str(number % 10)))
    alice = Watcher(here, ALICE)
    world.pass_time(3)
    assert {len(roll["people"]) for roll in list_rolls(world)} == {1, MAX_NAMED}
    assert (len(alice.sees), alice.received[-1]["count"]) == (MAX_NAMES_SHOWN, MAX_NAMED + 11)
    assert max(len(json.dumps(messages, ensure_ascii=False)) for messages in world.messages) < MAX_MESSAGE_LENGTH / 2


def test_the_number_of_stored_people_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    process = world.process()
    alice = Watcher(process, ALICE)
    for number in range(MAX_PROCESSES + 5):
        process.receive(roll_with(process=f"{number}", guests=1))
    for number in range(MAX_TYPISTS + 5):
        process.start_typing(ARTICLE, create_viewer_named(f"{number}"))
    world.pass_time(2)
    assert (alice.received[-1]["guests"], alice.received[-1]["typing_count"]) == (MAX_PROCESSES, MAX_TYPISTS)
    monkeypatch.setattr(service, "MAX_ROOMS", 2)
    bob = Watcher(process, BOB, [OTHER, Topic("Page", "1"), ARTICLE])
    world.pass_time(2)
    assert {messages["topic"] for messages in bob.received} == {"Article/1", "Article/2"}
    assert process.topics == 2
    bob.leave()


def test_messages_about_many_topics_are_sent_a_few_at_a_time(world: World) -> None:
    process = world.process()
    for number in range(MAX_MESSAGES_PER_TICK + 100):
        Watcher(process, ALICE, [Topic("Article", str(number))])
    world.pass_time(service.TICK_SECONDS)
    assert len(world.messages) == MAX_MESSAGES_PER_TICK
    world.pass_time(service.TICK_SECONDS)
    assert len({messages["topic"] for messages in world.messages}) == MAX_MESSAGES_PER_TICK + 100


def test_a_stream_and_a_network_may_open_a_bounded_number_of_rooms(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_ROOMS_PER_STREAM", 3)
    monkeypatch.setattr(service, "MAX_ROOMS_PER_NETWORK", 5)
    process = world.process()
    invented = [[Topic("Article", f"invented {stream} {number}") for number in range(10)] for stream in range(3)]
    attack = [Watcher(process, GUEST, topics, "198.51.100.7") for topics in invented]
    assert process.topics == 5
    alice = Watcher(process, ALICE, network="192.0.2.1")
    neighbour = Watcher(process, BOB, network="198.51.100.7")
    world.pass_time(2)
    assert sorted(alice.sees) == sorted(neighbour.sees) == ["Alice", "Bob"], "Bob's network may enter an existing room"
    for stream in attack:
        stream.leave()
    world.pass_time(LINGER_SECONDS + 3)
    assert process.topics == 1
    Watcher(process, GUEST, invented[2], "198.51.100.7")
    assert process.topics == 4, "the rooms of the stream that left were freed"


def roll_with(**changed: Any) -> str:
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
    "another kind": roll_with(kind="hint"),
    "no topic": roll_with(topic="Article"),
    "a count below nothing": roll_with(guests=-1),
    "a count beyond everybody": roll_with(more=10**9),
    "too many names": roll_with(people=[{"id": str(uuid4()), "username": "M"}] * (MAX_NAMED + 1)),
    "a name without end": roll_with(people=[{"id": str(uuid4()), "username": "M" * 101}]),
    "no id": roll_with(people=[{"id": "1", "username": "Mallory"}]),
    "too long": roll_with(more_to_say="x" * MAX_MESSAGE_LENGTH),
    "half a character": roll_with(topic="Article/\ud800"),
}


@pytest.mark.parametrize("text", GARBAGE.values(), ids=GARBAGE.keys())
def test_a_malformed_message_is_logged_and_ignored(world: World, caplog: pytest.LogCaptureFixture, text: str) -> None:
    process = world.process()
    alice = Watcher(process, ALICE)
    with caplog.at_level(logging.WARNING):
        process.receive(text)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    world.pass_time(2)
    assert (alice.sees, alice.received[-1]["guests"]) == (["Alice"], 0)


def test_members_of_a_newer_release_are_ignored(world: World) -> None:
    process = world.process()
    alice = Watcher(process, ALICE)
    process.receive(roll_with(mood="good"))
    world.pass_time(2)
    assert alice.sees == ["Alice", "Mallory"]


# -- with a real Redis and real sessions ------------------------------------------------------------------------


pytestmark = pytest.mark.sqlite_only  # presence is not stored in the database


@pytest.fixture
def faster_timers(monkeypatch: pytest.MonkeyPatch) -> None:
    """All timers of presence take a twentieth of their time."""
    for name in ("TICK_SECONDS", "EXPIRY_SECONDS", "LINGER_SECONDS"):
        monkeypatch.setattr(service, name, getattr(service, name) / 20)
    for name in ("PUBLISH_INTERVAL_SECONDS", "REFRESH_SECONDS"):
        monkeypatch.setattr(room, name, getattr(room, name) / 20)
    monkeypatch.setattr(room, "NOTIFY_INTERVAL_SECONDS", (0.05, 0.5))


@asynccontextmanager
async def run_two_processes(settings: Settings) -> AsyncIterator[tuple[Parley, Parley]]:
    async with Parley(settings, LIVE_MODELS) as here, Parley(settings, LIVE_MODELS) as there:
        await wait_until(lambda: here.hints.flowing and there.hints.flowing, "Redis")
        yield here, there


class RealWatcher:
    """A real session that takes part in presence, and a task that reads it at once."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.read = asyncio.create_task(self._read())
        self._index = 0

    async def _read(self) -> None:
        with suppress(StopAsyncIteration):
            while True:
                await self.reader.next(timeout=60)

    async def until(self, event: str, timeout: float = 5) -> Block:
        """The next block of this event."""
        return await wait_until(lambda: self._next(event), event, timeout)

    def _next(self, event: str) -> Block | None:
        while self._index < len(self.reader.blocks):
            block = self.reader.blocks[self._index]
            self._index += 1
            if block.event.endswith(event):
                return block
        return None

    async def sees(self, *names: str, timeout: float = WAIT_TIMEOUT_SECONDS) -> dict[str, Any]:
        """Wait until the last presence event names exactly these people."""
        return await wait_until(lambda: self._sees(sorted(names)), f"{names} to be present", timeout)

    async def counts_guests(self, guests: int, *names: str) -> None:
        """Wait until the last presence event names exactly these people and this number of guests."""
        shown = f"{guests} guests beside {names}"
        await wait_until(lambda: (self._sees(sorted(names)) or {}).get("guests") == guests, shown)

    def _sees(self, names: list[str]) -> dict[str, Any] | None:
        messages = [block.json() for block in self.reader.blocks if block.event == "presence"]
        seen = messages and sorted(person["username"] for person in messages[-1]["people"]) == names
        return messages[-1] if seen else None


@asynccontextmanager
async def watch(parley: Parley, viewer: Viewer = GUEST, *topics: Topic, **options: Any) -> AsyncIterator[RealWatcher]:
    """Open a real session with presence, of Article/1 by default."""
    async with open_session(parley.feeds, *topics, viewer=viewer, presence=parley.presence, **options) as reader:
        watcher = RealWatcher(reader)
        try:
            yield watcher
        finally:
            watcher.read.cancel()
            await asyncio.wait([watcher.read])


def presence_of(parley: Parley) -> Presence:
    assert parley.presence
    return parley.presence


@pytest.mark.usefixtures("faster_timers")
async def test_two_processes_share_presence_on_a_channel_of_its_own(settings: Settings) -> None:
    async with (
        run_two_processes(settings) as (here, there),
        Redis.from_url(settings.redis_url) as redis,
        redis.pubsub() as hints,
    ):
        alice, bob = await create_viewer(here, "Alice"), await create_viewer(there, "Bob")
        await hints.subscribe(settings.redis_channel_name)
        async with watch(here, alice) as hers, watch(there, bob) as his, watch(there) as guests:
            for watcher in (hers, his, guests):
                await watcher.counts_guests(1, "Alice", "Bob")
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


@pytest.mark.usefixtures("faster_timers")
async def test_a_message_without_a_valid_seal_shows_no_name(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    channel = f"{settings.redis_channel_name}.presence"
    async with (
        run_two_processes(settings) as (here, there),
        Redis.from_url(settings.redis_url) as redis,
        redis.pubsub() as spy,
    ):
        alice, bob = await create_viewer(here, "Alice"), await create_viewer(there, "Bob")
        await spy.subscribe(channel)
        async with watch(here, alice) as hers:
            async with watch(there, bob):
                await hers.sees("Alice", "Bob")
            await hers.sees("Alice")
            while not (message := await spy.get_message(timeout=1)) or b"Bob" not in str(message["data"]).encode():
                pass
            await redis.publish(channel, message["data"])
            with caplog.at_level(logging.WARNING):
                await redis.publish(channel, roll_with())
            async with watch(here) as guests:  # a sentinel: all earlier messages have been received
                assert (await guests.sees("Alice"))["guests"] == 1
            assert (await hers.sees("Alice"))["count"] == 1
            received = [block.data for block in hers.reader.blocks if block.event == "presence"]
            assert not any("Mallory" in data for data in received if data)
    assert len([record for record in caplog.records if "presence" in record.message]) == 2, "one line for each process"
    assert not [record for record in caplog.records if "Mallory" in record.message]


@pytest.mark.extended  # in real time; the gate has the same on the simulated clock above
@pytest.mark.usefixtures("faster_timers")
async def test_the_people_of_a_crashed_process_are_removed(settings: Settings) -> None:
    async with run_two_processes(settings) as (here, there):
        alice, bob = await create_viewer(here, "Alice"), await create_viewer(there, "Bob")
        async with watch(here, alice) as hers, watch(there, bob):
            await hers.sees("Alice", "Bob")
            with pytest.raises(AssertionError):  # Bob stays beyond the bound, while his process refreshes him
                await hers.sees("Alice", timeout=1.2 * service.EXPIRY_SECONDS)
            await there._tasks.cancel()
            assert (await hers.sees("Alice", timeout=WAIT_TIMEOUT_SECONDS))["count"] == 1


@pytest.mark.usefixtures("faster_timers")
async def test_people_get_comments_though_presence_has_no_redis(settings: Settings, redis_server: RedisServer) -> None:
    settings = settings.model_copy(update={"redis_url": redis_server.url, "sweep_seconds": 0.2})
    async with run_two_processes(settings) as (here, there):
        alice, bob = await create_viewer(here, "Alice"), await create_viewer(there, "Bob")
        async with watch(here, alice) as hers, watch(there, bob):
            await hers.sees("Alice", "Bob")
            redis_server.kill()
            await hers.sees("Alice")
            async with watch(here) as guests:
                assert (await guests.sees("Alice"))["guests"] == 1
                await post_comment(there, bob, "By sweep")
                await guests.until("create.success")
            redis_server.restart()
            await hers.sees("Alice", "Bob")


@pytest.mark.usefixtures("faster_timers")
async def test_the_people_of_a_process_that_shuts_down_are_removed_at_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "EXPIRY_SECONDS", 60.0)
    async with AsyncExitStack() as there, Parley(settings, LIVE_MODELS) as here:
        leaving = await there.enter_async_context(Parley(settings, LIVE_MODELS))
        await wait_until(lambda: here.hints.flowing and leaving.hints.flowing, "Redis")
        alice, bob = await create_viewer(here, "Alice"), await create_viewer(here, "Bob")
        async with watch(here, alice) as hers:
            await there.enter_async_context(watch(leaving, bob))
            await hers.sees("Alice", "Bob")
            monkeypatch.setattr(service, "LINGER_SECONDS", 60.0)  # so the message of the process removes Bob
            await there.aclose()
            await hers.sees("Alice")


@pytest.mark.usefixtures("faster_timers")
async def test_a_person_who_is_signed_out_elsewhere_is_removed_at_once(
    parley: Parley, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "LINGER_SECONDS", 60.0)
    alice, bob = await create_viewer(parley, "Alice"), await create_viewer(parley, "Bob")

    async def authorise() -> Viewer:
        async with parley.reading() as session:
            return (await viewer_of(session, _login(bob)))[0]

    topics = (ARTICLE, Topic.account(bob.user_id))
    async with watch(parley, alice) as hers, watch(parley, bob, *topics, authorise=authorise) as his:
        await his.sees("Alice", "Bob")
        await hers.sees("Alice", "Bob")
        await logins.end_login(parley, bob, _login(bob))
        await his.until("auth")
        await hers.sees("Alice")


def _login(viewer: Viewer) -> UUID:
    assert viewer.login_id
    return viewer.login_id


@pytest.mark.usefixtures("faster_timers")
async def test_changes_come_before_presence_and_presence_ends_no_poll(parley: Parley) -> None:
    alice, bob = await create_viewer(parley, "Alice"), await create_viewer(parley, "Bob")
    async with watch(parley, alice) as hers, watch(parley, bob, once=True) as his:
        await hers.sees("Alice", "Bob")
        presence_of(parley).start_typing(ARTICLE, alice)
        await wait_until(lambda: hers._sees(["Alice", "Bob"])["typing"], "Alice to see that Bob types")
        assert not his.read.done()
        await post_comment(parley, alice, "News")
        await asyncio.wait([his.read], timeout=WAIT_TIMEOUT_SECONDS)
        events = [block.event for block in his.reader.blocks]
        assert events == ["heartbeat", "global.comment.create.success", "presence", "message"]


@pytest.mark.usefixtures("faster_timers")
async def test_a_client_that_does_not_take_part_is_not_shown_and_gets_no_presence(parley: Parley) -> None:
    alice, bob = await create_viewer(parley, "Alice"), await create_viewer(parley, "Bob")
    async with open_session(parley.feeds, viewer=bob) as his, watch(parley, alice) as hers:
        await his.until("heartbeat")
        assert (await hers.sees("Alice"))["count"] == 1
        await post_comment(parley, alice, "Hello")
        assert (await his.next()).event == "global.comment.create.success"


async def test_a_service_with_presence_switched_off_sends_none(settings: Settings) -> None:
    async with (
        Parley(settings.model_copy(update={"presence": False}), LIVE_MODELS) as parley,
        Redis.from_url(settings.redis_url) as redis,
    ):
        await wait_until(lambda: parley.hints.flowing, "Redis")
        channels = await redis.pubsub_channels(f"{settings.redis_channel_name}*")
        assert channels == [settings.redis_channel_name.encode()]
        assert parley.presence is None


async def test_a_script_has_no_presence(settings: Settings) -> None:
    async with Parley(settings, LIVE_MODELS, listening=False) as parley:
        assert parley.presence is None
