from __future__ import annotations

import hashlib
import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import TimestampSigner, URLSafeSerializer, URLSafeTimedSerializer

from app.live.gids import BadGid, Gid
from app.live.signing import Signer, fingerprint

KEY = "a key that is long enough for anyone"
HOUR = 3600
ALICE = Gid("User", "7c1f6f5e-0d0f-4d1c-9a8e-2f6d8f6f1c11", {"of": "a/b c&d=ü", "nothing": ""})

signer = Signer([KEY])


def is_refused(signed: str, purpose: str = "reset", seconds: int = HOUR, by: Signer = signer) -> bool:
    with pytest.raises(BadGid):
        by.open(signed, purpose, seconds)
    return True


def test_a_signed_gid_is_opened_again() -> None:
    assert signer.open(signer.sign(ALICE, "reset"), "reset", HOUR) == ALICE


def test_a_signed_gid_that_was_opened_before_expires_too(monkeypatch: pytest.MonkeyPatch) -> None:
    signed = signer.sign(ALICE, "login")
    assert signer.open(signed, "login", HOUR) == ALICE
    now = TimestampSigner("any").get_timestamp()
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda self: now + HOUR + 2)
    assert is_refused(signed, "login")
    assert is_refused(signed, "reset")


def test_a_signed_gid_needs_no_quoting_in_urls() -> None:
    assert re.fullmatch(r"[\w.-]+", signer.sign(ALICE, "reset"), re.ASCII)


def test_a_gid_signed_for_one_purpose_is_refused_for_others() -> None:
    signed = signer.sign(ALICE, "login")
    for purpose in ("reset", "", "Login", "log", "login ", "loginlogin"):
        assert is_refused(signed, purpose)


def test_a_signed_gid_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    now = TimestampSigner("any").get_timestamp()
    with monkeypatch.context() as then:
        then.setattr(TimestampSigner, "get_timestamp", lambda self: now - 100)
        signed = signer.sign(ALICE, "reset")
    assert signer.open(signed, "reset", 110) == ALICE
    assert is_refused(signed, seconds=90)


@pytest.mark.parametrize(("ahead", "good"), [(2, True), (3_000, True), (7_200, False)])
def test_the_clocks_of_machines_may_differ_but_not_by_hours(
    monkeypatch: pytest.MonkeyPatch, ahead: int, good: bool
) -> None:
    """A signature must be valid at once on another machine whose clock is behind."""
    now = TimestampSigner("any").get_timestamp()
    with monkeypatch.context() as then:
        then.setattr(TimestampSigner, "get_timestamp", lambda self: now + ahead)
        signed = signer.sign(ALICE, "reset")
    if good:
        assert signer.open(signed, "reset", 3_600) == ALICE
    else:
        assert is_refused(signed)


def test_the_time_of_a_signature_cannot_be_changed() -> None:
    payload, _, signature = signer.sign(ALICE, "reset").rsplit(".", 2)
    later = signer.sign(Gid("User", "1"), "reset").rsplit(".", 2)[1]
    assert is_refused(f"{payload}.{later}x.{signature}")


@pytest.mark.parametrize("position", range(0, 200, 7))
def test_no_character_can_be_changed(position: int) -> None:
    signed = signer.sign(ALICE, "reset")
    position %= len(signed) - 1  # some bits of the last character have no meaning
    other = "A" if signed[position] != "A" else "B"
    assert is_refused(signed[:position] + other + signed[position + 1 :])


# -- keys ---------------------------------------------------------------------------------------------------


def test_the_first_key_signs_and_all_verify() -> None:
    old, new, both = Signer(["the old key"]), Signer(["the new key"]), Signer(["the new key", "the old key"])
    assert both.open(old.sign(ALICE, "reset"), "reset", HOUR) == ALICE
    signed = both.sign(ALICE, "reset")
    assert new.open(signed, "reset", HOUR) == ALICE
    assert is_refused(signed, by=old)
    assert is_refused(old.sign(ALICE, "reset"), by=new)


def test_a_signature_by_another_key_is_refused() -> None:
    assert is_refused(Signer(["the key of another service"]).sign(ALICE, "reset"))


# -- forgeries ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("digest", [hashlib.sha1, hashlib.sha512, hashlib.md5])
def test_another_digest_is_refused(digest: object) -> None:
    """Even with our key, because the weaker of two accepted digests decides the strength."""
    forged = URLSafeTimedSerializer(KEY, salt="reset", signer_kwargs={"digest_method": digest})
    assert is_refused(forged.dumps(str(ALICE)))


def test_a_signature_without_a_time_is_refused() -> None:
    timeless = URLSafeSerializer(KEY, salt="reset", signer_kwargs={"digest_method": hashlib.sha256})
    assert is_refused(timeless.dumps(str(ALICE)))


@pytest.mark.parametrize(
    "value", [None, 7, [], {}, "", "7", ["gid://parley/User/7"], "gid://other/User/7", "gid://parley/User/7 x"]
)
def test_a_signed_value_that_is_no_gid_is_refused(value: object) -> None:
    ours = URLSafeTimedSerializer(KEY, salt="reset", signer_kwargs={"digest_method": hashlib.sha256})
    assert is_refused(ours.dumps(value))


@given(st.text() | st.from_regex(r"\.?[\w-]*\.[\w-]*\.[\w-]*", fullmatch=True))
def test_any_text_is_refused_without_another_error(text: str) -> None:
    with suppress(BadGid):
        signer.open(text, "reset", HOUR)
        raise AssertionError(f"{text!r} was taken")


def test_a_small_text_that_unpacks_to_a_large_one_is_refused() -> None:
    ours = URLSafeTimedSerializer(KEY, salt="reset", signer_kwargs={"digest_method": hashlib.sha256})
    assert is_refused(ours.dumps("gid://parley/User/" + "7" * 10_000_000))


# -- fingerprints -------------------------------------------------------------------------------------------


def test_a_fingerprint_depends_on_each_text_and_its_place() -> None:
    assert fingerprint("a", "b") == fingerprint("a", "b")
    assert len({fingerprint(*texts) for texts in (("a", "b"), ("b", "a"), ("ab",), ("ab", ""), ("", "ab"), ())}) == 6


def test_a_fingerprint_is_too_long_to_guess() -> None:
    assert re.fullmatch(r"[0-9a-f]{32,}", fingerprint("alice@example.com"))
    assert "alice" not in fingerprint("alice@example.com")
