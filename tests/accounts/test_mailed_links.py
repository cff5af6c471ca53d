from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID, uuid4

import pytest
from itsdangerous import TimestampSigner

from app.accounts.mailed_links import SECONDS, Purpose, open_link, write_link
from app.errors import Invalid
from app.live.gids import Gid
from app.live.service import Parley
from app.models import LIVE_MODELS
from app.settings import Settings

ALICE = UUID("7c1f6f5e-0d0f-4d1c-9a8e-2f6d8f6f1c11")


@pytest.fixture
def settings(redis_url: str, sqlite_url: str) -> Settings:
    """Links read no database, so one kind is enough."""
    return Settings(
        _env_file=None, database_url=sqlite_url, redis_url=redis_url, public_url="https://talk.example.com/parley/"
    )


@contextmanager
def sign_in_the_past(monkeypatch: pytest.MonkeyPatch, seconds: float) -> Iterator[None]:
    now = TimestampSigner("any").get_timestamp()
    with monkeypatch.context() as then:
        then.setattr(TimestampSigner, "get_timestamp", lambda self: int(now - seconds))
        yield


def find_token(link: str) -> str:
    return link.partition("#")[2]


def is_worthless(parley: Parley, purpose: Purpose, token: str) -> bool:
    with pytest.raises(Invalid, match="This link has expired") as refusal:
        open_link(parley, purpose, token)
    return refusal.value.field == "token"


@pytest.mark.parametrize("purpose", Purpose)
async def test_a_link_leads_to_its_page_and_contains_its_account(parley: Parley, purpose: Purpose) -> None:
    link = write_link(parley, purpose, ALICE, "what it is bound to")
    assert re.fullmatch(rf"https://talk\.example\.com/parley/{purpose}#[\w.-]+", link, re.ASCII)
    assert open_link(parley, purpose, find_token(link)) == (ALICE, "what it is bound to")


@pytest.mark.parametrize(
    ("purpose", "seconds"), [(Purpose.RESET, 3600), (Purpose.UNLOCK, 24 * 3600), (Purpose.CONFIRM, 3 * 24 * 3600)]
)
async def test_a_link_expires(parley: Parley, monkeypatch: pytest.MonkeyPatch, purpose: Purpose, seconds: int) -> None:
    assert SECONDS[purpose] == seconds
    with sign_in_the_past(monkeypatch, seconds - 60):
        fresh = find_token(write_link(parley, purpose, ALICE, "x"))
    with sign_in_the_past(monkeypatch, seconds + 60):
        stale = find_token(write_link(parley, purpose, ALICE, "x"))
    assert open_link(parley, purpose, fresh) == (ALICE, "x")
    assert is_worthless(parley, purpose, stale)


@pytest.mark.parametrize("purpose", Purpose)
async def test_a_link_works_for_one_purpose_only(parley: Parley, purpose: Purpose) -> None:
    token = find_token(write_link(parley, purpose, ALICE, "x"))
    for other in set(Purpose) - {purpose}:
        assert is_worthless(parley, other, token)


@pytest.mark.parametrize(
    "spoil",
    [str.upper, lambda token: "", lambda token: token[:-1], lambda token: f"{token}x", lambda token: token[1:],
     lambda token: f"#{token}", lambda token: f" {token}", lambda token: token.replace(".", "", 1), lambda token: "\0",
     lambda token: "x" * 100_000, lambda token: "ü" * 40],
)  # fmt: skip
async def test_a_changed_link_is_worthless(parley: Parley, spoil: Callable[[str], str]) -> None:
    token = find_token(write_link(parley, Purpose.RESET, ALICE, "x"))
    assert is_worthless(parley, Purpose.RESET, spoil(token))


@pytest.mark.parametrize(
    "gid",
    [Gid("User", "7", {"of": "x"}), Gid("User", str(uuid4())), Gid("User", "x" * 200, {"of": "x"})],
    ids=["no uuid", "bound to nothing", "too long"],
)
async def test_another_signed_value_is_no_link(parley: Parley, gid: Gid) -> None:
    assert is_worthless(parley, Purpose.RESET, parley.signer.sign(gid, Purpose.RESET))


async def test_a_cookie_does_not_work_as_a_link(parley: Parley) -> None:
    for purpose in ("login", "device"):
        cookie = parley.signer.sign(Gid("User", str(ALICE), {"of": "x"}), purpose)
        for link in Purpose:
            assert is_worthless(parley, link, cookie)


async def test_a_link_of_another_service_is_worthless(parley: Parley, settings: Settings) -> None:
    others = settings.model_copy(update={"secret_key": "the key of another service altogether"})
    async with Parley(others, LIVE_MODELS, listening=False) as elsewhere:
        token = find_token(write_link(elsewhere, Purpose.RESET, ALICE, "x"))
    assert is_worthless(parley, Purpose.RESET, token)
