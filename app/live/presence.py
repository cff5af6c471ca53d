"""Presence: who is at a topic now, and who types there. It is nobody's change: it has no seq, and nothing is stored.

Each process knows its own sessions, and the others' by their rolls, on Redis, beside the hints. Whatever is lost
there is said again soon; while Redis is away, each process knows of its own people alone.

1. A process says a roll of each topic that somebody is at here: when that has changed, at most once a second, and every
   twenty seconds. A topic that opens here, or a subscription that begins, asks, and the others say theirs at once.
2. No ghosts. Whose login has ended is gone at once. Who closes a page is gone four seconds later, as who reconnects has
   never left; a network that is gone breaks its streams within 75 seconds (`app.web.streams`). A process that ends says
   so; one that dies is forgotten 45 seconds after its last word.
3. Typing is the person's, not the process's, since it is said by a request, to any of them. So it is told to all by
   itself, and ends by itself after six seconds.
4. What it costs: to be told something new takes a session about 30 µs, so ten thousand at one topic take a third of a
   second. They are told at most once a second where they are a hundred, and once in ten where they are a thousand or
   more: at ten thousand that is three percent of a processor, and anybody may be seen ten seconds late.
5. It names people who are signed in, to whoever looks. A guest is a number.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from itertools import chain, islice
from math import inf
from typing import Annotated, Any, Literal, Protocol
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from app.live import blocks
from app.live.topics import Topic
from app.live.viewers import Viewer

LOOK = 0.5  # seconds between two looks at what is to be said, told and forgotten
SAY_EVERY = 1.0  # seconds between two rolls of one topic (1)
REFRESH = 20.0  # seconds after which a roll is said again, though nothing changed
EXPIRY = 45.0  # seconds that a roll counts: two may be lost
LINGER = 4.0  # seconds; a browser that reconnects is told to do so after one to three
TYPING = 6.0  # seconds that typing lasts unless it is said again
TYPING_EVERY = 1.0  # seconds within which it is not told again
PAUSES = (1.0, 10.0)  # seconds between two tellings of one topic: the least and the most (4)
CROWD = 100  # sessions of one topic for each second of that
ROOMS = 10_000  # topics of this process; those that open past that have no presence
ROLLS = 500  # in one look: more wait for the next, the oldest first
PROCESSES = 100  # whose rolls of one topic are kept; others are not heard
NAMED = 50  # people that a roll names; the rest are a number
TYPISTS = 100  # people of whom is kept that they type at one topic; others are not heard
SHOWN, SHOWN_TYPING = 8, 3  # people that a session is told by name
LONGEST = 32_768  # characters of a message: twice what fifty of the longest names take
MOST = 1_000_000  # people or guests that a roll may speak of

log = logging.getLogger(__name__)


class Watcher(Protocol):
    """What presence knows of a session."""

    viewer: Viewer

    @property
    def topics(self) -> Sequence[Topic]: ...

    def wake(self) -> None: ...


# -- what processes say to each other ---------------------------------------------------------------------------


class Person(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: UUID
    username: Annotated[str, Field(min_length=1, max_length=100)]

    @classmethod
    def of(cls, viewer: Viewer) -> Person | None:
        """None for a guest."""
        return cls(id=viewer.user_id, username=viewer.username) if viewer.user_id and viewer.username else None


Count = Annotated[int, Field(ge=0, le=MOST)]


class Roll(BaseModel):
    """Who is at a topic in one process. With `asks`, that one wants to hear the others'."""

    kind: Literal["roll"] = "roll"
    process: Annotated[str, Field(min_length=1, max_length=64)]
    topic: str
    people: Annotated[list[Person], Field(max_length=NAMED)]
    more: Count
    guests: Count
    asks: bool = False

    @property
    def is_empty(self) -> bool:
        return not (self.people or self.more or self.guests)


class Typing(BaseModel):
    """This person types at a topic, or no longer."""

    kind: Literal["typing"] = "typing"
    process: Annotated[str, Field(min_length=1, max_length=64)]
    topic: str
    person: Person
    goes_on: bool


class Farewell(BaseModel):
    """This process ends."""

    kind: Literal["farewell"] = "farewell"
    process: Annotated[str, Field(min_length=1, max_length=64)]


Message = Roll | Typing | Farewell

_MESSAGES: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="kind")])


# -- one topic --------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Stay:
    """Somebody's, at a topic: through so many sessions, and after the last of them until then."""

    person: Person
    sessions: int = 0
    until: float = inf


class Room:
    """A topic that somebody is at: who is here, the other processes' rolls of it, and who types."""

    def __init__(self, topic: Topic) -> None:
        self.topic = topic
        self.watchers: set[Watcher] = set()
        self.newcomers: set[Watcher] = set()  # of these, who has not been counted in anything told
        self.version = 0
        self.block = b""
        self.asks = True
        self.unsaid = True
        self.untold = True
        self.said_at = self.told_at = -inf
        # In the order in which they came, so that nobody's name makes room for that of who comes later.
        self._stays: dict[UUID, Stay] = {}
        self._guests = 0
        self._guests_gone: deque[float] = deque()  # until when they linger
        self._elsewhere: dict[str, tuple[Roll, float]] = {}
        self._typing: dict[UUID, tuple[Person, float]] = {}
        self._forget_at = inf

    # -- here

    def enter(self, watcher: Watcher) -> None:
        self.watchers.add(watcher)
        self.newcomers.add(watcher)
        if person := Person.of(watcher.viewer):
            stay = self._stays.setdefault(person.id, Stay(person))
            stay.sessions += 1
            stay.until = inf
        else:
            self._guests += 1
            if self._guests_gone:
                self._guests_gone.popleft()  # most likely the one who has just gone
        self.changed()

    def leave(self, watcher: Watcher, until: float) -> None:
        self.watchers.discard(watcher)
        self.newcomers.discard(watcher)
        self._forget_at = min(self._forget_at, until)
        if not watcher.viewer.user_id:
            self._guests -= 1
            self._guests_gone.append(until)
        elif stay := self._stays.get(watcher.viewer.user_id):
            stay.sessions -= 1
            stay.until = inf if stay.sessions else until
        self.changed()

    def rename(self, person: Person) -> None:
        if stay := self._stays.get(person.id):
            stay.person = person
            self.changed()

    def changed(self) -> None:
        self.unsaid = self.untold = True

    @property
    def is_over(self) -> bool:
        """Nobody is here any more, and the other processes know."""
        return not (self._stays or self._guests or self._guests_gone or self.unsaid)

    # -- elsewhere

    def hear(self, roll: Roll, until: float) -> None:
        self.unsaid = self.unsaid or roll.asks
        self.untold = True
        if roll.is_empty:
            self._elsewhere.pop(roll.process, None)
        elif roll.process in self._elsewhere or len(self._elsewhere) < PROCESSES:
            self._elsewhere[roll.process] = roll, until
            self._forget_at = min(self._forget_at, until)

    def lose(self, process: str) -> None:
        if self._elsewhere.pop(process, None):
            self.untold = True

    def is_to_be_said(self, now: float) -> bool:
        return now - self.said_at >= (SAY_EVERY if self.unsaid else REFRESH)

    def roll(self, process: str) -> Roll:
        named = [stay.person for stay in islice(self._stays.values(), NAMED)]
        return Roll(
            process=process,
            topic=str(self.topic),
            people=named,
            more=len(self._stays) - len(named),
            guests=self._guests + len(self._guests_gone),
            asks=self.asks,
        )

    # -- typing

    def type(self, person: Person, until: float) -> None:
        if person.id in self._typing or len(self._typing) < TYPISTS:
            self._typing[person.id] = person, until
            self._forget_at = min(self._forget_at, until)
            self.untold = True

    def rest(self, person: Person) -> None:
        if self._typing.pop(person.id, None):
            self.untold = True

    def types_until(self, person: Person) -> float:
        return self._typing[person.id][1] if person.id in self._typing else -inf

    # -- time

    def forget(self, now: float) -> None:
        """What has had its time."""
        if now < self._forget_at:
            return
        before = len(self._stays), len(self._guests_gone)
        self._stays = {id: stay for id, stay in self._stays.items() if stay.until > now}
        self._guests_gone = deque(until for until in self._guests_gone if until > now)
        self._elsewhere = {process: kept for process, kept in self._elsewhere.items() if kept[1] > now}
        self._typing = {id: kept for id, kept in self._typing.items() if kept[1] > now}
        lasting = [stay.until for stay in self._stays.values()] + list(self._guests_gone)
        kept = [*self._elsewhere.values(), *self._typing.values()]
        self._forget_at = min([*lasting, *(until for _, until in kept)], default=inf)
        self.untold = True
        self.unsaid = self.unsaid or before != (len(self._stays), len(self._guests_gone))

    # -- whoever looks

    @property
    def pause(self) -> float:
        least, most = PAUSES
        return min(max(len(self.watchers) / CROWD, least), most)

    def is_to_be_told(self, now: float) -> bool:
        return self.untold and now - self.told_at >= self.pause

    def tell(self, now: float) -> None:
        """Let the sessions here be sent what is new, all of them the same bytes; newcomers also what is not."""
        self.untold = False
        block = blocks.presence(self._company())
        woken, self.newcomers = self.newcomers, set()
        if block != self.block:
            self.block = block
            self.version += 1
            woken = self.watchers
        if woken:
            self.told_at = now
        for watcher in woken:
            watcher.wake()

    def _company(self) -> dict[str, Any]:
        """Everybody, in all processes, as clients hear of them."""
        rolls = [roll for roll, _ in self._elsewhere.values()]
        others = {person.id: person for roll in rolls for person in roll.people if person.id not in self._stays}
        people = chain((stay.person for stay in self._stays.values()), others.values())
        typing = [person for person, _ in self._typing.values()]
        return {
            "topic": str(self.topic),
            "people": list(islice(people, SHOWN)),
            "count": len(self._stays) + len(others) + sum(roll.more for roll in rolls),
            "guests": self._guests + len(self._guests_gone) + sum(roll.guests for roll in rolls),
            "typing": typing[:SHOWN_TYPING],
            "typing_count": len(typing),
        }


# -- one process ------------------------------------------------------------------------------------------------


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

    @property
    def topics(self) -> int:
        """How many somebody is at."""
        return len(self._rooms)

    def covers(self, topic: Topic) -> bool:
        """Whether people can be there: at what can be commented on, not at what the service itself keeps."""
        return topic.type in self._types

    # -- sessions

    def enter(self, watcher: Watcher) -> None:
        """Whoever looks with this session is at its topics from now on."""
        for topic in filter(self.covers, watcher.topics):
            if topic not in self._rooms and len(self._rooms) < ROOMS:
                self._rooms[topic] = Room(topic)
            if room := self._rooms.get(topic):
                room.enter(watcher)

    def leave(self, watcher: Watcher, *, at_once: bool = False) -> None:
        """Synchronous, as it runs while a stream is being cancelled. `at_once` is for whose login has ended."""
        until = -inf if at_once else self._clock() + LINGER
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
        until = self._clock() + TYPING
        if room:
            if until - room.types_until(person) < TYPING_EVERY:
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

    def hear(self, text: str) -> None:
        """A process, perhaps this one, has said something."""
        try:
            if len(text) > LONGEST:
                raise ValueError
            message = _MESSAGES.validate_json(text)
            room = None if isinstance(message, Farewell) else self._rooms.get(Topic.parse(message.topic))
        except ValueError:  # pydantic's are, and so is a BadTopic
            log.warning("not of presence: %.200r", text)
            return
        if message.process != self._process:
            self._take(message, room)

    def _take(self, message: Message, room: Room | None) -> None:
        if isinstance(message, Farewell):
            for each in self._rooms.values():
                each.lose(message.process)
        elif room is None:
            return  # nobody is there here
        elif isinstance(message, Roll):
            room.hear(message, self._clock() + EXPIRY)
        elif message.goes_on:
            room.type(message.person, self._clock() + TYPING)
        else:
            room.rest(message.person)

    def doubt(self) -> None:
        """Something may not have been heard: ask."""
        for room in self._rooms.values():
            room.asks = room.unsaid = True

    def farewell(self) -> None:
        """This process ends: nobody is here any more."""
        if self._rooms:
            self._send(Farewell(process=self._process).model_dump_json())
        self._rooms.clear()

    # -- time

    async def keep(self) -> None:
        """Say, tell and forget for ever."""
        while True:
            await asyncio.sleep(LOOK)
            try:
                self.look()
            except Exception:
                log.exception("presence")

    def look(self) -> None:
        """Do what is due. The only place where a roll is said, or a session told."""
        now = self._clock()
        due = []
        for room in list(self._rooms.values()):
            room.forget(now)
            if room.is_to_be_told(now):
                room.tell(now)
            if room.is_to_be_said(now):
                due.append(room)
            elif room.is_over:
                del self._rooms[room.topic]
        for room in nsmallest(ROLLS, due, key=lambda room: room.said_at):
            self._say(room, now)

    def _say(self, room: Room, now: float) -> None:
        self._send(room.roll(self._process).model_dump_json())
        room.said_at = now
        room.asks = room.unsaid = False
