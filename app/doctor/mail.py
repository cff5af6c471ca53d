"""Mail: whether the server lets us in."""

from __future__ import annotations

from collections.abc import AsyncIterator

from app.doctor.finding import Finding, masked, ok, warning, wrong
from app.mail.mailer import check_connection
from app.settings import Settings

ABOUT = "mail"


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Nothing is sent."""
    if settings.smtp_url is None:
        if settings.environment == "development":
            yield ok(ABOUT, "no server: what would be sent is shown at /dev/mail")
        else:
            yield warning(ABOUT, "no mail server: nobody can reset a password.", "Set SMTP_URL.")
        return
    if settings.environment == "production" and settings.sends_from_nowhere:
        yield wrong(ABOUT, f"MAIL_FROM is {settings.mail_from}: other servers refuse it.", "Set MAIL_FROM to your own.")
    trouble = await check_connection(settings.smtp_url)
    if trouble:
        yield wrong(
            ABOUT, f"{masked(settings.smtp_url)}: {trouble}.", "Check host, port, user and password in SMTP_URL."
        )
    else:
        yield ok(ABOUT, f"{masked(settings.smtp_url)} accepts our sign-in; sending as {settings.mail_from}")
