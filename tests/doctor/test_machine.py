from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.doctor import machine
from app.doctor.finding import State
from tests.doctor.diagnosis import Diagnosis

if TYPE_CHECKING:
    from app.settings import Settings


def test_installed_packages_are_named() -> None:
    named = " ".join(Diagnosis(machine.versions()).all_of(State.OK))
    assert "uvicorn" in named
    assert "missing" not in named


def test_a_missing_front_end_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "BUILD", tmp_path)
    (message,) = Diagnosis(machine.versions()).problems
    assert message.startswith("the front end is not built")


def test_a_low_limit_of_open_files_is_reported() -> None:
    assert machine.files(1024, 20_000).state == State.WARNING
    assert "ulimit -n 20080" in machine.files(1024, 20_000).advice
    assert machine.files(65_536, 20_000).state == State.OK
    assert machine.files(-1, 20_000).state == State.OK


def test_a_full_disk_is_reported() -> None:
    states = [machine.disk(Path("/"), free).state for free in (10**7, 5 * 10**8, 10**10)]
    assert states == [State.WRONG, State.WARNING, State.OK]


def test_files_and_disk_of_this_machine_are_examined(sqlite_url: str, settings: Settings) -> None:
    here = settings.model_copy(update={"database_url": sqlite_url, "max_streams": 1})
    subjects = {finding.subject for finding in machine.examine(here)}
    assert {"files", "disk"} <= subjects
