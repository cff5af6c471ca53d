"""Limit counts: how often a network or an account has sent a kind of request, in memory or in Redis.

A request has several counts. They are taken in order, up to the first one that is full.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from limits import RateLimitItem
from limits.aio.storage import RedisStorage, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter


@dataclass(frozen=True, slots=True)
class Count:
    """`cost` requests that count for one network or account. `key`: the name of the limit, and whose count it is."""

    item: RateLimitItem
    key: tuple[str, str]
    cost: int = 1
    adds: bool = True  # False: only find out whether it is full


Counts = Sequence[Count]  # of one request


class CountStorage:
    """The counts in memory, or in a cluster of Redis, in which each count is on its own node."""

    def __init__(self, storage: Storage) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(storage)

    async def take(self, requests: Sequence[Counts]) -> Sequence[Count | None]:
        """For each request, increase its counts up to the first full one. Returns that one, or None."""
        return await asyncio.gather(*map(self._take_in_turn, requests))

    async def _take_in_turn(self, counts: Counts) -> Count | None:
        for count in counts:
            take = self._limiter.hit if count.adds else self._limiter.test
            if not await take(count.item, *count.key, cost=count.cost):
                return count
        return None

    async def reset_time(self, count: Count | None) -> float:
        """The time at which this count is not full any more; 0 if there is none."""
        return (await self._limiter.get_window_stats(count.item, *count.key)).reset_time if count else 0


class OneRedis(CountStorage):
    """The counts in one Redis server. A single script takes those of all requests, in one round trip."""

    def __init__(self, storage: RedisStorage) -> None:
        super().__init__(storage)
        self._bridge = cast(Any, storage.bridge)
        script = _TAKE % self._bridge.SCRIPT_ACQUIRE_SLIDING_WINDOW.decode()
        self._script = self._bridge.get_connection().register_script(script)

    async def take(self, requests: Sequence[Counts]) -> Sequence[Count | None]:
        keys: list[str] = []
        values: list[int] = []
        for counts in requests:
            values.append(len(counts))
            for count in counts:
                current = self._bridge.prefixed_key(f"{{{count.item.key_for(*count.key)}}}")
                keys += f"{current}/-1", current
                most, cost = (count.item.amount, count.cost) if count.adds else (count.item.amount - count.cost, 0)
                values += most, count.item.get_expiry(), cost
        full: list[int] = await self._script(keys, values)
        return [counts[at - 1] if at else None for counts, at in zip(requests, full, strict=True)]


# For each request the place of its first full count, or 0. A count has two keys, for the previous and the current
# window, and three values: its limit, the length of a window, and its cost. %s is the script that `limits` itself runs
# for one count. So the windows are those of `limits`, and of processes of earlier releases.
_TAKE = """
local function acquire(KEYS, ARGV)
%s
end
local answers, key, value = {}, 1, 1
while ARGV[value] do
  local full, length = 0, tonumber(ARGV[value])
  value = value + 1
  for at = 1, length do
    if full == 0 and not acquire({KEYS[key], KEYS[key + 1]}, {ARGV[value], ARGV[value + 1], ARGV[value + 2]}) then
      full = at
    end
    key, value = key + 2, value + 3
  end
  table.insert(answers, full)
end
return answers
"""
