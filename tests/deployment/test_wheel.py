"""The wheel that `make wheel` builds: it is complete, and runs from an empty directory."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import httpx
import pytest

from app import __version__
from app.settings import MIGRATIONS, PACKAGE, ROOT
from tests.support import notices
from tests.support.front_end import static
from tests.support.serving import spawned

pytestmark = pytest.mark.extended


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("dist")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(to), str(ROOT))
    (wheel,) = to.glob("*.whl")
    return wheel


def pip(*words: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *words]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "WARNING" not in ended.stderr, ended.stderr


@pytest.fixture
def python(wheel: Path, tmp_path: Path) -> Path:
    """A virtual environment with the wheel and the packages of this one."""
    home = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    pip("--python", str(home / "bin" / "python"), "install", "--no-deps", "--no-index", str(wheel))
    # A path in a .pth file is a path, and no place for more of them: the checkout's own is not followed.
    (packages,) = home.glob("lib/python*/site-packages")
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return home / "bin" / "python"


def test_the_wheel_is_complete(wheel: Path) -> None:
    assert wheel.name == f"parley-{__version__}-py3-none-any.whl"
    assert f"\n## {__version__} " in (ROOT / "CHANGELOG.md").read_text()
    with zipfile.ZipFile(wheel) as file:
        inside = {name for name in file.namelist() if name.startswith("app/")}
        (metadata,) = (name for name in file.namelist() if name.endswith("/entry_points.txt"))
        assert b"parley = app.cli:main" in file.read(metadata)
        about = str(Path(metadata).parent)
        for name in ("LICENSE", "THIRD_PARTY_NOTICES.md"):
            assert file.read(f"{about}/licenses/{name}") == (ROOT / name).read_bytes()
    paths = {path: path.relative_to(ROOT) for path in PACKAGE.rglob("*")}
    paths |= {path: Path("app") / path.relative_to(ROOT) for path in MIGRATIONS.rglob("*")}
    here = {str(inside) for path, inside in paths.items() if path.is_file() and path.suffix != ".pyc"}
    assert inside == here
    assert {"app/static/build/manifest.json", "app/templates/base.html", "app/migrations/env.py"} < inside


async def test_the_wheel_serves_from_an_empty_directory(python: Path, tmp_path: Path) -> None:
    """Its data is in var/ there, as below a checkout."""
    empty = tmp_path / "empty"
    empty.mkdir()
    async with spawned({}, checkout=empty, module="app", python=python) as app, app.client() as guest:
        page = await guest.get("/Article/1")
        assert "There is always a step." in page.text
        script = await guest.get(static("js/app.js"))
        assert (script.status_code, script.headers["content-encoding"]) == (httpx.codes.OK, "gzip")
        assert [path.name for path in empty.iterdir()] == ["var"]
        doctor = await asyncio.create_subprocess_exec(
            python.parent / "parley", "doctor", "--url", app.url, cwd=empty, env={"PATH": os.environ["PATH"]},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await doctor.communicate()
        assert doctor.returncode == 0, said.decode()
        assert str(empty / "var" / "parley.db") in said.decode()


def test_third_party_notices_are_current() -> None:
    """Run `make notices` after a change of package.json or of the Python requirements."""
    written, now = (ROOT / "THIRD_PARTY_NOTICES.md").read_text(), notices.write()
    heading = "## Beside it"
    assert written.partition(heading)[0] == now.partition(heading)[0]
    # Another Python or system may need other packages, and their metadata may name licences differently.
    named = {line.split(" | ")[0] for line in written.partition(heading)[2].splitlines()}
    assert {f"| {name}" for name in notices.packages()} <= named
    pinned = dict(line.lower().split("==") for line in (ROOT / "constraints.txt").read_text().splitlines()[1:])
    assert all(f"| {name} | {pinned[_as_pinned(name, pinned)]} |" in written for name in notices.packages())


def _as_pinned(name: str, pinned: dict[str, str]) -> str:
    return name if name in pinned else name.replace("-", "_")
