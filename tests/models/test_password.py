from __future__ import annotations

import asyncio
import time

from app.models.password import hash_password, verify_password


async def test_a_password_matches_its_own_hash_alone() -> None:
    hashed = await hash_password("talk among friends")
    assert hashed.startswith("$argon2id$")
    assert await verify_password("talk among friends", hashed)
    assert not await verify_password("talk among foes", hashed)
    assert not await verify_password("talk among friends", None)
    assert not await verify_password("nobody has this password", None)


async def test_the_loop_goes_on_while_passwords_are_hashed() -> None:
    longest, hashing = 0.0, asyncio.gather(*(hash_password(f"password {number}") for number in range(8)))
    while not hashing.done():
        before = time.monotonic()
        await asyncio.sleep(0)
        longest = max(longest, time.monotonic() - before)
    await hashing
    one = time.monotonic()
    await hash_password("password")
    # Eight hashes one after the other in the loop would hold it for eight times as long as one takes.
    assert longest < 4 * (time.monotonic() - one)
