"""The mail that a served app has sent to people. In development, sent mail stays in the table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from app.accounts.mailed_links import Purpose
from app.mail.mail_queue import Mail, list_sent
from tests.support.people import email_of
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from app.live.service import Parley


async def wait_for_mail(parley: Parley, name: str, subject: str, nth: int = 1) -> str:
    """Wait for the `nth` mail with this subject to this person or address, and return its text."""
    address = name if "@" in name else email_of(name)

    async def found() -> Any:
        async with parley.reading() as reading:
            mails = await list_sent(reading)
        texts = [mail.text for mail in mails[::-1] if (mail.address, mail.subject) == (address, subject)]
        return texts[nth - 1] if len(texts) >= nth else None

    return str(await wait_until(found, f"a mail to {address}: {subject}"))


async def wait_until_all_is_sent(parley: Parley) -> None:
    """Wait until the queue is empty: every mail is sent, or was dropped as pointless."""

    async def none_waits() -> bool:
        async with parley.reading() as reading:
            return not await reading.scalar(select(func.count()).select_from(Mail).where(Mail.sent_at.is_(None)))

    await wait_until(none_waits, "the mailer to empty its queue")


async def list_subjects(parley: Parley, name: str) -> list[str]:
    """The subjects of all mails to this person, oldest first."""
    address = name if "@" in name else email_of(name)
    await wait_until_all_is_sent(parley)
    async with parley.reading() as reading:
        return [str(mail.subject) for mail in (await list_sent(reading))[::-1] if mail.address == address]


def find_token(text: str, purpose: Purpose | str) -> str:
    """The token after the # of the mail's only link to this page."""
    (token,) = re.findall(rf"^http://127\.0\.0\.1:8000/{purpose}#(\S+)$", text, re.MULTILINE)
    return str(token)
