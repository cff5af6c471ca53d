"""The front end: the scripts, styles and icons of one release, served from memory.

`build.mjs` makes a release from `app/static`: files whose names have the hash of their content, compressed in advance.

1. An address names a content, so browsers and proxies store the response for a year and never ask again.
2. Pages reference files through the manifest only (`Release.url`, `Release.preloads`). A page and its files are thereby
   of one release.
3. In a checkout in development, a release is rebuilt before a page is rendered if a source is newer than it is.
   An installed wheel and the image have the built release, and never need Node.
"""

from __future__ import annotations

import gzip
import json
import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import TypedDict

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.settings import PACKAGE, Settings

STATIC = PACKAGE / "static"
BUILD = STATIC / "build"
MANIFEST = "manifest.json"
CHECKOUT = PACKAGE.parent
BUILDER = CHECKOUT / "build.mjs"
ESBUILD = CHECKOUT / "node_modules" / "esbuild"
BUILD_TIMEOUT_SECONDS = 60

IMMUTABLE = "public, max-age=31536000, immutable"  # a year
SUFFIXES = {"br": ".br", "gzip": ".gz"}  # in order of preference
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".map": "application/json",
}
# A browser loads a module of another origin only if its server permits that. These files are public.
FOR_ANYBODY = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}

log = logging.getLogger(__name__)


class Entry(TypedDict):
    file: str
    imports: list[str]


class File:
    """One file of a release, in each of its compressed encodings."""

    def __init__(self, path: Path) -> None:
        self.type = TYPES[path.suffix]
        self.etag = f'"{path.name}"'
        forms = ((encoding, path.with_name(path.name + suffix)) for encoding, suffix in SUFFIXES.items())
        self.bodies = {encoding: form.read_bytes() for encoding, form in forms if form.exists()}

    def response(self, accept_encoding: str, headers: Mapping[str, str]) -> Response:
        encoding = next((name for name in accepted(accept_encoding) if name in self.bodies), None)
        body = self.bodies[encoding] if encoding else gzip.decompress(self.bodies["gzip"])
        encoded = {"Content-Encoding": encoding} if encoding else {}
        return Response(body, 200, {"Content-Type": self.type, "Vary": "Accept-Encoding", **encoded, **headers})

    def response_unless_known(self, request: Request, headers: Mapping[str, str]) -> Response:
        """304 if the client has this content. For files at addresses that stay the same in every release."""
        headers = {"ETag": self.etag, **headers}
        if self.etag in request.headers.get("if-none-match", ""):
            return Response(None, 304, {"Vary": "Accept-Encoding", **headers})
        return self.response(request.headers.get("accept-encoding", ""), headers)


class Release:
    """The files of one build, by their names. `entries` maps each source to its file."""

    def __init__(self, version: str, entries: Mapping[str, Entry], files: Mapping[str, File]) -> None:
        self.version = version
        self.entries = entries
        self.files = files

    def file(self, source: str) -> File | None:
        """("js/app.js") The file that is built from this source."""
        return self.files[self.entries[source]["file"]] if source in self.entries else None

    def url(self, source: str) -> str:
        """The path of that file, below ROOT_PATH."""
        return f"/static/{self.entries[source]['file'] if source in self.entries else source}"

    def preloads(self, source: str) -> list[str]:
        """The paths of all modules that a script imports at once. A browser then need not parse it to find them."""
        return [f"/static/{name}" for name in self.entries[source]["imports"]] if source in self.entries else []


# Without a build. Pages have their texts and forms, but neither styles nor scripts.
NOT_BUILT = Release("none", {}, {})


def load(directory: Path) -> Release:
    try:
        text = (directory / MANIFEST).read_bytes()
    except FileNotFoundError:
        log.error("The front end is not built, so pages have no styles and no scripts. Run `make assets`.")
        return NOT_BUILT
    manifest = json.loads(text)
    files = {name: File(directory / name) for name in manifest["files"]}
    return Release(blake2b(text, digest_size=8).hexdigest(), manifest["entries"], files)


class FrontEnd:
    """The current release. As an ASGI application it serves its files, below `/static`."""

    def __init__(self, settings: Settings) -> None:
        rebuilds = settings.environment == "development" and BUILDER.exists() and ESBUILD.exists()
        self._node = find_node() if rebuilds else None
        if self._node and is_stale():
            build(self._node)
        self.release = load(BUILD)

    @property
    def is_rebuilt(self) -> bool:
        """Whether changed sources make another release (3)."""
        return self._node is not None

    def refresh(self) -> Release:
        """The current release. In development, it is rebuilt first if a source has changed (3)."""
        if self._node and is_stale() and build(self._node):
            self.release = load(BUILD)
        return self.release

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        file = self.release.files.get(scope["path"].removeprefix(f"{scope['root_path']}/"))
        if file is None:
            raise HTTPException(404)
        encodings = next((value for name, value in scope["headers"] if name == b"accept-encoding"), b"")
        response = file.response(encodings.decode("latin-1"), {"Cache-Control": IMMUTABLE, **FOR_ANYBODY})
        await response(scope, receive, send)


@lru_cache(maxsize=64)
def accepted(accept_encoding: str) -> tuple[str, ...]:
    """The supported encodings that this header accepts (RFC 9110, 12.5.3), in order of preference."""
    accepts: dict[str, bool] = {}
    for part in accept_encoding.lower().split(","):
        name, _, weight = part.partition(";")
        accepts[name.strip()] = not re.fullmatch(r"q=0(\.0*)?", weight.strip())
    return tuple(encoding for encoding in SUFFIXES if accepts.get(encoding, accepts.get("*", False)))


# -- development ---------------------------------------------------------------------------------------------


def find_node() -> str | None:
    """Node of the virtual environment, if `make` has installed one there, else the system's."""
    return shutil.which("node", path=str(Path(sys.executable).parent)) or shutil.which("node")


def is_stale() -> bool:
    """Whether a source is newer than the release."""
    try:
        built = (BUILD / MANIFEST).stat().st_mtime_ns
    except FileNotFoundError:
        return True
    return any(changed > built for changed in _times_of_sources())


def _times_of_sources() -> Iterator[int]:
    """Directories are included: their times change if a file is renamed or deleted."""
    yield from (path.stat().st_mtime_ns for path in (BUILDER, CHECKOUT / "package-lock.json") if path.exists())
    for directory in (STATIC / "js", STATIC / "css"):
        yield directory.stat().st_mtime_ns
        with os.scandir(directory) as entries:
            yield from (entry.stat().st_mtime_ns for entry in entries)


def build(node: str) -> bool:
    """Build a release. On a failure, log the error of the build; the previous release is still served."""
    ended = subprocess.run(
        [node, str(BUILDER)], capture_output=True, text=True, timeout=BUILD_TIMEOUT_SECONDS, check=False
    )
    if ended.returncode:
        log.error("The front end could not be built, the previous build is served:\n%s", ended.stderr.strip())
    return ended.returncode == 0
