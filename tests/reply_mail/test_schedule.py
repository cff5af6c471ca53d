"""When a waiting mail may be sent, without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.reply_mail.schedule import DIGEST_HOUR, INTERVAL, next_digest_at, next_mail_at

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
TODAY = NOON.replace(hour=DIGEST_HOUR)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("last", "at"),
    [
        (None, NOON),
        (NOON - INTERVAL, NOON),
        (NOON - MINUTE, NOON - MINUTE + INTERVAL),
        (NOON + MINUTE, NOON + MINUTE + INTERVAL),  # the clock of another machine is a little ahead
        (NOON + 365 * DAY, NOON),  # a clock was set back
    ],
)
def test_the_next_mail_about_a_conversation_comes_a_quarter_of_an_hour_later(last: datetime, at: datetime) -> None:
    assert next_mail_at(NOON, last) == at


@pytest.mark.parametrize(
    ("last", "since", "at"),
    [
        (None, TODAY - MINUTE, NOON),  # the service was down at that hour
        (None, TODAY + MINUTE, TODAY + DAY),
        (TODAY, TODAY - MINUTE, TODAY + DAY),
        (TODAY - DAY, TODAY - MINUTE, NOON),
        (NOON + 365 * DAY, TODAY - MINUTE, NOON),  # a clock was set back
        (None, NOON + 365 * DAY, NOON),
    ],
)
def test_a_digest_comes_once_a_day(last: datetime | None, since: datetime, at: datetime) -> None:
    assert next_digest_at(NOON, last, since) == at


def test_before_the_hour_of_the_digest_the_day_is_that_of_yesterday() -> None:
    early = TODAY - timedelta(hours=3)
    assert next_digest_at(early, None, early - MINUTE) == TODAY
    assert next_digest_at(early, None, TODAY - DAY - MINUTE) == early
