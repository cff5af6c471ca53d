"""Presence: the people who are at a topic now, and those who type there. It has no seq, and nothing is stored.

A process knows its own sessions. Other processes send it presence messages on Redis, on a channel beside the hints. A
lost message is sent again soon. While Redis is unavailable, each process knows only its own people.

1. A process sends a message about each topic with people here: when that has changed, at most once a second, and every
   twenty seconds. For a new room, and after each subscription, the message asks the others, which answer immediately.
2. People who have left are not shown. If a login ends, its person is removed immediately. If a page is closed, the
   person is removed four seconds later, so that a reconnect does not show. If a network fails, its streams break within
   75 seconds (`app.http.sse_response`). A process announces its end; a process that dies is forgotten 45
   seconds after its last message.
3. Typing belongs to the person and not to a process, because the request may reach any process. So it is a separate
   message to all processes, and it expires after six seconds. Every process knows who types, so that a comment by
   somebody who does not type costs no message.
4. Cost: a notification takes up to 30 µs per session, so one for ten thousand sessions takes a third of a second. Up to
   a hundred sessions of a topic are notified at most once a second, and a thousand or more once in ten seconds. For ten
   thousand that is three percent of a CPU, and a person may be shown ten seconds late.
5. Everybody at a topic gets the names of the signed-in people there. Guests are only counted.
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
from uuid import UUID, uuid4

from app.live.pacing import wake_all
from app.live.presence.messages import Message, Person, ProcessEndMessage, Typing, parse
from app.live.presence.room import Room
from app.live.topics import Topic
from app.live.viewers import Viewer
from app.live.watchers import Watcher

TICK_SECONDS = 0.5  # between two calls of `run_due`
EXPIRY_SECONDS = 45.0  # that a message is valid: two may be lost
LINGER_SECONDS = 4.0  # that a person is shown after the last session; a browser reconnects after one to three
TYPING_SECONDS = 6.0  # that typing is valid unless it is repeated
TYPING_INTERVAL_SECONDS = 1.0  # within which it is not published again
MAX_TYPISTS = 10_000  # people who type at any topic, in any process; of more, the end is not announced
MAX_ROOMS = 10_000  # topics of this process; more have no presence
MAX_ROOMS_PER_STREAM = 30  # a browser's tabs share a stream; the topics of its other tabs have no presence
MAX_ROOMS_PER_NETWORK = 1_000  # opened by one network; it may also enter rooms that others have opened
MAX_MESSAGES_PER_TICK = 500  # the oldest rooms first; the others wait for the next tick

log = logging.getLogger(__name__)


class Presence:
    """The presence at the topics of these types, as this process knows it. `send` sends a message to all processes."""

    def __init__(
        self, types: Collection[str], send: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._types = types
        self._send = send
        self._clock = clock
        self._process = uuid4().hex
        self._rooms: dict[Topic, Room] = {}
        self._opened = Counter[str | None]()  # rooms, by the network that opened them
        self._typing: dict[tuple[Topic, UUID | None], float] = {}  # the time until which a person types, in its order

    @property
    def topics(self) -> int:
        """The number of topics with people."""
        return len(self._rooms)

    def covers(self, topic: Topic) -> bool:
        """Whether the topic has presence: commentables do, and the topics of accounts and moderation do not."""
        return topic.type in self._types

    # -- sessions

    def enter(self, watcher: Watcher) -> None:
        """Show the viewer of this session at its topics, within the limits for rooms."""
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
        """Remove a session. Synchronous, as it runs while a stream is cancelled. `at_once`: its login has ended."""
        until = -inf if at_once else self._clock() + LINGER_SECONDS
        for room in self._rooms_of(watcher):
            room.leave(watcher, until)
            if at_once:
                self.stop_typing(room.topic, watcher.viewer)

    def rename(self, watcher: Watcher) -> None:
        """Show the new name of the session's viewer."""
        for room in self._rooms_of(watcher):
            if person := Person.of(watcher.viewer):
                room.rename(person)

    def news(self, watcher: Watcher, topic: Topic, version: int) -> tuple[int, bytes] | None:
        """(version, block) of a topic for a session that has `version`, or 0 for none. None if there is nothing new."""
        room = self._rooms.get(topic)
        if room is None or room.version == version or watcher in room.newcomers:
            return None
        return room.version, room.block

    def _rooms_of(self, watcher: Watcher) -> list[Room]:
        rooms = (self._rooms.get(topic) for topic in watcher.topics)
        return [room for room in rooms if room and watcher in room.watchers]

    # -- typing

    def start_typing(self, topic: Topic, viewer: Viewer) -> None:
        """Show that this person types at the topic, for `TYPING_SECONDS`."""
        person = Person.of(viewer)
        if person is None or not self.covers(topic):
            return
        until = self._clock() + TYPING_SECONDS
        if until - self._typing.get((topic, person.id), -inf) >= TYPING_INTERVAL_SECONDS:
            self._publish_typing(topic, person, goes_on=True)

    def stop_typing(self, topic: Topic, viewer: Viewer) -> None:
        """Stop showing that this person types: the comment is posted, or the person has left."""
        if (topic, viewer.user_id) in self._typing and (person := Person.of(viewer)):
            self._publish_typing(topic, person, goes_on=False)

    def _publish_typing(self, topic: Topic, person: Person, *, goes_on: bool) -> None:
        self._show_typing(topic, person, goes_on)
        typing = Typing(process=self._process, topic=str(topic), person=person, goes_on=goes_on)
        self._send(typing.model_dump_json())

    def _show_typing(self, topic: Topic, person: Person, goes_on: bool) -> None:
        room, until = self._rooms.get(topic), self._clock() + TYPING_SECONDS
        self._typing.pop((topic, person.id), None)
        if goes_on:
            self._typing[topic, person.id] = until
            if len(self._typing) > MAX_TYPISTS:
                del self._typing[next(iter(self._typing))]
        if room:
            room.start_typing(person, until) if goes_on else room.stop_typing(person)

    # -- other processes

    def receive(self, text: str) -> None:
        """Take a message of any process. Its signature has been verified: see `app.live.presence.sealing`."""
        try:
            message = parse(text)
            if message.process != self._process:
                self._apply(message)
        except ValueError:  # the base class of pydantic's errors and of BadTopic
            log.warning("presence: ignored a message in a format that this release does not know")

    def _apply(self, message: Message) -> None:
        """Raises BadTopic."""
        if isinstance(message, ProcessEndMessage):
            for each in self._rooms.values():
                each.forget_process(message.process)
            return
        topic = Topic.parse(message.topic)
        if isinstance(message, Typing):
            self._show_typing(topic, message.person, message.goes_on)
        elif room := self._rooms.get(topic):
            room.receive(message, self._clock() + EXPIRY_SECONDS)

    def resync(self) -> None:
        """Ask the other processes for their people, because messages may have been lost."""
        for room in self._rooms.values():
            room.asks = room.must_publish = True

    def announce_end(self) -> None:
        """Tell the other processes that this one ends, and forget all rooms."""
        if self._rooms:
            self._send(ProcessEndMessage(process=self._process).model_dump_json())
        self._rooms.clear()
        self._opened.clear()

    # -- time

    async def run(self) -> None:
        """Publish, notify and expire forever."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            try:
                await wake_all(self.run_due())
            except Exception:
                log.exception("presence: a tick failed; the next one is in %g s", TICK_SECONDS)

    def run_due(self) -> list[Watcher]:
        """Do what is due, and return the sessions to wake. Only this method sends messages and notifies sessions."""
        now = self._clock()
        due, woken = list[Room](), list[Watcher]()
        while self._typing and next(iter(self._typing.values())) <= now:
            del self._typing[next(iter(self._typing))]
        for room in list(self._rooms.values()):
            room.expire(now)
            if room.is_notify_due(now):
                woken += room.notify(now)
            if room.is_publish_due(now):
                due.append(room)
            elif room.is_over:
                self._close(room)
        for room in nsmallest(MAX_MESSAGES_PER_TICK, due, key=lambda room: room.published_at):
            self._publish(room, now)
        return woken

    def _publish(self, room: Room, now: float) -> None:
        self._send(room.message(self._process).model_dump_json())
        room.published_at = now
        room.asks = room.must_publish = False
