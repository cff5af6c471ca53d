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


async def diagnose(settings: Settings, **update: object) -> Diagnosis:
    return await collect_findings(mail.examine(settings.model_copy(update=update)))


async def test_the_doctor_connects_to_the_mail_server_and_sends_nothing(settings: Settings) -> None:
    async with mail_server() as server:
        found = await diagnose(settings, smtp_url=server.url)
        assert found.is_ok
        assert server.received == []


async def test_a_server_that_is_away_or_takes_no_password_without_tls_is_reported(settings: Settings) -> None:
    (message,) = (await diagnose(settings, smtp_url=f"smtp://127.0.0.1:{free_port()}")).problems
    assert "smtp://127.0.0.1" in message
    async with mail_server() as server:
        with_password = server.url.replace("://", "://parley:hunter2@")
        (message,) = (await diagnose(settings, smtp_url=with_password)).problems
        assert message.startswith("smtp://parley:***@127.0.0.1")


async def test_no_mail_server_is_ok_in_development_and_a_warning_in_production(settings: Settings) -> None:
    assert (await diagnose(settings)).is_ok
    assert (await diagnose(settings, environment="production")).warnings
