"""Passwords: hashing with Argon2id outside the event loop, and the rules for weak passwords.

A hash takes tens of milliseconds and 64 MiB, so only a few run at once, in threads, and never on the event loop.
A fair queue serves networks round-robin (`app.live.fair_queue`): hundreds of hashes for one network delay the next
hash of another network by one hash only.

There is no rule about kinds of characters. The passwords that attackers guess first are refused: the most common ones,
and those made of the account's name or address (NIST SP 800-63B, OWASP ASVS 6.2).
"""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from functools import cache, partial
from pathlib import Path
from typing import ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from pwdlib import PasswordHash

from app.errors import Busy, Invalid, TooMany
from app.live.fair_queue import FairQueue, QueueFull

P = ParamSpec("P")
R = TypeVar("R")

# The network of the current request, which is the key of its hashes in the fair queue. None: no limit per network.
queue_key: ContextVar[str | None] = ContextVar("queue_key", default=None)

MIN_PASSWORD_LENGTH = 8  # characters
MAX_PASSWORD_LENGTH = 128
MAX_HASHES_AT_ONCE = 2
MAX_WAITING = 200  # hashes in total; above it a request gets 503, because it would wait too long
MAX_WAITING_PER_NETWORK = 8  # hashes; above it a request gets 429
SERVICE = "parley"
COMMON_PASSWORDS = Path(__file__).with_name("common_passwords.txt")
MIN_OTHER_CHARACTERS = 4  # letters and digits that a password must have besides the account's name


def refuse_weak(password: str, *names: str) -> None:
    """Raises Invalid for a password that is easy to guess. `names` are the account's name and address."""
    plain = rest = _plain(password)
    if plain in _common_passwords():
        raise Invalid("password", "This password is too common.")
    for part in sorted(_parts(names), key=len, reverse=True):
        rest = rest.replace(part, "")
    left = [character for character in rest if character.isalnum()]
    if rest != plain and (len(left) < MIN_OTHER_CHARACTERS or all(character.isdigit() for character in left)):
        raise Invalid("password", "Don't use your name or email in your password.")


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _parts(names: tuple[str, ...]) -> set[str]:
    """The names and the words in them, with at least 3 characters. The service's name is included."""
    plain = [_plain(name) for name in (*names, SERVICE)]
    words = [word for name in plain for word in [name, name.partition("@")[0], *re.split(r"[\W_]+", name)]]
    return {word for word in words if len(word) >= 3}


@cache
def _common_passwords() -> frozenset[str]:
    """The most common passwords of at least `MIN_PASSWORD_LENGTH` characters, from zxcvbn (THIRD_PARTY_NOTICES.md)."""
    return frozenset(COMMON_PASSWORDS.read_text(encoding="ascii").split())


async def hash_password(password: str) -> str:
    return await _run_in_thread(_hasher().hash, password)


async def verify_password(password: str, hash: str | None) -> bool:
    """Whether they match. Without a hash (an unknown address) the result is False after the same time."""
    return await _run_in_thread(_verify, password, hash)


async def _run_in_thread(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `work` in a thread. Raises Busy, and TooMany if only this network has too many hashes waiting."""
    queue = _queue()
    try:
        await queue.acquire(queue_key.get())
    except QueueFull as full:
        raise (TooMany(5, "Too many sign-ins from your network are waiting.") if full.by_key else Busy()) from None
    hashing = asyncio.get_running_loop().run_in_executor(_threads(), partial(work, *args, **kwargs))
    hashing.add_done_callback(lambda _: queue.release())
    return await asyncio.shield(hashing)  # cancelling a request does not stop its thread


def _verify(password: str, hash: str | None) -> bool:
    dummy = _dummy_hash()  # computed for known addresses, too, so that the first call takes as long for both
    return _hasher().verify(password, hash or dummy) and bool(hash)


@cache
def _hasher() -> PasswordHash:
    return PasswordHash.recommended()


@cache
def _dummy_hash() -> str:
    return _hasher().hash("nobody has this password")


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(MAX_HASHES_AT_ONCE, thread_name_prefix="argon2")


_queues: WeakKeyDictionary[asyncio.AbstractEventLoop, FairQueue] = WeakKeyDictionary()


def _queue() -> FairQueue:
    loop = asyncio.get_running_loop()
    if loop not in _queues:
        _queues[loop] = FairQueue(MAX_HASHES_AT_ONCE, MAX_WAITING_PER_NETWORK, MAX_WAITING)
    return _queues[loop]
