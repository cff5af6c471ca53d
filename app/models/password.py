"""Passwords: Argon2id, off the event loop.

A hash takes tens of milliseconds and 64 MiB, so few run at once and the loop never waits for one.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from pwdlib import PasswordHash

AT_ONCE = 2


async def hash_password(password: str) -> str:
    return await asyncio.get_running_loop().run_in_executor(_threads(), _hasher().hash, password)


async def verify_password(password: str, hash: str | None) -> bool:
    """Whether they match. Without a hash (an unknown address) it takes as long, and is False."""
    return await asyncio.get_running_loop().run_in_executor(_threads(), _verify, password, hash)


def _verify(password: str, hash: str | None) -> bool:
    nobodys = _nobodys()  # known address or not: the first to come pays for it
    return _hasher().verify(password, hash or nobodys) and hash is not None


@cache
def _hasher() -> PasswordHash:
    return PasswordHash.recommended()


@cache
def _nobodys() -> str:
    return _hasher().hash("nobody has this password")


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(AT_ONCE, thread_name_prefix="argon2")
