"""Rooms: one topic that somebody is at, as one process knows it: who is here, who is elsewhere, and who types."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from math import inf
from typing import Any, Protocol
from uuid import UUID

from app.live import wire
from app.live.presence.messages import MAX_NAMED, Person, PresenceMessage
from app.live.topics import Topic
from app.live.viewers import Viewer

PUBLISH_INTERVAL_SECONDS = 1.0  # seconds between two rolls of one topic
REFRESH_SECONDS = 20.0  # seconds after which a roll is said again, though nothing changed
NOTIFY_INTERVAL_SECONDS = (1.0, 10.0)  # seconds between two tellings of one topic: the least and the most
SESSIONS_PER_INTERVAL_SECOND = 100  # sessions of one topic for each second of that
MAX_PROCESSES = 100  # whose rolls of one topic are kept; others are not heard
MAX_TYPISTS = 100  # people of whom is kept that they type at one topic; others are not heard
MAX_NAMES_SHOWN, MAX_TYPISTS_SHOWN = 8, 3  # people that a session is told by name


class Watcher(Protocol):
    """What presence knows of a session."""

    viewer: Viewer
    network: str | None

    @property
    def topics(self) -> Sequence[Topic]: ...

    def wake(self) -> None: ...


@dataclass(slots=True)
class Visit:
    """Somebody's, at a topic: through so many sessions, and after the last of them until then."""

    person: Person
    sessions: int = 0
    until: float = inf


class Room:
    """A topic that somebody is at: the people here, the rolls of the other processes, and the people who type.

    `network` is the network of the session that opened the room.
    """

    __slots__ = (
        "_elsewhere", "_forget_at", "_guests", "_guests_gone", "_typing", "_visits", "asks", "block", "network",
        "newcomers", "said_at", "told_at", "topic", "unsaid", "untold", "version", "watchers",
    )  # fmt: skip

    def __init__(self, topic: Topic, network: str | None = None) -> None:
        self.topic = topic
        self.network = network
        self.watchers: set[Watcher] = set()
        self.newcomers: set[Watcher] = set()  # of these, who has not been counted in anything told
        self.version = 0
        self.block = b""
        self.asks = True
        self.unsaid = True
        self.untold = True
        self.said_at = self.told_at = -inf
        # In the order in which they came, so that nobody's name makes room for that of who comes later.
        self._visits: dict[UUID, Visit] = {}
        self._guests = 0
        self._guests_gone: list[float] = []  # for each, the time until which it is still shown
        self._elsewhere: dict[str, tuple[PresenceMessage, float]] = {}
        self._typing: dict[UUID, tuple[Person, float]] = {}
        self._forget_at = inf

    # -- here

    def enter(self, watcher: Watcher) -> None:
        self.watchers.add(watcher)
        self.newcomers.add(watcher)
        if person := Person.of(watcher.viewer):
            visit = self._visits.setdefault(person.id, Visit(person))
            visit.sessions += 1
            visit.until = inf
        else:
            self._guests += 1
            if self._guests_gone:
                self._guests_gone.pop(0)  # most likely this is the guest who has just left
        self.changed()

    def leave(self, watcher: Watcher, until: float) -> None:
        self.watchers.discard(watcher)
        self.newcomers.discard(watcher)
        self._forget_at = min(self._forget_at, until)
        if not watcher.viewer.user_id:
            self._guests -= 1
            self._guests_gone.append(until)
        elif visit := self._visits.get(watcher.viewer.user_id):
            visit.sessions -= 1
            visit.until = inf if visit.sessions else until
        self.changed()

    def rename(self, person: Person) -> None:
        if visit := self._visits.get(person.id):
            visit.person = person
            self.changed()

    def changed(self) -> None:
        self.unsaid = self.untold = True

    @property
    def is_over(self) -> bool:
        """Nobody is here any more, and the other processes know."""
        return not (self._visits or self._guests or self._guests_gone or self.unsaid)

    # -- elsewhere

    def receive(self, roll: PresenceMessage, until: float) -> None:
        self.unsaid = self.unsaid or roll.asks
        self.untold = True
        if roll.is_empty:
            self._elsewhere.pop(roll.process, None)
        elif roll.process in self._elsewhere or len(self._elsewhere) < MAX_PROCESSES:
            self._elsewhere[roll.process] = roll, until
            self._forget_at = min(self._forget_at, until)

    def lose(self, process: str) -> None:
        if self._elsewhere.pop(process, None):
            self.untold = True

    def is_to_be_said(self, now: float) -> bool:
        return now - self.said_at >= (PUBLISH_INTERVAL_SECONDS if self.unsaid else REFRESH_SECONDS)

    def roll(self, process: str) -> PresenceMessage:
        named = [visit.person for visit in islice(self._visits.values(), MAX_NAMED)]
        return PresenceMessage(
            process=process,
            topic=str(self.topic),
            people=named,
            more=len(self._visits) - len(named),
            guests=self._guests + len(self._guests_gone),
            asks=self.asks,
        )

    # -- typing

    def type(self, person: Person, until: float) -> None:
        if person.id in self._typing or len(self._typing) < MAX_TYPISTS:
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
        before = len(self._visits), len(self._guests_gone)
        self._visits = {id: visit for id, visit in self._visits.items() if visit.until > now}
        self._guests_gone = [until for until in self._guests_gone if until > now]
        self._elsewhere = {process: kept for process, kept in self._elsewhere.items() if kept[1] > now}
        self._typing = {id: kept for id, kept in self._typing.items() if kept[1] > now}
        lasting = [visit.until for visit in self._visits.values()] + self._guests_gone
        kept = [*self._elsewhere.values(), *self._typing.values()]
        self._forget_at = min([*lasting, *(until for _, until in kept)], default=inf)
        self.untold = True
        self.unsaid = self.unsaid or before != (len(self._visits), len(self._guests_gone))

    # -- whoever looks

    @property
    def pause(self) -> float:
        least, most = NOTIFY_INTERVAL_SECONDS
        return min(max(len(self.watchers) / SESSIONS_PER_INTERVAL_SECOND, least), most)

    def is_to_be_told(self, now: float) -> bool:
        return self.untold and now - self.told_at >= self.pause

    def tell(self, now: float) -> Collection[Watcher]:
        """The sessions here that are to be woken for what is new, the same bytes for all; newcomers also for what is
        not.
        """
        self.untold = False
        block = wire.presence(self._company())
        woken, self.newcomers = self.newcomers, set()
        if block != self.block:
            self.block = block
            self.version += 1
            woken = self.watchers
        if woken:
            self.told_at = now
        return woken

    def _company(self) -> dict[str, Any]:
        """Everybody, in all processes, as clients hear of them."""
        rolls = [roll for roll, _ in self._elsewhere.values()]
        others = {person.id: person for roll in rolls for person in roll.people if person.id not in self._visits}
        people = chain((visit.person for visit in self._visits.values()), others.values())
        typing = [person for person, _ in self._typing.values()]
        return {
            "topic": str(self.topic),
            "people": list(islice(people, MAX_NAMES_SHOWN)),
            "count": len(self._visits) + len(others) + sum(roll.more for roll in rolls),
            "guests": self._guests + len(self._guests_gone) + sum(roll.guests for roll in rolls),
            "typing": typing[:MAX_TYPISTS_SHOWN],
            "typing_count": len(typing),
        }
