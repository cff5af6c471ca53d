"""The postman: takes mails from the queue, has them written, and brings them to the mail server. Nobody waits for him.

Without a server, in development, a mail counts as sent and is kept to be looked at. Elsewhere it waits for one.
The only module that knows aiosmtplib. What a server says may name people, so of its errors only the codes are logged.
"""

from __future__ import annotations

import asyncio
import logging
import random
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Any
from urllib.parse import unquote, urlsplit

import aiosmtplib
from aiosmtplib.errors import SMTPDataError, SMTPException, SMTPRecipientsRefused, SMTPResponseException

from app.database import complain
from app.live.parley import Parley
from app.models import mail as mails
from app.models.letters import Letter, write_letter
from app.models.mail import Mail

LOOK = 1.0  # seconds between two looks into an empty queue, give or take a fifth
TIMEOUT = 30.0  # seconds for a mail server to answer one command
GREETING = 10.0  # seconds, where somebody waits for it
ALTOGETHER = 120.0  # seconds to take one mail; well within a claim on it

log = logging.getLogger(__name__)


class Refused(Exception):
    """The server will never take this mail: the address is none, say."""


async def keep_sending(parley: Parley) -> None:
    """For ever: send what is due."""
    if not parley.settings.smtp_url and parley.settings.environment != "development":
        log.warning("No SMTP_URL: mail waits for one, and is dropped after %s", mails.DROPPED)
        return
    while True:
        try:
            if await send_next(parley):
                continue
        except Exception as error:
            complain(log, error, "mail")
        await asyncio.sleep(LOOK * random.uniform(0.8, 1.2))


async def send_next(parley: Parley) -> bool:
    """Send the mail that is due longest. Answers whether there was one.

    Ended in the middle, as at shutdown, it leaves a mail whose claim runs out: nobody waits for a server that hangs.
    """
    async with parley.reading() as reading:
        if not await mails.is_due(reading):
            return False
    mail = await parley.own(_take(parley))
    if mail is None:
        return False
    letter = await write_letter(parley, mail)
    try:
        if letter and parley.settings.smtp_url:
            async with asyncio.timeout(ALTOGETHER):
                await _bring(parley.settings.smtp_url, _message(mail, letter, parley.settings.mail_from))
    except Refused as refusal:
        log.warning("mail %s (%s) was refused for good: %s", mail.id, mail.kind, refusal)
        letter = None
    except (SMTPException, OSError) as error:
        await parley.own(_put_back(parley, mail, error))
        return True
    await parley.own(_put_away(parley, mail, letter))
    return True


async def _take(parley: Parley) -> Mail | None:
    async with parley.database.transaction() as writing, writing.begin():
        return await mails.take(writing)


async def _put_away(parley: Parley, mail: Mail, letter: Letter | None) -> None:
    async with parley.database.transaction() as writing, writing.begin():
        if letter and parley.settings.environment == "development":
            await mails.keep(writing, mail, letter.subject, letter.text)
        else:
            await mails.discard(writing, mail)


def _message(mail: Mail, letter: Letter, sender: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, letter.to, letter.subject
    message["Date"] = format_datetime(mail.created_at)
    # The same however often it is sent: who gets it twice can know.
    message["Message-ID"] = f"<{mail.id}@{parseaddr(sender)[1].rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # no "I am on holiday" in return (RFC 3834)
    message.set_content(letter.text)
    return message


async def _bring(url: str, message: EmailMessage) -> None:
    """Raises Refused, and aiosmtplib's errors for what may go better later."""
    try:
        await aiosmtplib.send(message, **_way_to(url), timeout=TIMEOUT)
    except (SMTPRecipientsRefused, SMTPDataError) as error:
        # A refused sender or password is the operator's to mend, and mail waits for that.
        if 500 <= _code(error) < 600:
            raise Refused(_code(error)) from None
        raise


def _way_to(url: str) -> dict[str, Any]:
    server = urlsplit(url)
    return {
        "hostname": server.hostname,
        "port": server.port,
        "username": unquote(server.username) if server.username else None,
        "password": unquote(server.password) if server.password else None,
        "use_tls": server.scheme == "smtps",
        # No password goes out in the clear; without one, TLS where the server offers it.
        "start_tls": True if server.username and server.scheme == "smtp" else None,
    }


async def greet(url: str) -> str:
    """Come to the mail server as with a mail, and bring none. Answers what is wrong, or nothing."""
    try:
        async with asyncio.timeout(GREETING), aiosmtplib.SMTP(**_way_to(url), timeout=GREETING) as server:
            await server.noop()
    except SMTPResponseException as error:
        return f"it answers {error.code}"
    except (SMTPException, OSError) as error:
        return str(error).partition("\n")[0] or type(error).__name__
    return ""


async def _put_back(parley: Parley, mail: Mail, error: Exception) -> None:
    async with parley.database.transaction() as writing, writing.begin():
        again = await mails.put_back(writing, mail)
    said = _code(error) or type(error).__name__
    log.warning("mail %s (%s) was not sent, %s: %s", mail.id, mail.kind, "later" if again else "given up", said)


def _code(error: Exception) -> int:
    if isinstance(error, SMTPRecipientsRefused):
        return max((recipient.code for recipient in error.recipients), default=0)
    return error.code if isinstance(error, SMTPResponseException) else 0
