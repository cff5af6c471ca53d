"""Metrics of several workers that share a directory of sockets, here in one process."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app import worker_metrics
from app.worker_metrics import Workers


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory that the workers of one parent share."""
    home = tmp_path / "workers"
    monkeypatch.setattr(worker_metrics, "_shared_directory", lambda: home)
    return home


@asynccontextmanager
async def saying(word: bytes) -> AsyncIterator[Workers]:
    async with Workers(lambda: word) as worker:
        yield worker


async def test_each_worker_answers_for_all(home: Path) -> None:
    async with saying(b"a" * 1_000_000) as one, saying(b"two") as two:
        said = {1: b"a" * 1_000_000, 2: b"two"}
        assert await one.ask() == said
        assert await two.ask() == said


async def test_a_new_worker_gets_the_lowest_free_number(home: Path) -> None:
    async with saying(b"1") as one:
        async with saying(b"2") as two:
            assert (one.number, two.number) == (1, 2)
        async with saying(b"again 2") as again:
            assert again.number == 2
            assert await one.ask() == {1: b"1", 2: b"again 2"}
    assert not home.exists(), "the last one out leaves nothing behind"


async def test_the_number_of_a_dead_worker_is_free(home: Path) -> None:
    async with saying(b"1") as one:
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(home / "2.sock"))  # a killed process leaves a socket on which nobody listens
        assert await one.ask() == {1: b"1"}
        async with saying(b"2") as two:
            assert two.number == 2
            assert await one.ask() == {1: b"1", 2: b"2"}


async def test_a_worker_that_hangs_is_reported_and_delays_nobody(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_metrics, "ANSWER_TIMEOUT_SECONDS", 0.05)
    async with saying(b"1") as one:
        with socket.socket(socket.AF_UNIX) as stopped:
            stopped.bind(str(home / "2.sock"))
            stopped.listen(0)
            assert await one.ask() == {1: b"1", 2: None}
            await one.ask()
            assert await one.ask() == {1: b"1", 2: None}, "nor when nobody else gets in there"
            async with saying(b"3") as three:
                assert three.number == 3
        (home / "2.sock").unlink()


async def test_many_workers_at_once_get_a_number_each(home: Path) -> None:
    many = [Workers(lambda: b"") for _ in range(8)]
    await asyncio.gather(*(worker.__aenter__() for worker in many))
    assert sorted(worker.number for worker in many) == list(range(1, 9))
    await asyncio.gather(*(worker.__aexit__() for worker in many))
    assert not home.exists()


async def test_a_worker_without_the_directory_still_serves(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    home.write_text("somebody else's")
    async with saying(b"1") as one:
        assert await one.ask() == {1: b"1"}
    assert "cannot connect" in caplog.text
    assert home.read_text() == "somebody else's"


async def test_a_single_worker_creates_no_directory() -> None:
    async with saying(b"1") as one:
        assert await one.ask() == {1: b"1"}
        assert worker_metrics._shared_directory() is None
