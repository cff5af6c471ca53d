"""Passwords: Argon2id, off the event loop, and which ones are refused.

A hash takes tens of milliseconds and 64 MiB, so only a few run at once, in threads, and never on the event loop.
Networks take turns (`app.live.fair_queue`): a network that asks for hundreds of hashes delays others by one of them.

Any characters may be in any order. Refused is what is guessed first: the commonest, and what is made of the account's
own name or address (NIST SP 800-63B, OWASP ASVS 6.2).
"""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from functools import cache, partial
from typing import ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from pwdlib import PasswordHash

from app.errors import Busy, Invalid, NetworkBusy
from app.live.fair_queue import FairQueue, QueueFull

P = ParamSpec("P")
R = TypeVar("R")

# The network of the current request; its hashes wait for that network's turn. None: the network is not counted.
queue_key: ContextVar[str | None] = ContextVar("queue_key", default=None)

SHORTEST = 8  # characters
LONGEST = 128
AT_ONCE = 2
WAITING = 200  # hashes in all; past that a request is refused (503), because it would wait too long
WAITING_PER_NETWORK = 8  # hashes; past that a request is refused (429)
SERVICE = "parley"
OWN = 4  # letters and digits that must be left of a password without one's own name


def refuse_weak(password: str, *names: str) -> None:
    """Raises Invalid for a password that is guessed first. `names` are what the account is known by, and we are."""
    plain = rest = _plain(password)
    if plain in _commonest():
        raise Invalid("password", "This password is too common.")
    for part in sorted(_parts(names), key=len, reverse=True):
        rest = rest.replace(part, "")
    left = [character for character in rest if character.isalnum()]
    if rest != plain and (len(left) < OWN or all(character.isdigit() for character in left)):
        raise Invalid("password", "Don't use your name or email in your password.")


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _parts(names: tuple[str, ...]) -> set[str]:
    """Names as one has them in mind: whole, and their words."""
    plain = [_plain(name) for name in (*names, SERVICE)]
    words = [word for name in plain for word in [name, name.partition("@")[0], *re.split(r"[\W_]+", name)]]
    return {word for word in words if len(word) >= 3}


@cache
def _commonest() -> frozenset[str]:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # megabytes that only who signs up needs

    return frozenset(password for password in FREQUENCY_LISTS["passwords"] if len(password) >= SHORTEST)


async def hash_password(password: str) -> str:
    return await _off_the_loop(_hasher().hash, password)


async def verify_password(password: str, hash: str | None) -> bool:
    """Whether they match. Without a hash (an unknown address) it takes as long, and is False."""
    return await _off_the_loop(_verify, password, hash)


async def _off_the_loop(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `work` in a thread. Raises Busy, and NetworkBusy if only this network has too many hashes waiting."""
    queue = _queue()
    if queue.waiting >= WAITING:
        raise Busy
    try:
        await queue.acquire(queue_key.get())
    except QueueFull as full:
        raise (NetworkBusy() if full.by_key else Busy()) from None
    hashing = asyncio.get_running_loop().run_in_executor(_threads(), partial(work, *args, **kwargs))
    hashing.add_done_callback(lambda _: queue.release())
    return await asyncio.shield(hashing)  # cancelling a request does not stop its thread


def _verify(password: str, hash: str | None) -> bool:
    nobodys = _nobodys()  # known address or not: the first to come pays for it
    return _hasher().verify(password, hash or nobodys) and bool(hash)


@cache
def _hasher() -> PasswordHash:
    return PasswordHash.recommended()


@cache
def _nobodys() -> str:
    return _hasher().hash("nobody has this password")


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(AT_ONCE, thread_name_prefix="argon2")


_queues: WeakKeyDictionary[asyncio.AbstractEventLoop, FairQueue] = WeakKeyDictionary()


def _queue() -> FairQueue:
    """This event loop's."""
    loop = asyncio.get_running_loop()
    if loop not in _queues:
        _queues[loop] = FairQueue(AT_ONCE, WAITING_PER_NETWORK, WAITING)
    return _queues[loop]
