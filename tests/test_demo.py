"""The demo in production: its password is published, so its accounts must not be there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from app import demo
from app.accounts import accounts, logins
from app.accounts.mailed_links import Purpose
from app.accounts.user import Role, user_at
from app.doctor import database
from app.live.service import Parley
from app.live.topics import Topic
from app.main import create_app
from app.models import LIVE_MODELS
from app.settings import Settings
from tests.doctor.diagnosis import collect_findings
from tests.support.mail_queue import find_user_named
from tests.support.people import read_json
from tests.support.serving import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def seeded(settings: Settings) -> AsyncIterator[Parley]:
    """A Parley in development, with the demo."""
    async with Parley(settings, LIVE_MODELS, listening=False) as parley:
        assert await demo.seed(parley)
        yield parley


@pytest.fixture
def production(settings: Settings) -> Settings:
    decided: dict[str, Any] = {
        "environment": "production", "secret_key": "a key of this test's own that is long enough",
        "public_url": "https://talk.example.com", "require_confirmation": True, "smtp_url": "smtp://127.0.0.1:1",
        "mail_from": "Parley <parley@talk.example.com>",
    }  # fmt: skip
    return settings.model_copy(update=decided)


async def start(production: Settings) -> None:
    app = create_app(production)
    async with app.router.lifespan_context(app):
        pass


async def test_production_does_not_start_with_the_demos_accounts(seeded: Parley, production: Settings) -> None:
    with pytest.raises(demo.DemoAccounts) as refusal:
        await start(production)
    told = str(refusal.value)
    for address in demo.ADDRESSES:
        assert address in told
    assert "(owner)" in told
    assert told.endswith("parley demo remove")
    assert "talk among friends" not in told
    found = await collect_findings(database.examine(production))
    assert any("alice@example.com (owner)" in said for said in found.problems)


async def test_a_demo_account_with_another_name_and_address_is_found(seeded: Parley, production: Settings) -> None:
    for name in ("Alice", "Carol"):
        await accounts.remove(seeded, (await find_user_named(seeded, name)).id)
    async with seeded.writing(Topic.account((await find_user_named(seeded, "Bob")).id)) as write:
        user = await user_at(write.session, "bob@example.com")
        assert user
        user.email, user.username, user.username_key = "boss@corp.example", "Boss", "boss"
        write.update(user)
    with pytest.raises(demo.DemoAccounts, match=r"boss@corp\.example \(member\)"):
        await start(production)


async def test_after_the_removal_production_starts_and_shows_no_demo(seeded: Parley, production: Settings) -> None:
    deleted, left = await demo.remove(seeded)
    assert (sorted(deleted), left) == (sorted(demo.ADDRESSES), [])
    assert await demo.remove(seeded) == ([], [])
    assert await logins.sign_in(seeded, "alice@example.com", demo.PASSWORD, remember=False) is None
    async with serving(create_app(production)) as site, site.client() as guest:
        page = (await guest.get("/")).text
        thread = (await guest.get("/Article/1")).text
        comments = read_json(await guest.get("/api/comments/?commentable_type=Article&commentable_id=1"), 200)
    for article in demo.ARTICLES.values():
        assert article.title not in page
        assert article.title not in thread
        assert article.paragraphs[0][:20] not in thread
    assert "https://talk.example.com/embed.js" in page
    assert comments["comments"] == []
    assert (await collect_findings(database.examine(production))).is_ok


async def test_an_account_whose_password_was_changed_stays_and_the_doctor_names_it(
    seeded: Parley, production: Settings
) -> None:
    bob = await find_user_named(seeded, "Bob")
    await accounts.send_link(seeded, Purpose.RESET, bob.email)
    async with seeded.writing(Topic.account(bob.id)) as write:
        user = await user_at(write.session, bob.email)
        assert user
        user.password_hash = await accounts.hash_password("a password that Bob alone knows")
        write.update(user)
    assert (await demo.remove(seeded))[1] == ["bob@example.com"]
    await start(production)
    found = await collect_findings(database.examine(production))
    assert found.problems == []
    assert any("bob@example.com" in said for said in found.warnings)
    assert (await demo.remove(seeded, changed_too=True))[0] == ["bob@example.com"]


async def test_a_person_with_the_same_name_is_no_demo_account(settings: Settings, production: Settings) -> None:
    async with Parley(settings, LIVE_MODELS, listening=False) as parley:
        assert await accounts.sign_up(parley, "alice@example.com", "Alice", demo.PASSWORD)
        await start(production.model_copy(update={"require_confirmation": False}))
        assert await demo.remove(parley) == ([], [])


async def test_the_demo_may_stay_in_development(seeded: Parley, settings: Settings) -> None:
    await start(settings)
    assert (await find_user_named(seeded, "Alice")).role == Role.OWNER


async def test_a_database_that_is_available_later_is_checked_then(
    seeded: Parley, production: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = asyncio.Event()
    monkeypatch.setattr(demo, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(demo.signal, "raise_signal", lambda number: ended.set())
    async with Parley(production, LIVE_MODELS, listening=False) as parley:
        with monkeypatch.context() as away:
            away.setattr(parley.database, "schema", _refuse)
            assert not await demo.refuse_accounts_at_start(parley)
        await demo.keep_refusing_accounts(parley)
    assert ended.is_set()


async def _refuse() -> None:
    raise ConnectionRefusedError
