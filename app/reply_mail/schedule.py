"""The schedule of mail about replies and mentions.

1. At once: one mail about a conversation in a quarter of an hour. The next one then has everything new.
2. Daily: one mail a day, at the same hour for everybody.
3. A clock may jump. A time that only another clock could have written delays nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta

INTERVAL = timedelta(minutes=15)  # between two mails about one conversation
DIGEST_HOUR = 6  # UTC
DAY = timedelta(days=1)
LONGEST_WAIT = DAY + timedelta(hours=1)  # from now to the next mail; a later time is another clock's (3)


def next_mail_at(now: datetime, last: datetime | None) -> datetime:
    """When the next mail about a conversation may be sent, if the last one was sent at `last`."""
    return last + INTERVAL if last and abs(now - last) < INTERVAL else now


def next_digest_at(now: datetime, last: datetime | None, waiting_since: datetime) -> datetime:
    """When the next digest may be sent, if the last one was sent at `last`."""
    began = now.replace(hour=DIGEST_HOUR, minute=0, second=0, microsecond=0)
    began -= DAY if began > now else timedelta(0)
    is_later = any(began <= at < began + DAY for at in (last, waiting_since) if at)
    return began + DAY if is_later else now
