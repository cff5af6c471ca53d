from __future__ import annotations

import asyncio

import uvloop

from app.live.heartbeats import TICK_SECONDS, Heartbeats
from tests.support.waiting import wait_until


class Sleeper:
    def __init__(self) -> None:
        self.heartbeats_received = 0

    def on_heartbeat_due(self) -> None:
        self.heartbeats_received += 1


async def test_each_session_gets_one_heartbeat_in_the_order_of_their_times() -> None:
    heartbeats, called = Heartbeats(), list[str]()

    class Named(Sleeper):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def on_heartbeat_due(self) -> None:
            called.append(self.name)

    heartbeats.set(Named("late"), 6 * TICK_SECONDS)
    heartbeats.set(Named("early"), 0)
    heartbeats.set(Named("middle"), 3 * TICK_SECONDS)
    await wait_until(lambda: not len(heartbeats), "all heartbeats")
    assert called == ["early", "middle", "late"]


async def test_no_session_gets_its_heartbeat_early() -> None:
    heartbeats, sleeper, clock = Heartbeats(), Sleeper(), asyncio.get_running_loop().time
    began = clock()
    heartbeats.set(sleeper, 0.05)
    await wait_until(lambda: sleeper.heartbeats_received, "the heartbeat")
    assert clock() - began >= 0.05


async def test_the_time_that_was_set_last_counts() -> None:
    heartbeats, alice, bob = Heartbeats(), Sleeper(), Sleeper()
    heartbeats.set(alice, 0)
    heartbeats.set(alice, 60)
    heartbeats.set(bob, TICK_SECONDS)
    await wait_until(lambda: bob.heartbeats_received, "bob's heartbeat")
    assert alice.heartbeats_received == 0
    heartbeats.set(alice, 0)
    await wait_until(lambda: alice.heartbeats_received, "alice's heartbeat")
    heartbeats.close()


async def test_a_forgotten_session_gets_no_heartbeat_and_needs_no_memory() -> None:
    heartbeats, alice, bob = Heartbeats(), Sleeper(), Sleeper()
    heartbeats.set(alice, 0)
    heartbeats.set(bob, TICK_SECONDS)
    heartbeats.forget(alice)
    heartbeats.forget(alice)
    assert len(heartbeats) == 1
    await wait_until(lambda: bob.heartbeats_received, "bob's heartbeat")
    assert alice.heartbeats_received == 0


async def test_a_session_may_set_its_next_heartbeat_during_one() -> None:
    heartbeats = Heartbeats()

    class Heart(Sleeper):
        def on_heartbeat_due(self) -> None:
            super().on_heartbeat_due()
            heartbeats.set(self, 0)

    heart = Heart()
    heartbeats.set(heart, 0)
    await wait_until(lambda: heart.heartbeats_received > 3, "the fourth heartbeat")
    heartbeats.close()


def test_an_overdue_heartbeat_does_not_stop_the_next_one_on_uvloop() -> None:
    async def sessions() -> tuple[int, int]:
        heartbeats, alice, bob = Heartbeats(), Sleeper(), Sleeper()
        heartbeats.set(alice, -1)
        heartbeats.set(bob, 0)
        await wait_until(lambda: alice.heartbeats_received and bob.heartbeats_received, "both heartbeats")
        return alice.heartbeats_received, bob.heartbeats_received

    assert uvloop.run(sessions()) == (1, 1)
