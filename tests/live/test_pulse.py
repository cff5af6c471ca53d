from __future__ import annotations

import asyncio

import uvloop

from app.live.heartbeats import TICK, Pulse
from tests.support.waiting import wait_until


class Sleeper:
    def __init__(self) -> None:
        self.beats = 0

    def beat(self) -> None:
        self.beats += 1


async def test_each_is_told_once_in_the_order_in_which_they_are_due() -> None:
    pulse, told = Pulse(), list[str]()

    class Named(Sleeper):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def beat(self) -> None:
            told.append(self.name)

    pulse.set(Named("late"), 6 * TICK)
    pulse.set(Named("early"), 0)
    pulse.set(Named("middle"), 3 * TICK)
    await wait_until(lambda: not len(pulse), "all to be told")
    assert told == ["early", "middle", "late"]


async def test_nobody_is_told_early() -> None:
    pulse, sleeper, clock = Pulse(), Sleeper(), asyncio.get_running_loop().time
    began = clock()
    pulse.set(sleeper, 0.05)
    await wait_until(lambda: sleeper.beats, "the beat")
    assert clock() - began >= 0.05


async def test_the_last_time_that_was_set_counts() -> None:
    pulse, alice, bob = Pulse(), Sleeper(), Sleeper()
    pulse.set(alice, 0)
    pulse.set(alice, 60)
    pulse.set(bob, TICK)
    await wait_until(lambda: bob.beats, "bob's beat")
    assert alice.beats == 0
    pulse.set(alice, 0)
    await wait_until(lambda: alice.beats, "alice's beat")
    pulse.close()


async def test_who_is_forgotten_is_not_told_and_not_kept() -> None:
    pulse, alice, bob = Pulse(), Sleeper(), Sleeper()
    pulse.set(alice, 0)
    pulse.set(bob, TICK)
    pulse.forget(alice)
    pulse.forget(alice)
    assert len(pulse) == 1
    await wait_until(lambda: bob.beats, "bob's beat")
    assert alice.beats == 0


async def test_who_is_told_may_set_the_next_at_once() -> None:
    pulse = Pulse()

    class Heart(Sleeper):
        def beat(self) -> None:
            super().beat()
            pulse.set(self, 0)

    heart = Heart()
    pulse.set(heart, 0)
    await wait_until(lambda: heart.beats > 3, "the fourth beat")
    pulse.close()


def test_a_beat_that_is_overdue_leaves_the_next_one_working_on_uvloop() -> None:
    async def sessions() -> tuple[int, int]:
        pulse, alice, bob = Pulse(), Sleeper(), Sleeper()
        pulse.set(alice, -1)
        pulse.set(bob, 0)
        await wait_until(lambda: alice.beats and bob.beats, "both beats")
        return alice.beats, bob.beats

    assert uvloop.run(sessions()) == (1, 1)
