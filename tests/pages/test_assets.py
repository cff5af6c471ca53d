"""The front end's files: hashed, immutable, compressed in advance, and named by pages of the same release only."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from app.pages import assets
from app.pages.assets import NOT_BUILT, FrontEnd, accepted, load
from app.settings import Settings
from tests.support.front_end import release, static
from tests.support.problems import read_problem

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from tests.support.serving import Site

DECODED = "function"


@pytest.fixture
def site(shared_site: Site) -> Site:
    return shared_site


@pytest.mark.parametrize(
    ("accepts", "encoding"),
    [
        ("gzip, deflate, br, zstd", "br"), ("gzip, br;q=0", "gzip"), ("gzip;q=0.5, br;q=0.1", "br"), ("*", "br"),
        ("*, br;q=0.000", "gzip"), ("GZIP", "gzip"), ("deflate", None), ("gzip;q=0", None), ("", None),
    ],
)  # fmt: skip
async def test_a_client_gets_a_file_in_an_encoding_that_it_accepts(
    guest: httpx.AsyncClient, accepts: str, encoding: str | None
) -> None:
    response = await guest.get(static("css/app.css"), headers={"Accept-Encoding": accepts})
    assert response.headers.get("content-encoding") == encoding
    assert response.headers["vary"] == "Accept-Encoding"
    if encoding != "br":  # which httpx cannot read
        assert ".comment" in response.text
    assert accepted(accepts)[:1] == ((encoding,) if encoding else ())


async def test_a_file_may_be_stored_for_a_year_and_its_next_content_has_another_address(
    guest: httpx.AsyncClient,
) -> None:
    for source, content_type in (
        ("js/app.js", "text/javascript; charset=utf-8"), ("css/app.css", "text/css; charset=utf-8"),
    ):  # fmt: skip
        response = await guest.get(static(source))
        assert response.status_code == 200
        assert response.headers["content-type"] == content_type
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert response.headers["access-control-allow-origin"] == "*"
        assert re.search(r"-[A-Z0-9]{8}\.\w+$", static(source))


async def test_a_page_names_files_of_its_own_release_only_and_each_is_there(guest: httpx.AsyncClient) -> None:
    for path in ("/", "/Article/1", "/embed/Article/1", "/account", "/docs", "/nothing"):
        page = await guest.get(path, headers={"Accept": "text/html"})
        named = re.findall(r'"(/static/[^"]*)"', page.text)
        assert named
        for file in named:
            assert (await guest.get(file)).status_code == 200
        assert len(named) == len(set(named))
        assert len(re.findall(r'rel="stylesheet"', page.text)) == (2 if path == "/docs" else 1)


def test_the_script_of_a_page_is_in_two_files_however_many_parts_share_its_modules() -> None:
    entries = release().entries
    needed = entries["js/app.js"]["imports"]
    assert len(needed) == 1
    parts = [source for source in entries if source.endswith("_view.js")]
    assert len(parts) > 5
    for part in parts:
        assert needed[0] in entries[part]["imports"]


async def test_the_source_of_each_script_is_there_for_developers(guest: httpx.AsyncClient) -> None:
    script = (await guest.get(static("js/app.js"))).text
    (name,) = re.findall(r"//# sourceMappingURL=(\S+)", script)
    sources = (await guest.get(f"/static/{name}")).json()["sources"]
    assert [source for source in sources if source.endswith("/js/app.js")]


async def test_a_file_of_no_release_is_not_found(guest: httpx.AsyncClient) -> None:
    for path in ("/static/app-OLDERONE.js", "/static/manifest.json", "/static/js/app.js", "/static/", "/static"):
        read_problem(await guest.get(path), 404)
    read_problem(await guest.post(static("js/app.js")), 405)


def test_without_a_build_pages_name_files_that_are_missing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert load(tmp_path) is NOT_BUILT
    assert "Run `make assets`" in caplog.text
    assert NOT_BUILT.url("js/app.js") == "/static/js/app.js"
    assert NOT_BUILT.preloads("js/app.js") == []
    assert NOT_BUILT.file("js/app.js") is None


# -- development --------------------------------------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the sources of the front end, with a current build."""
    shutil.copytree(assets.STATIC, tmp_path / "app" / "static")
    shutil.copy2(assets.BUILDER, tmp_path)
    (tmp_path / "node_modules").symlink_to(assets.CHECKOUT / "node_modules")
    static_files = tmp_path / "app" / "static"
    for name, place in {
        "CHECKOUT": tmp_path, "BUILDER": tmp_path / "build.mjs", "ESBUILD": tmp_path / "node_modules" / "esbuild",
        "STATIC": static_files, "BUILD": static_files / "build",
    }.items():  # fmt: skip
        monkeypatch.setattr(assets, name, place)
    node = assets.find_node()
    assert node
    subprocess.run([node, str(tmp_path / "build.mjs")], check=True)
    return tmp_path


def test_in_development_a_changed_source_is_built_when_a_page_is_asked_for(
    checkout: Path, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    here = FrontEnd(settings)
    first = here.release
    assert here.refresh() is first, "no source has changed"

    sheet = checkout / "app" / "static" / "css" / "docs.css"
    edit(sheet, "main { outline: 1px solid red }")
    second = here.refresh()
    assert (second.url("css/docs.css") == first.url("css/docs.css"), second.url("js/app.js")) == (
        False, first.url("js/app.js"),
    )  # fmt: skip
    assert second.version != first.version
    assert not [path for path in assets.BUILD.iterdir() if first.url("css/docs.css").rpartition("/")[2] in path.name]

    edit(checkout / "app" / "static" / "js" / "core" / "bus.js", "export const bus = ;")
    assert here.refresh() is second, "the previous build, while a source has an error"
    assert "bus.js" in caplog.text

    production = settings.model_copy(update={"environment": "production"})
    assert FrontEnd(production).refresh().version == second.version, "production never builds"


def edit(path: Path, text: str) -> None:
    path.write_text(text)
    later = time.time() + 5  # than any build
    os.utime(path, (later, later))


def test_two_builds_of_the_same_sources_are_the_same_release(checkout: Path, settings: Settings) -> None:
    first = load(assets.BUILD)
    shutil.rmtree(assets.BUILD)
    second = FrontEnd(settings).release
    assert second.version == first.version
    assert second.files.keys() == first.files.keys()
