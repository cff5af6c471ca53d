"""The blocks of docs/extending.md are applied to a copy of Parley, and two people use the result."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.browser.network_faults import API
from tests.browser.page_errors import NETWORK, PageErrors
from tests.browser.people import Person
from tests.support.manual import Block, blocks_of, copy_checkout
from tests.support.people import ARTICLE
from tests.support.people import person as somebody
from tests.support.serving import Spawned, spawned
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import httpx
    from playwright.async_api import Locator, Route

    from tests.browser.conftest import OpenBrowser

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "extending.md"
COMMAND = re.compile(r"^    \.venv/bin/alembic (.+)$", re.MULTILINE)  # it writes the migration
CLASSES = ("app/static/js/core/events.js", "app/static/js/chores/chore.js", "app/static/js/chores/chores.js")
SHOWN = """() => Array.from(document.querySelectorAll(".chores__list > .chore"), (el) => ({
  text: el.querySelector(".chore__text").value,
  done: el.querySelector(".chore__done").checked,
  state: el.checkVisibility() ? el.dataset.state : "hidden",
}))"""
MODELS = "() => parley.chores.toJSON()"

TESTS_FOR_ALL = (
    "tests/test_architecture.py",
    "tests/test_migrations.py::test_the_schema_is_what_the_models_say[sqlite]",
    "tests/http/test_openapi.py::test_every_route_is_described_or_is_a_page",
    "tests/http/test_openapi.py::test_every_live_model_is_described",
    "tests/http/test_openapi.py::test_a_stream_sends_the_documented_events",
)

Chores = list[tuple[str, bool]]


def blocks() -> list[Block]:
    return list(blocks_of(PAGE))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of Parley with the blocks of the page, and a migrated database."""
    checkout = tmp_path_factory.mktemp("extended")
    copy_checkout(ROOT, checkout)
    for block in blocks():
        block.apply(checkout)
    for command in (["upgrade", "head"], COMMAND.findall(PAGE.read_text())[0].split(), ["upgrade", "head"]):
        run(checkout, sys.executable, "-m", "alembic", *command)
    return checkout


def run(checkout: Path, *command: str | Path) -> None:
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": f"sqlite:///{checkout / 'parley.db'}"}
    result = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture
async def site(checkout: Path, redis_url: str, tmp_path: Path) -> AsyncIterator[Spawned]:
    """The copy of Parley with the page's changes, in place of Parley itself."""
    database = shutil.copy(checkout / "parley.db", tmp_path)
    environment = {
        "DATABASE_URL": f"sqlite:///{database}",
        "REDIS_URL": redis_url,
        "REDIS_CHANNEL_NAME": f"chores-{uuid4().hex}",
    }
    async with spawned(environment, checkout=checkout) as app:
        yield app


# -- actions and checks -----------------------------------------------------------------------------------------


def chore(person: Person, number: int = 0) -> Locator:
    return person.page.locator(".chores__list > .chore").nth(number)


async def add_chore(person: Person, text: str) -> None:
    field = person.page.locator(".chores__new input")
    await field.fill(text)
    await field.press("Enter")


async def reword_chore(person: Person, text: str, number: int = 0) -> None:
    field = chore(person, number).locator(".chore__text")
    await field.fill(text)
    await field.press("Enter")


async def sees(person: Person, *chores: tuple[str, bool], state: str = "settled") -> None:
    expected = [{"text": text, "done": done, "state": state} for text, done in chores]
    await wait_for(person, SHOWN, expected)


async def wait_for(person: Person, script: str, expected: Any) -> None:
    async def is_shown() -> bool:
        return bool(await person.page.evaluate(script) == expected)

    try:
        await wait_until(is_shown, f"the page of {person.name} to match")
    except AssertionError:
        assert await person.page.evaluate(script) == expected, person.name  # pytest shows the difference
        raise


async def assert_match_server(*people: Person) -> None:
    """The law: old snapshot + later changes == fresh snapshot, in the models and in the page."""
    for person in people:
        fresh = await snapshot(person.client)
        await wait_for(person, MODELS, fresh)
        await sees(person, *((chore["text"], chore["done"]) for chore in fresh))
        await person.until("parley.outbox.records.length === 0", "an empty outbox")


async def snapshot(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    response = await client.get("/api/chores/", params=ARTICLE)
    chores: list[dict[str, Any]] = response.json()["chores"]
    return chores


# -- the tests -------------------------------------------------------------------------------------------------


def test_a_reader_finds_the_true_numbers_of_lines() -> None:
    lines = Counter({"server": 0, "classes": 0, "views": 0})
    for block in blocks():
        kind = "server" if block.path.endswith(".py") else "classes" if block.path in CLASSES else "views"
        lines[kind] += block.written
    numbers = [int(number) for number in re.findall(r"\*\*(\d+)\*\*", PAGE.read_text())]
    assert numbers == list(lines.values())


def test_a_reader_gets_code_that_passes_the_checks(checkout: Path) -> None:
    """The checks of `make check`. The migration creates the schema of the model."""
    ruff = (sys.executable, "-m", "ruff")
    run(checkout, *ruff, "format", "--check", ".")
    run(checkout, *ruff, "check", ".")
    run(checkout, sys.executable, "-m", "alembic", "check")
    biome = min((ROOT / "node_modules" / "@biomejs").glob("cli-*/biome"))  # the executable, which needs no Node
    run(checkout, biome, "ci", "--colors=off", "app/static/js", "app/static/css")


@pytest.mark.timeout(600)  # it runs pytest with its own servers, which takes longer than one test may
def test_a_reader_gets_code_that_passes_the_general_tests(checkout: Path) -> None:
    """The tests that check every model, every endpoint and every module."""
    shutil.copytree(ROOT / "tests", checkout / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    try:
        run(checkout, sys.executable, "-m", "pytest", "-q", *TESTS_FOR_ALL)
    finally:
        shutil.rmtree(checkout / "tests")


async def test_alice_and_bob_and_a_guest_get_the_right_responses(site: Spawned, tmp_path: Path) -> None:
    chore = {**ARTICLE, "id": str(uuid4()), "text": "Water the plants"}
    one = f"/api/chores/{chore['id']}"
    async with site.client() as guest, somebody(site, "Alice") as alice, somebody(site, "Bob") as bob:
        assert (await alice.post("/api/chores/", json={**chore, "text": " "})).status_code == 422
        created = await alice.post("/api/chores/", json=chore)
        assert (created.status_code, created.json()) == (201, {**created.json(), **chore, "done": False})
        assert (await alice.post("/api/chores/", json=chore)).status_code == 200
        assert (await alice.post("/api/chores/", json={**chore, "commentable_id": "2"})).status_code == 409

        version = {"If-Match": f'"{created.json()["seq"]}"'}
        assert (await bob.patch(one, json={"done": True}, headers=version)).json()["done"] is True
        stale = await alice.patch(one, json={"text": "Water the roses"}, headers=version)
        assert (stale.status_code, stale.json()["chore"]["done"]) == (412, True)

        for refused in (guest.post("/api/chores/", json=chore), guest.patch(one, json={}), guest.delete(one)):
            assert (await refused).status_code == 401
        assert await snapshot(guest) == [stale.json()["chore"]]
        assert (await alice.delete(one, headers=version)).status_code == 412
        assert (await alice.delete(one)).status_code == 204
        for gone in (alice.delete(one), alice.patch(one, json={"done": False}), alice.delete("/api/chores/1")):
            assert (await gone).status_code == 404
        assert await snapshot(guest) == []
    with closing(sqlite3.connect(tmp_path / "parley.db")) as database:
        assert database.execute("SELECT text FROM chores").fetchall() == [("",)], "a tombstone has no content"


async def test_bob_sees_what_alice_does(alice: Person, bob: Person, open_browser: OpenBrowser) -> None:
    await add_chore(alice, "Water the plants")
    await sees(bob, ("Water the plants", False))
    await add_chore(bob, "Feed the cat")
    for person in (alice, bob):
        await sees(person, ("Water the plants", False), ("Feed the cat", False))
    await chore(bob).locator(".chore__done").check()
    await sees(alice, ("Water the plants", True), ("Feed the cat", False))
    await reword_chore(bob, "Water the roses")
    await sees(alice, ("Water the roses", True), ("Feed the cat", False))
    await chore(alice, 1).locator(".chore__delete").click()
    await sees(bob, ("Water the roses", True))
    await assert_match_server(alice, bob)

    guest = await open_browser()
    await sees(guest, ("Water the roses", True))
    assert await chore(guest).locator(".chore__done").is_disabled()
    await alice.write("A comment in the same topic")
    await bob.sees("A comment in the same topic")


async def test_alices_changes_without_a_connection_are_sent_later(
    alice: Person, bob: Person, page_errors: PageErrors
) -> None:
    page_errors.allow(NETWORK)
    await add_chore(bob, "Water the plants")
    await sees(alice, ("Water the plants", False))
    await add_chore(bob, "Sweep")
    await sees(alice, ("Water the plants", False), ("Sweep", False))

    await alice.context.route(API, abort)
    await chore(alice).locator(".chore__done").check()
    await add_chore(alice, "Feed the cat")
    await alice.page.reload()
    await reword_chore(alice, "Sweep the floor", 1)
    await chore(bob, 1).locator(".chore__delete").click()  # and with it Alice's unsent edit
    await reword_chore(bob, "Water the roses")  # Alice has ticked it, which is no conflict
    await wait_for(
        alice,
        SHOWN,
        [
            {"text": "Water the roses", "done": True, "state": "saving"},
            {"text": "Feed the cat", "done": False, "state": "sending"},
        ],
    )
    await sees(bob, ("Water the roses", False))

    await alice.context.unroute(API, abort)
    await alice.page.evaluate("dispatchEvent(new Event('online'))")
    await sees(bob, ("Water the roses", True), ("Feed the cat", False))
    await assert_match_server(alice, bob)


async def abort(route: Route) -> None:
    await route.abort()


async def test_bob_does_not_overwrite_a_text_that_he_has_not_seen(
    alice: Person, bob: Person, page_errors: PageErrors
) -> None:
    page_errors.allow("412")
    await add_chore(alice, "Water the plants")
    await sees(bob, ("Water the plants", False))
    await write_at_once(alice, "Water the roses", bob, " twice")
    await sees(bob, ("Water the plants twice", False), state="refused")
    await sees(alice, ("Water the roses", False))
    await chore(bob).locator(".chore__again").click()
    await sees(alice, ("Water the plants twice", False))
    await assert_match_server(alice, bob)

    await write_at_once(alice, "Leave them dry", bob, " a day")
    await sees(bob, ("Water the plants twice a day", False), state="refused")
    await chore(bob).locator(".chore__discard").click()
    await sees(bob, ("Leave them dry", False))
    await assert_match_server(alice, bob)


async def write_at_once(alice: Person, text: str, bob: Person, more: str) -> None:
    """Bob adds to the text. Before he has finished, Alice changes it, and Bob gets a conflict."""
    field = chore(bob).locator(".chore__text")
    await field.press("End")
    await field.press_sequentially(more)
    typed = await field.input_value()
    await reword_chore(alice, text)
    await bob.until(f"parley.chores.at(0).get('text') === '{text}'", "the text of Alice")
    assert await field.input_value() == typed, "his field keeps what he typed"
    async with bob.page.expect_response("**/api/chores/*") as refused:
        await field.press("Enter")
    assert (await refused.value).status == 412
    await bob.until(f"document.querySelector('.chore__note').textContent.includes('“{text}”')", "the reason")
