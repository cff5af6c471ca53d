from __future__ import annotations

import asyncio

import uvloop

from app.live.heartbeats import TICK_SECONDS, Heartbeats
from tests.support.waiting import wait_until


class Sleeper:
    def __init__(self) -> None:
        self.beats = 0

    def on_heartbeat_due(self) -> None:
        self.beats += 1


async def test_each_is_told_once_in_the_order_in_which_they_are_due() -> None:
    heartbeats, told = Heartbeats(), list[str]()

    class Named(Sleeper):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def on_heartbeat_due(self) -> None:
            told.append(self.name)

    heartbeats.set(Named("late"), 6 * TICK_SECONDS)
    heartbeats.set(Named("early"), 0)
    heartbeats.set(Named("middle"), 3 * TICK_SECONDS)
    await wait_until(lambda: not len(heartbeats), "all to be told")
    assert told == ["early", "middle", "late"]


async def test_nobody_is_told_early() -> None:
    heartbeats, sleeper, clock = Heartbeats(), Sleeper(), asyncio.get_running_loop().time
    began = clock()
    heartbeats.set(sleeper, 0.05)
    await wait_until(lambda: sleeper.beats, "the beat")
    assert clock() - began >= 0.05


async def test_the_last_time_that_was_set_counts() -> None:
    heartbeats, alice, bob = Heartbeats(), Sleeper(), Sleeper()
    heartbeats.set(alice, 0)
    heartbeats.set(alice, 60)
    heartbeats.set(bob, TICK_SECONDS)
    await wait_until(lambda: bob.beats, "bob's beat")
    assert alice.beats == 0
    heartbeats.set(alice, 0)
    await wait_until(lambda: alice.beats, "alice's beat")
    heartbeats.close()


async def test_who_is_forgotten_is_not_told_and_not_kept() -> None:
    heartbeats, alice, bob = Heartbeats(), Sleeper(), Sleeper()
    heartbeats.set(alice, 0)
    heartbeats.set(bob, TICK_SECONDS)
    heartbeats.forget(alice)
    heartbeats.forget(alice)
    assert len(heartbeats) == 1
    await wait_until(lambda: bob.beats, "bob's beat")
    assert alice.beats == 0


async def test_who_is_told_may_set_the_next_at_once() -> None:
    heartbeats = Heartbeats()

    class Heart(Sleeper):
        def on_heartbeat_due(self) -> None:
            super().on_heartbeat_due()
            heartbeats.set(self, 0)

    heart = Heart()
    heartbeats.set(heart, 0)
    await wait_until(lambda: heart.beats > 3, "the fourth beat")
    heartbeats.close()


def test_a_beat_that_is_overdue_leaves_the_next_one_working_on_uvloop() -> None:
    async def sessions() -> tuple[int, int]:
        heartbeats, alice, bob = Heartbeats(), Sleeper(), Sleeper()
        heartbeats.set(alice, -1)
        heartbeats.set(bob, 0)
        await wait_until(lambda: alice.beats and bob.beats, "both beats")
        return alice.beats, bob.beats

    assert uvloop.run(sessions()) == (1, 1)
