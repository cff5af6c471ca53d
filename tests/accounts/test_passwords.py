from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from app.accounts import passwords
from app.accounts.passwords import MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH, hash_password, refuse_weak, verify_password
from app.errors import Busy, Invalid, TooMany
from tests.support.waiting import wait_until

REAL = {name: getattr(passwords, name) for name in ("_hasher", "_dummy_hash")}


@pytest.fixture
def real_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash as in production. In all other tests a hash is cheap."""
    for name, function in REAL.items():
        monkeypatch.setattr(passwords, name, function)


async def test_a_password_matches_its_own_hash_only(real_cost: None) -> None:
    hashed = await hash_password("talk among friends")
    assert hashed.startswith("$argon2id$")
    assert await verify_password("talk among friends", hashed)
    assert not await verify_password("talk among foes", hashed)
    assert not await verify_password("talk among friends", None)
    assert not await verify_password("nobody has this password", None)


class Hashing:
    """Hashes that wait until the test lets them finish. `done` lists their networks in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        self._may_go_on = threading.Event()
        monkeypatch.setattr(passwords, "_verify", self._verify)

    def _verify(self, password: str, hash: str | None) -> bool:
        assert self._may_go_on.wait(60)
        self.done.append(password)
        return True

    async def ask(self, network: str, times: int) -> list[asyncio.Task[bool]]:
        passwords.queue_key.set(network)  # the tasks inherit the context
        tasks = [asyncio.create_task(verify_password(network, None)) for _ in range(times)]
        await asyncio.sleep(0)
        return tasks

    def finish(self) -> None:
        self._may_go_on.set()


@pytest.fixture
def hashing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hashing]:
    hashing = Hashing(monkeypatch)
    yield hashing
    hashing.finish()


async def test_the_event_loop_runs_while_passwords_are_hashed(hashing: Hashing) -> None:
    asked = await hashing.ask("bob", 3)
    for _ in range(10):
        await asyncio.sleep(0)  # a hash on the event loop would block this
    assert not any(task.done() for task in asked)
    hashing.finish()
    assert await asyncio.gather(*asked) == [True] * 3


async def test_a_network_with_hundreds_of_hashes_delays_bob_by_one_hash(hashing: Hashing) -> None:
    flood = await hashing.ask("flood", 200)
    bobs = await hashing.ask("bob", 1)
    hashing.finish()
    assert await bobs[0]
    answers = await asyncio.gather(*flood, return_exceptions=True)
    assert hashing.done.index("bob") <= passwords.MAX_HASHES_AT_ONCE + 1
    served = passwords.MAX_HASHES_AT_ONCE + passwords.MAX_WAITING_PER_NETWORK
    assert hashing.done.count("flood") == served
    refusals = [answer for answer in answers if type(answer) is TooMany]
    assert len(refusals) == 200 - served
    assert all(refusal.seconds == 5 for refusal in refusals)


async def test_waiting_hashes_of_all_networks_together_are_bounded(hashing: Hashing) -> None:
    waiting = [
        task for number in range(passwords.MAX_WAITING // 8 + 1) for task in await hashing.ask(f"net {number}", 8)
    ]
    with pytest.raises(Busy):
        await verify_password("one more", None)
    hashing.finish()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_cancelled_request_leaves_its_place_to_the_next(hashing: Hashing) -> None:
    """If its hash is being computed, the thread is free only at the end of that."""
    flood = await hashing.ask("flood", passwords.MAX_HASHES_AT_ONCE + passwords.MAX_WAITING_PER_NETWORK)
    for task in flood:
        task.cancel()
    await asyncio.gather(*flood, return_exceptions=True)
    bobs = await hashing.ask("bob", 3)
    hashing.finish()
    assert await asyncio.gather(*bobs) == [True] * 3
    # The threads finish in any order. Bob's hash begins after one of the cancelled hashes is done.
    assert hashing.done[0] == "flood"
    expected = {"flood": passwords.MAX_HASHES_AT_ONCE, "bob": 3}
    await wait_until(lambda: Counter(hashing.done) == expected, "the other thread to finish its cancelled hash")


async def test_no_password_matches_a_deleted_account() -> None:
    assert not await verify_password("", "")
    assert not await verify_password("nobody has this password", "")


async def test_every_character_counts_up_to_the_longest() -> None:
    longest = "x" * (MAX_PASSWORD_LENGTH - 1)
    hashed = await hash_password(f"{longest}y")
    assert await verify_password(f"{longest}y", hashed)
    assert not await verify_password(f"{longest}z", hashed)
    assert not await verify_password(longest, hashed)


async def test_a_password_is_used_exactly_as_typed() -> None:
    hashed = await hash_password(" Grüße aus Köln ")
    for other in ("Grüße aus Köln", " grüße aus köln ", " Grusse aus Koln "):
        assert not await verify_password(other, hashed)


def test_a_password_has_eight_to_128_characters() -> None:
    assert (MIN_PASSWORD_LENGTH, MAX_PASSWORD_LENGTH) == (8, 128)


@pytest.mark.parametrize(
    "password",
    ["password", "PASSWORD", "Password1", "12345678", "123456789", "qwertyuiop", "iloveyou1", "11111111", "football",
     "trustno1", "ｐａｓｓｗｏｒｄ"],
)  # fmt: skip
def test_common_passwords_are_refused(password: str) -> None:
    with pytest.raises(Invalid, match="too common") as refusal:
        refuse_weak(password, "somebody", "somebody@else.example")
    assert refusal.value.field == "password"


def test_the_list_of_common_passwords_is_complete() -> None:
    """Passwords are normalized before the comparison, so each line must be in that form."""
    listed = passwords.COMMON_PASSWORDS.read_text().splitlines()
    assert len(listed) == 11_611
    assert set(listed) == passwords._common_passwords()
    assert all(passwords._plain(line) == line and len(line) >= MIN_PASSWORD_LENGTH for line in listed)


@pytest.mark.parametrize(
    "password",
    ["wonderland", "Wonderland", "WONDERLAND!", "wonderland1", "wonderland1865", "1865wonderland!!", "alice wonderland",
     "wonderland.wonderland", "wonderlandalice", "ALICEalice", "alice.liddell", "liddell1852", "alice.liddell@oxford",
     "alice.liddell@oxford.example", "oxford123", "parley12", "Parley2026!", "parleyparley", "alice@parley",
     "ｗｏｎｄｅｒｌａｎｄ９", "--- alice ---"],
)  # fmt: skip
def test_a_password_made_of_the_persons_own_names_is_refused(password: str) -> None:
    with pytest.raises(Invalid, match=r"name or email|too common") as refusal:
        refuse_weak(password, "Alice Wonderland", "alice.liddell@oxford.example")
    assert refusal.value.field == "password"


@pytest.mark.parametrize(
    "password",
    ["talk among friends", "down the rabbit hole", "correct horse", "x7#kQ9!z", "ﬂügelhorn", "        a dot .",
     "密码密码密码密码", "😀😀😀😀😀😀😀😀", "\tnot\nprintable\t", "alice likes tea", "wonderland is far away",
     "al-ic-e1", "parley vous francais", "aliceXk9q", "a" * 100 + "b", "malice in chains"],
)  # fmt: skip
def test_a_password_may_have_any_characters_in_any_order(password: str) -> None:
    refuse_weak(password, "Alice Wonderland", "alice.liddell@oxford.example")


def test_short_words_of_an_address_forbid_nothing() -> None:
    refuse_weak("jo and me at io", "Jo", "jo@me.io")
