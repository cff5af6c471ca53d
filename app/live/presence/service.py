"""Presence: who is at a topic now, and who types there. It is nobody's change: it has no seq, and nothing is stored.

Each process knows its own sessions, and the others' by their rolls, on Redis, beside the hints. Whatever is lost
there is said again soon; while Redis is away, each process knows of its own people alone.

1. A process says a roll of each topic that somebody is at here: when that has changed, at most once a second, and every
   twenty seconds. A topic that opens here, or a subscription that begins, asks, and the others say theirs at once.
2. No ghosts. Whose login has ended is gone at once. Who closes a page is gone four seconds later, as who reconnects has
   never left; a network that is gone breaks its streams within 75 seconds (`app.streams`). A process that ends says
   so; one that dies is forgotten 45 seconds after its last word.
3. Typing is the person's, not the process's, since it is said by a request, to any of them. So it is told to all by
   itself, and ends by itself after six seconds.
4. What it costs: to be told something new takes a session up to 30 µs, so ten thousand at one topic take a third of a
   second. They are told at most once a second where they are a hundred, and once in ten where they are a thousand or
   more: at ten thousand that is three percent of a processor, and anybody may be seen ten seconds late.
5. It names people who are signed in, to whoever looks. A guest is a number.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection
from heapq import nsmallest
from itertools import islice
from math import inf
from uuid import uuid4

from app.live.pacing import wake_all
from app.live.presence.messages import Message, Person, PresenceMessage, ProcessEndMessage, Typing, parse
from app.live.presence.room import Room, Watcher
from app.live.topics import Topic
from app.live.viewers import Viewer

TICK_SECONDS = 0.5  # seconds between two looks at what is to be said, told and forgotten
EXPIRY_SECONDS = 45.0  # seconds that a roll counts: two may be lost
LINGER_SECONDS = 4.0  # seconds; a browser that reconnects is told to do so after one to three
TYPING_SECONDS = 6.0  # seconds that typing lasts unless it is said again
TYPING_INTERVAL_SECONDS = 1.0  # seconds within which it is not told again
MAX_ROOMS = 10_000  # topics of this process; those that open past that have no presence
MAX_ROOMS_PER_STREAM = 30  # a browser's tabs share a stream; the topics of its other tabs have no presence
MAX_ROOMS_PER_NETWORK = 1_000  # that one network may open; it may also enter rooms that others have opened
MAX_MESSAGES_PER_TICK = 500  # in one look: more wait for the next, the oldest first

log = logging.getLogger(__name__)


class Presence:
    """Who is at the topics of these types, as this process knows it. `send` is for what all processes are to hear."""

    def __init__(
        self, types: Collection[str], send: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._types = types
        self._send = send
        self._clock = clock
        self._process = uuid4().hex
        self._rooms: dict[Topic, Room] = {}
        self._opened = Counter[str | None]()  # rooms, by the network that opened them

    @property
    def topics(self) -> int:
        """How many somebody is at."""
        return len(self._rooms)

    def covers(self, topic: Topic) -> bool:
        """Whether people can be there: at what can be commented on, not at what the service itself keeps."""
        return topic.type in self._types

    # -- sessions

    def enter(self, watcher: Watcher) -> None:
        """Show the viewer of this session at its topics, as far as there are rooms for them."""
        for topic in islice(filter(self.covers, watcher.topics), MAX_ROOMS_PER_STREAM):
            if room := self._rooms.get(topic) or self._open(topic, watcher.network):
                room.enter(watcher)

    def _open(self, topic: Topic, network: str | None) -> Room | None:
        if len(self._rooms) >= MAX_ROOMS or (network is not None and self._opened[network] >= MAX_ROOMS_PER_NETWORK):
            return None
        self._opened[network] += 1
        room = self._rooms[topic] = Room(topic, network)
        return room

    def _close(self, room: Room) -> None:
        del self._rooms[room.topic]
        self._opened[room.network] -= 1
        if not self._opened[room.network]:
            del self._opened[room.network]

    def leave(self, watcher: Watcher, *, at_once: bool = False) -> None:
        """Synchronous, as it runs while a stream is being cancelled. `at_once` is for whose login has ended."""
        until = -inf if at_once else self._clock() + LINGER_SECONDS
        for room in self._rooms_of(watcher):
            room.leave(watcher, until)
            if at_once:
                self.rests(room.topic, watcher.viewer)

    def renew(self, watcher: Watcher) -> None:
        """Its viewer has another name now."""
        for room in self._rooms_of(watcher):
            if person := Person.of(watcher.viewer):
                room.rename(person)

    def news(self, watcher: Watcher, topic: Topic, told: int) -> tuple[int, bytes] | None:
        """(version, block) of a topic for a session that was told the version `told`, 0 for none; None for no news."""
        room = self._rooms.get(topic)
        if room is None or room.version == told or watcher in room.newcomers:
            return None
        return room.version, room.block

    def _rooms_of(self, watcher: Watcher) -> list[Room]:
        rooms = (self._rooms.get(topic) for topic in watcher.topics)
        return [room for room in rooms if room and watcher in room.watchers]

    # -- typing

    def types(self, topic: Topic, viewer: Viewer) -> None:
        """This person types at the topic, for as long as typing lasts."""
        person, room = Person.of(viewer), self._rooms.get(topic)
        if person is None or not self.covers(topic):
            return
        until = self._clock() + TYPING_SECONDS
        if room:
            if until - room.types_until(person) < TYPING_INTERVAL_SECONDS:
                return
            room.type(person, until)
        self._tell_of(topic, person, goes_on=True)

    def rests(self, topic: Topic, viewer: Viewer) -> None:
        """What this person typed is written, or they are gone."""
        person, room = Person.of(viewer), self._rooms.get(topic)
        if person is None or not self.covers(topic):
            return
        if room:
            if room.types_until(person) == -inf:
                return
            room.rest(person)
        self._tell_of(topic, person, goes_on=False)

    def _tell_of(self, topic: Topic, person: Person, *, goes_on: bool) -> None:
        typing = Typing(process=self._process, topic=str(topic), person=person, goes_on=goes_on)
        self._send(typing.model_dump_json())

    # -- other processes

    def receive(self, text: str) -> None:
        """Take a message of a process, perhaps this one. Its signature is checked: see `app.live.presence.sealing`."""
        try:
            message = parse(text)
            room = None if isinstance(message, ProcessEndMessage) else self._rooms.get(Topic.parse(message.topic))
        except ValueError:  # pydantic's are, and so is a BadTopic
            log.warning("presence: ignored a message in a format that this release does not know")
            return
        if message.process != self._process:
            self._take(message, room)

    def _take(self, message: Message, room: Room | None) -> None:
        if isinstance(message, ProcessEndMessage):
            for each in self._rooms.values():
                each.lose(message.process)
        elif room is None:
            return  # nobody is there here
        elif isinstance(message, PresenceMessage):
            room.receive(message, self._clock() + EXPIRY_SECONDS)
        elif message.goes_on:
            room.type(message.person, self._clock() + TYPING_SECONDS)
        else:
            room.rest(message.person)

    def resync(self) -> None:
        """Something may not have been heard: ask."""
        for room in self._rooms.values():
            room.asks = room.unsaid = True

    def farewell(self) -> None:
        """This process ends: nobody is here any more."""
        if self._rooms:
            self._send(ProcessEndMessage(process=self._process).model_dump_json())
        self._rooms.clear()
        self._opened.clear()

    # -- time

    async def keep(self) -> None:
        """Say, tell and forget for ever."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            try:
                await wake_all(self.run_due())
            except Exception:
                log.exception("presence")

    def run_due(self) -> list[Watcher]:
        """Do what is due, and answer whom to wake for it. Rolls are said, and sessions told, from nowhere else."""
        now = self._clock()
        due, woken = list[Room](), list[Watcher]()
        for room in list(self._rooms.values()):
            room.forget(now)
            if room.is_to_be_told(now):
                woken += room.tell(now)
            if room.is_to_be_said(now):
                due.append(room)
            elif room.is_over:
                self._close(room)
        for room in nsmallest(MAX_MESSAGES_PER_TICK, due, key=lambda room: room.said_at):
            self._say(room, now)
        return woken

    def _say(self, room: Room, now: float) -> None:
        self._send(room.roll(self._process).model_dump_json())
        room.said_at = now
        room.asks = room.unsaid = False
