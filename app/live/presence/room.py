"""Rooms: the presence at one topic, as one process knows it: its own people, those of other processes, and typists."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import chain, islice
from math import inf
from typing import Any
from uuid import UUID

from app.live import wire
from app.live.presence.messages import MAX_NAMED, Person, PresenceMessage
from app.live.topics import Topic
from app.live.watchers import Watcher

PUBLISH_INTERVAL_SECONDS = 1.0  # between two messages about one topic
REFRESH_SECONDS = 20.0  # after which a message is sent again, although nothing has changed
NOTIFY_INTERVAL_SECONDS = (1.0, 10.0)  # least and greatest time between two notifications of one topic
SESSIONS_PER_INTERVAL_SECOND = 100  # sessions of one topic for each second of that time
MAX_PROCESSES = 100  # whose messages about one topic are kept; those of others are ignored
MAX_TYPISTS = 100  # people who type at one topic; more are ignored
MAX_NAMES_SHOWN, MAX_TYPISTS_SHOWN = 8, 3  # people whose names clients get


@dataclass(slots=True)
class Visit:
    """A person at a topic, with a number of sessions. After the last one, the person is shown `until` then."""

    person: Person
    sessions: int = 0
    until: float = inf


class Room:
    """A topic with people: the people of this process, the messages of other processes, and the people who type.

    `network` is the network of the session that opened the room.
    """

    __slots__ = (
        "_elsewhere", "_expire_at", "_guests", "_guests_gone", "_typing", "_visits", "asks", "block",
        "must_notify", "must_publish", "network", "newcomers", "notified_at", "published_at", "topic",
        "version", "watchers",
    )  # fmt: skip

    def __init__(self, topic: Topic, network: str | None = None) -> None:
        self.topic = topic
        self.network = network
        self.watchers: set[Watcher] = set()
        self.newcomers: set[Watcher] = set()  # of these, those that entered after the last notification
        self.version = 0
        self.block = b""
        self.asks = True
        self.must_publish = True
        self.must_notify = True
        self.published_at = self.notified_at = -inf
        # In order of arrival, so that a newer person never displaces an older one from the list of names.
        self._visits: dict[UUID, Visit] = {}
        self._guests = 0
        self._guests_gone: list[float] = []  # for each guest who left, the time until which the guest is still counted
        self._elsewhere: dict[str, tuple[PresenceMessage, float]] = {}
        self._typing: dict[UUID, tuple[Person, float]] = {}
        self._expire_at = inf

    # -- this process

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
        self._expire_at = min(self._expire_at, until)
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
        self.must_publish = self.must_notify = True

    @property
    def is_over(self) -> bool:
        """Whether everybody of this process has left, and the other processes know it."""
        return not (self._visits or self._guests or self._guests_gone or self.must_publish)

    # -- other processes

    def receive(self, message: PresenceMessage, until: float) -> None:
        self.must_publish = self.must_publish or message.asks
        self.must_notify = True
        if message.is_empty:
            self._elsewhere.pop(message.process, None)
        elif message.process in self._elsewhere or len(self._elsewhere) < MAX_PROCESSES:
            self._elsewhere[message.process] = message, until
            self._expire_at = min(self._expire_at, until)

    def forget_process(self, process: str) -> None:
        if self._elsewhere.pop(process, None):
            self.must_notify = True

    def is_publish_due(self, now: float) -> bool:
        return now - self.published_at >= (PUBLISH_INTERVAL_SECONDS if self.must_publish else REFRESH_SECONDS)

    def message(self, process: str) -> PresenceMessage:
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

    def start_typing(self, person: Person, until: float) -> None:
        if person.id in self._typing or len(self._typing) < MAX_TYPISTS:
            self._typing[person.id] = person, until
            self._expire_at = min(self._expire_at, until)
            self.must_notify = True

    def stop_typing(self, person: Person) -> None:
        if self._typing.pop(person.id, None):
            self.must_notify = True

    # -- time

    def expire(self, now: float) -> None:
        """Remove people and messages whose time is over."""
        if now < self._expire_at:
            return
        before = len(self._visits), len(self._guests_gone)
        self._visits = {id: visit for id, visit in self._visits.items() if visit.until > now}
        self._guests_gone = [until for until in self._guests_gone if until > now]
        self._elsewhere = {process: kept for process, kept in self._elsewhere.items() if kept[1] > now}
        self._typing = {id: kept for id, kept in self._typing.items() if kept[1] > now}
        lasting = [visit.until for visit in self._visits.values()] + self._guests_gone
        kept = [*self._elsewhere.values(), *self._typing.values()]
        self._expire_at = min([*lasting, *(until for _, until in kept)], default=inf)
        self.must_notify = True
        self.must_publish = self.must_publish or before != (len(self._visits), len(self._guests_gone))

    # -- notifying sessions

    @property
    def notify_interval(self) -> float:
        least, most = NOTIFY_INTERVAL_SECONDS
        return min(max(len(self.watchers) / SESSIONS_PER_INTERVAL_SECOND, least), most)

    def is_notify_due(self, now: float) -> bool:
        return self.must_notify and now - self.notified_at >= self.notify_interval

    def notify(self, now: float) -> Collection[Watcher]:
        """Render the presence of this topic. Returns the sessions to wake: all if it has changed, or the newcomers.

        All sessions get the same bytes.
        """
        self.must_notify = False
        block = wire.presence(self._render())
        woken, self.newcomers = self.newcomers, set()
        if block != self.block:
            self.block = block
            self.version += 1
            woken = self.watchers
        if woken:
            self.notified_at = now
        return woken

    def _render(self) -> dict[str, Any]:
        """The people of all processes, as clients get them."""
        messages = [message for message, _ in self._elsewhere.values()]
        others = {
            person.id: person for message in messages for person in message.people if person.id not in self._visits
        }
        people = chain((visit.person for visit in self._visits.values()), others.values())
        typing = [person for person, _ in self._typing.values()]
        return {
            "topic": str(self.topic),
            "people": list(islice(people, MAX_NAMES_SHOWN)),
            "count": len(self._visits) + len(others) + sum(message.more for message in messages),
            "guests": self._guests + len(self._guests_gone) + sum(message.guests for message in messages),
            "typing": typing[:MAX_TYPISTS_SHOWN],
            "typing_count": len(typing),
        }
