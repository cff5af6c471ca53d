"""Callers that wait for a slot: the order in which they get it, and callers that are cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterable

import pytest

from app.live.fair_queue import FairQueue, QueueFull


class Counter:
    """One slot, which is taken. Callers wait for it, and `served` lists them in the order in which they got it."""

    def __init__(self, per_key: int = 100, in_all: int = 100) -> None:
        self.queue = FairQueue(1, per_key, in_all)
        self.served: list[str] = []

    async def serve(self, key: Hashable, name: str) -> None:
        async with self.queue.slot(key):
            self.served.append(name)
            await asyncio.sleep(0)

    async def line_up(self, names: Iterable[str]) -> list[asyncio.Task[None]]:
        """Each name is the key, which is a letter, and a number."""
        tasks = [asyncio.create_task(self.serve(name[0], name)) for name in names]
        await asyncio.sleep(0)
        return tasks


async def test_bob_waits_for_one_of_alices_callers_and_not_for_all_of_them() -> None:
    counter = Counter()
    await counter.queue.acquire("a")
    tasks = await counter.line_up(["a1", "a2", "a3", "a4", "b1", "c1", "b2"])
    counter.queue.release()
    await asyncio.gather(*tasks)
    assert counter.served == ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]
    assert counter.queue.waiting == 0


async def test_waiting_callers_are_bounded_for_each_key_and_in_all() -> None:
    counter = Counter(per_key=2, in_all=3)
    await counter.queue.acquire("a")
    tasks = await counter.line_up(["a1", "a2"])
    with pytest.raises(QueueFull) as refused:
        await counter.queue.acquire("a")
    assert refused.value.by_key
    tasks += await counter.line_up(["b1"])
    with pytest.raises(QueueFull) as refused:
        await counter.queue.acquire("c")
    assert not refused.value.by_key
    counter.queue.release()
    await asyncio.gather(*tasks)
    assert counter.served == ["a1", "b1", "a2"]


async def test_callers_without_a_key_are_bounded_in_all_only() -> None:
    queue = FairQueue(1, 1, 3)
    await queue.acquire(None)
    tasks = [asyncio.create_task(queue.acquire(None)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(QueueFull):
        await queue.acquire(None)
    for _ in tasks:
        queue.release()
    await asyncio.gather(*tasks)


async def test_a_cancelled_caller_leaves_its_place_to_the_next() -> None:
    counter = Counter(per_key=2)
    await counter.queue.acquire("a")
    first, second = await counter.line_up(["a1", "a2"])
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    third, *_ = await counter.line_up(["a3"])
    counter.queue.release()
    await asyncio.gather(second, third)
    assert counter.served == ["a2", "a3"]
    await counter.queue.acquire("b")  # the slot is free again


@pytest.mark.parametrize("granted_first", [True, False])
async def test_a_caller_cancelled_as_the_slot_is_granted_passes_it_on(granted_first: bool) -> None:
    counter = Counter()
    await counter.queue.acquire("a")
    leaving, staying = await counter.line_up(["a1", "b1"])
    if granted_first:
        counter.queue.release()
        leaving.cancel()
    else:
        leaving.cancel()
        counter.queue.release()
    await asyncio.gather(leaving, staying, return_exceptions=True)
    assert counter.served == ["b1"]
    assert counter.queue.waiting == 0
    await counter.queue.acquire("c")
