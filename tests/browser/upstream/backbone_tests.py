"""Backbone's own tests. No npm package of it has them; Debian's source package has, and this machine may have apt."""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

PACKAGE = "backbone"
PATIENCE = 60  # seconds for each of apt's two steps


def fetch(directory: Path) -> Path | None:
    """Where its `test` folder has been laid, or was before; None where there is no apt, or it has no such package."""
    tests = directory / "test"
    if not tests.is_dir():
        with TemporaryDirectory() as scratch:
            if archive := _download(Path(scratch)):
                _unpack(archive, directory / "unpacking").rename(tests)
    return tests if tests.is_dir() else None


def _unpack(archive: Path, directory: Path) -> Path:
    with tarfile.open(archive) as package:
        for member in package:
            _, *path = PurePosixPath(member.name).parts
            if member.isfile() and path[0] == "test" and (content := package.extractfile(member)):
                place = directory.joinpath(*path[1:])
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content.read())
    return directory


def _download(directory: Path) -> Path | None:
    if not shutil.which("apt-get"):
        return None
    for name in ("lists/partial", "cache/archives/partial", "sources.d"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    _write_sources(directory / "sources.d")
    for step in (("update",), ("source", "--download-only", "--tar-only", PACKAGE)):
        # Their exit codes say that something was missing; only one file is wanted.
        subprocess.run(_apt(directory, *step), cwd=directory, capture_output=True, timeout=PATIENCE, check=False)
    return next(directory.glob(f"{PACKAGE}_*.orig.tar.*"), None)


def _apt(directory: Path, *step: str) -> list[str]:
    """With lists and archives of our own, so nobody has to be root, and the machine's are left alone."""
    options = {
        "APT::Sandbox::User": "root",
        "Acquire::Retries": "1",
        "Acquire::http::Timeout": "10",
        "Dir::Etc::SourceList": "/dev/null",
        "Dir::Etc::SourceParts": str(directory / "sources.d"),
        "Dir::State::Lists": str(directory / "lists"),
        "Dir::Cache": str(directory / "cache"),
    }
    return ["apt-get", "-qq", *(f"--option={name}={value}" for name, value in options.items()), *step]


def _write_sources(directory: Path) -> None:
    """Where this machine has its packages from, asked for sources."""
    etc = Path("/etc/apt")
    for known in (etc / "sources.list", *etc.glob("sources.list.d/*.list"), *etc.glob("sources.list.d/*.sources")):
        if known.is_file():
            text = re.sub(r"^(Types:.*|deb(?=\s))", _as_source, known.read_text(), flags=re.MULTILINE)
            (directory / known.name).write_text(text)


def _as_source(found: re.Match[str]) -> str:
    return "Types: deb-src" if found[0].startswith("Types:") else "deb-src"
