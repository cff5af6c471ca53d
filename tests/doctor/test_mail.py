from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.doctor import mail
from tests.doctor.diagnosis import Diagnosis, collect_findings
from tests.support.serving import free_port
from tests.support.smtp import mail_server

if TYPE_CHECKING:
    from app.settings import Settings


pytestmark = pytest.mark.sqlite_only


async def examined(settings: Settings, **update: object) -> Diagnosis:
    return await collect_findings(mail.examine(settings.model_copy(update=update)))


async def test_a_server_that_lets_us_in_gets_no_mail(settings: Settings) -> None:
    async with mail_server() as server:
        found = await examined(settings, smtp_url=server.url)
        assert found.well
        assert server.received == []


async def test_one_that_is_away_and_one_that_will_not_take_a_password_in_the_clear(settings: Settings) -> None:
    (said,) = (await examined(settings, smtp_url=f"smtp://127.0.0.1:{free_port()}")).wrong
    assert "smtp://127.0.0.1" in said
    async with mail_server() as server:
        with_password = server.url.replace("://", "://parley:hunter2@")
        (said,) = (await examined(settings, smtp_url=with_password)).wrong
        assert said.startswith("smtp://parley:***@127.0.0.1")


async def test_a_sender_at_localhost_is_wrong_where_others_get_the_mail(settings: Settings) -> None:
    async with mail_server() as server:
        found = await examined(settings, smtp_url=server.url, environment="production")
        assert any("MAIL_FROM" in said for said in found.wrong)
        own = "Parley <parley@example.com>"
        assert (await examined(settings, smtp_url=server.url, environment="production", mail_from=own)).well


async def test_none(settings: Settings) -> None:
    assert (await examined(settings)).well
    assert (await examined(settings, environment="production")).warnings
