"""Checks the mail server: it accepts the login. The settings themselves check `MAIL_FROM`."""

from __future__ import annotations

from collections.abc import AsyncIterator

from app.doctor.finding import Finding, masked, ok, warning, wrong
from app.mail.mailer import check_connection
from app.settings import Settings

SUBJECT = "mail"


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Connect and sign in. No e-mail is sent."""
    if settings.smtp_url is None:
        if settings.environment == "development":
            yield ok(SUBJECT, "no server: e-mails are shown at /dev/mail")
        else:
            yield warning(SUBJECT, "no mail server: nobody can reset a password.", "Set SMTP_URL.")
        return
    error = await check_connection(settings.smtp_url)
    if error:
        yield wrong(
            SUBJECT, f"{masked(settings.smtp_url)}: {error}.", "Check host, port, user and password in SMTP_URL."
        )
    else:
        yield ok(SUBJECT, f"{masked(settings.smtp_url)} accepts the login; sending as {settings.mail_from}")
