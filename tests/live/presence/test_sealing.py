"""Messages between processes: only a process with a key can seal one, and each is valid once and for a short time."""

from __future__ import annotations

import logging

import pytest

from app.live.presence.sealing import (
    MAX_AGE_SECONDS,
    MAX_LENGTH,
    MAX_SENDERS,
    WARN_EVERY_SECONDS,
    BadSeal,
    SealedPresence,
    Seals,
)
from app.live.presence.service import Presence

OLD, NEW, STRANGER = "the old key", "the new key", "a stranger's key"


class Time:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now

    def process(self, *keys: str, channel: str = "comments") -> Seals:
        seals = Seals.of_presence(keys or (OLD,), channel)
        seals._clock = self
        return seals


@pytest.fixture
def time() -> Time:
    return Time()


def test_another_process_opens_a_sealed_message(time: Time) -> None:
    here, there = time.process(), time.process()
    for text in ("Alice is here", "", "two\nlines 🦜 and blanks"):
        assert there.open(here.seal(text)) == text


@pytest.mark.parametrize(
    ("writer", "reader"),
    [((OLD,), (NEW, OLD)), ((NEW, OLD), (OLD,)), ((NEW, OLD), (NEW,)), ((NEW,), (NEW, OLD))],
    ids=["before to during", "during to before", "during to after", "after to during"],
)
def test_processes_understand_each_other_while_the_key_is_changed(
    time: Time, writer: tuple[str, ...], reader: tuple[str, ...]
) -> None:
    assert time.process(*reader).open(time.process(*writer).seal("Alice is here")) == "Alice is here"


def test_a_message_without_a_valid_seal_is_refused(time: Time) -> None:
    here = time.process()
    sealed = here.seal("Alice is here")
    forged = [
        "Alice is here",
        "",
        sealed.replace("Alice", "Mallory"),
        sealed[1:],
        time.process(STRANGER).seal("Mallory is here"),
        time.process(channel="another").seal("Alice is here"),
        time.process(*map(str, range(20)), OLD).seal("twenty signatures"),
        here.seal("x" * MAX_LENGTH),
    ]
    for text in forged:
        with pytest.raises(BadSeal):
            time.process().open(text)


def test_a_message_is_accepted_once_and_for_a_short_time(time: Time) -> None:
    here, there = time.process(), time.process()
    first, second, late = here.seal("first"), here.seal("second"), here.seal("late")
    assert [there.open(first), there.open(second)] == ["first", "second"]
    for replayed in (first, second):
        with pytest.raises(BadSeal, match="replay"):
            there.open(replayed)
    time.now += MAX_AGE_SECONDS + 1
    with pytest.raises(BadSeal, match="clocks"):
        there.open(late)
    time.now -= 2 * MAX_AGE_SECONDS + 2
    with pytest.raises(BadSeal, match="clocks"):
        there.open(late)


def test_the_number_of_remembered_senders_is_bounded(time: Time) -> None:
    there = time.process()
    for _ in range(MAX_SENDERS + 5):
        there.open(time.process().seal("here"))
    assert len(there._last) == MAX_SENDERS


def test_a_flood_of_invalid_messages_is_logged_once_a_minute(time: Time, caplog: pytest.LogCaptureFixture) -> None:
    presence = SealedPresence(Presence(frozenset({"Article"}), lambda text: None), time.process(), time)
    for _ in range(3):
        for _ in range(1_000):
            presence.receive("Mallory is everywhere")
        time.now += WARN_EVERY_SECONDS
    lines = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(lines) == 3
    assert not any("Mallory" in record.getMessage() for record in lines)
