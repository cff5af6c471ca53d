"""The mailer: takes mails from the queue, writes their texts, and sends them to the mail server in the background.

Without an SMTP server, development stores each mail as sent and shows it. Elsewhere mails wait for a server. Only this
module imports aiosmtplib. A server's message may contain addresses, so only the codes of its errors are logged.

1. A mail that fails does not delay the others. A message that cannot be built, or that the server refuses for good,
   becomes a dead letter at once. A few mails are sent at the same time, each to another address and in the order of
   the queue, so that a server that is slow for one address holds up that address only. Bulk mails leave one place free
   for urgent mails, and mails to followers leave another one for bulk mails.
2. The envelope uses the stored address, not the parsed `To`. A message is sent only if its `To`, read back from the
   bytes, is exactly that address.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from contextlib import suppress
from email import message_from_string
from email.headerregistry import BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8, Policy
from email.utils import format_datetime, parseaddr
from itertools import takewhile
from typing import Any
from urllib.parse import unquote, urlsplit

import aiosmtplib
from aiosmtplib.errors import SMTPDataError, SMTPException, SMTPRecipientsRefused, SMTPResponseException

from app.database import DATABASE_ERRORS, log_error
from app.live.service import Parley
from app.live.tasks import Tasks
from app.mail import mail_queue
from app.mail.emails import Email, write_email
from app.mail.mail_queue import Mail, Priority
from app.polling import poll_for_work

POLL_SECONDS = 1.0  # seconds between two polls of an empty queue
SMTP_TIMEOUT_SECONDS = 30.0  # seconds for a mail server's reply to one command
CHECK_TIMEOUT_SECONDS = 10.0  # seconds for the connection check, because a person waits for it
DELIVERIES = 4  # mails that one process sends at the same time
# The places among them for mails of a priority and of later ones (1).
PLACES = {Priority.URGENT: DELIVERIES, Priority.BULK: DELIVERIES - 1, Priority.FOLLOWERS: DELIVERIES - 2}
DELIVERY_TIMEOUT_SECONDS = 120.0  # seconds to send one mail; shorter than `mail_queue.CLAIM_PERIOD`

log = logging.getLogger(__name__)


class Refused(Exception):
    """The server rejected this mail permanently, for example because the address does not exist."""

    def __init__(self, code: int) -> None:
        super().__init__(f"was refused for good: {code}")


class Unsendable(Exception):
    """The message cannot be built, or could reach another address."""


async def send_due_mail(parley: Parley) -> None:
    """Send mails that are due, a few at once (1). This never returns."""
    if not parley.settings.sends_mail:
        log.warning(
            "No SMTP_URL is set; mail waits in the queue and is dropped after %s. Set SMTP_URL to send it.",
            mail_queue.MAX_UNSENT_AGE,
        )
        return
    deliveries = Deliveries(parley)
    async with deliveries.tasks:
        await poll_for_work(deliveries.start_next, log, "mail", POLL_SECONDS, deliveries.pause)


class Deliveries:
    """The mails that this process is sending, at most one to each address."""

    def __init__(self, parley: Parley) -> None:
        self.tasks = Tasks()
        self._parley = parley
        self._busy: dict[str, int] = {}  # the priority of the mail to each address
        self._free = asyncio.Semaphore(DELIVERIES)
        self._ended = asyncio.Event()

    async def pause(self, seconds: float) -> None:
        """Wait for this time, or until a delivery ends, because the next mail to its address may be due."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()

    async def start_next(self) -> bool:
        """Wait for a free delivery, then start to send the mail that has been due longest. Returns False if none is."""
        self._ended.clear()
        await self._free.acquire()
        mail = None
        try:
            mail = await claim_next(self._parley, self._busy, max(takewhile(self._has_place, Priority)))
        finally:
            if mail is None:
                self._free.release()
        if mail is None:
            return False
        self._busy[mail.address] = mail.priority
        self.tasks.start(self._deliver(mail))
        return True

    def _has_place(self, priority: Priority) -> bool:
        """Whether one more mail of this priority may be sent now. For an urgent one this holds with a free delivery."""
        return sum(busy >= priority for busy in self._busy.values()) < PLACES[priority]

    async def _deliver(self, mail: Mail) -> None:
        try:
            await deliver(self._parley, mail)
        except Exception as error:
            log_error(log, error, "mail")
        finally:
            del self._busy[mail.address]
            self._free.release()
            self._ended.set()


async def claim_next(parley: Parley, busy: Collection[str] = (), last: Priority = Priority.FOLLOWERS) -> Mail | None:
    """Claim the next mail that is not to one of the `busy` addresses; see `mail_queue.claim`."""
    async with parley.reading() as reading:
        if not await mail_queue.is_due(reading, busy, last):
            return None
    return await parley.own(_claim(parley, busy, last))


async def deliver(parley: Parley, mail: Mail) -> None:
    """Send a claimed mail. If this is cancelled, as at shutdown, the mail becomes due again when its claim expires. So
    shutdown never waits for a mail server."""
    try:
        email = await write_email(parley, mail)
        if email and parley.settings.smtp_url:
            message = _message(mail, email, parley.settings.mail_from)
            async with asyncio.timeout(DELIVERY_TIMEOUT_SECONDS):
                await _send_message(parley.settings.smtp_url, email.to, message)
    except (Refused, Unsendable) as error:
        log.warning("mail %s (%s) %s", mail.id, mail.kind, error)
        await parley.own(_make_dead_letter(parley, mail, str(error)))
    except (SMTPException, OSError) as error:
        await parley.own(_retry_later(parley, mail, error))
    except Exception as error:
        if isinstance(error, DATABASE_ERRORS):
            raise
        # A bug, or a kind of a later release. This mail is retried later, and the others are sent (1).
        log.error("mail %s (%s)", mail.id, mail.kind, exc_info=error)
        await parley.own(_retry_later(parley, mail, error))
    else:
        await parley.own(_finish(parley, mail, email))


async def _claim(parley: Parley, busy: Collection[str], last: Priority) -> Mail | None:
    async with parley.database.transaction() as writing, writing.begin():
        return await mail_queue.claim(writing, busy, last)


async def _finish(parley: Parley, mail: Mail, email: Email | None) -> None:
    async with parley.database.transaction() as writing, writing.begin():
        if email and parley.settings.environment == "development":
            await mail_queue.store_sent(writing, mail, email.subject, email.text)
        else:
            await mail_queue.discard(writing, mail)


class WholeHeader(UnstructuredHeader, BaseHeader):
    """A header that is not folded. The library would fold a long URL or id, and encode it, which mail software does
    not undo in these headers (RFC 8058, RFC 5322)."""

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


_HEADERS = HeaderRegistry()
for _name in ("list-unsubscribe", "in-reply-to", "references"):
    _HEADERS.map_to_type(_name, WholeHeader)
_POLICY = SMTP.clone(header_factory=_HEADERS)


def _message(mail: Mail, email: Email, sender: str) -> EmailMessage:
    """Raises Unsendable for an address that mail software would read as another one, or not at all (2)."""
    try:
        message = EmailMessage(policy=_POLICY)
        domain = parseaddr(sender)[1].rpartition("@")[2]
        message["From"], message["To"], message["Subject"] = sender, email.to, email.subject
        message["Date"] = format_datetime(mail.created_at)
        # Each attempt uses the same id, so a mail client can recognize a duplicate.
        message["Message-ID"] = f"<{mail.id}@{domain}>"
        message["Auto-Submitted"] = "auto-generated"  # suppresses automatic replies (RFC 3834)
        if email.thread:
            message["In-Reply-To"] = message["References"] = f"<{email.thread}@{domain}>"
        if email.unsubscribe_url:
            message["List-Unsubscribe"] = f"<{email.unsubscribe_url}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
        message.set_content(email.text)
        if email.html:
            message.add_alternative(email.html, subtype="html")
        policy = SMTP if email.to.isascii() else SMTPUTF8
        sent = message_from_string(message.as_bytes(policy=policy).decode(), policy=policy)
        read_back = [address.addr_spec for address in sent["To"].addresses]
    except Exception as error:  # the email package raises errors of many kinds for texts that it cannot read
        raise Unsendable(f"cannot be built: {type(error).__name__}") from None
    if read_back != [email.to]:
        raise Unsendable("cannot be built: its address is ambiguous")
    return message


async def _send_message(url: str, to: str, message: EmailMessage) -> None:
    """Raises Refused and Unsendable, and aiosmtplib's errors for failures that may be temporary."""
    sender = message["From"].addresses[0].addr_spec
    try:
        await aiosmtplib.send(
            message, sender=sender, recipients=[to], **_connection_options(url), timeout=SMTP_TIMEOUT_SECONDS
        )
    except (SMTPRecipientsRefused, SMTPDataError) as error:
        # A rejected sender or password is retried, because the operator can fix it.
        if 500 <= _code(error) < 600:
            raise Refused(_code(error)) from None
        raise
    except ValueError as error:
        if isinstance(error, OSError):  # for example a certificate that is not trusted; the operator may fix it
            raise
        raise Unsendable(f"cannot be built: {type(error).__name__}") from None


def _connection_options(url: str) -> dict[str, Any]:
    server = urlsplit(url)
    return {
        "hostname": server.hostname,
        "port": server.port,
        "username": unquote(server.username) if server.username else None,
        "password": unquote(server.password) if server.password else None,
        "use_tls": server.scheme == "smtps",
        # A password is sent only over TLS. Without a password, TLS is used if the server offers it.
        "start_tls": True if server.username and server.scheme == "smtp" else None,
    }


async def check_connection(url: str) -> str:
    """Connect and sign in to the mail server without sending a mail. Returns the error, or ""."""
    try:
        async with (
            asyncio.timeout(CHECK_TIMEOUT_SECONDS),
            aiosmtplib.SMTP(**_connection_options(url), timeout=CHECK_TIMEOUT_SECONDS) as server,
        ):
            await server.noop()
    except SMTPResponseException as error:
        return f"the server replied {error.code}"
    except (SMTPException, OSError) as error:
        return str(error).partition("\n")[0] or type(error).__name__
    return ""


async def _make_dead_letter(parley: Parley, mail: Mail, reason: str) -> None:
    async with parley.database.transaction() as writing, writing.begin():
        await mail_queue.make_dead_letter(writing, mail, reason)


async def _retry_later(parley: Parley, mail: Mail, error: Exception) -> None:
    said = _code(error) or type(error).__name__
    async with parley.database.transaction() as writing, writing.begin():
        again = await mail_queue.retry_later(
            writing, mail, f"was given up after {mail_queue.RETRY_PERIOD.days} days: {said}"
        )
    log.warning(
        "mail %s (%s) was not sent, %s: %s",
        mail.id,
        mail.kind,
        "retrying later" if again else "stored as a dead letter",
        said,
    )


def _code(error: Exception) -> int:
    if isinstance(error, SMTPRecipientsRefused):
        return max((recipient.code for recipient in error.recipients), default=0)
    return error.code if isinstance(error, SMTPResponseException) else 0
