"""The mail queue without HTTP: mails that wait, their texts and tokens, and the whole database as text."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from sqlalchemy import select, update

from app.accounts.user import User
from app.database import Base
from app.live.service import Parley
from app.mail.emails import Email, write_email
from app.mail.mail_queue import Kind, Mail
from app.mail.mailer import claim_next, deliver


async def list_queued(parley: Parley) -> list[Mail]:
    """The mails that are not sent yet, in the order in which they were queued."""
    async with parley.reading() as reading:
        unsent = select(Mail).where(Mail.sent_at.is_(None)).order_by(Mail.created_at, Mail.kind)
        return list((await reading.scalars(unsent)).all())


async def send_next(parley: Parley) -> bool:
    """Send the mail that has been due longest. Returns whether there was one."""
    if (mail := await claim_next(parley)) is None:
        return False
    await deliver(parley, mail)
    return True


async def list_kinds_to(parley: Parley, address: str) -> list[str]:
    return [mail.kind for mail in await list_queued(parley) if mail.address == address]


async def compose_mail_to(parley: Parley, address: str, kind: Kind) -> Email | None:
    """Compose the newest queued mail of this kind to this address. None if the mail has become pointless."""
    mails = [mail for mail in await list_queued(parley) if (mail.address, mail.kind) == (address, kind)]
    assert mails, f"no mail of kind {kind} is queued for {address}"
    return await write_email(parley, mails[-1])


async def find_token_to(parley: Parley, address: str, kind: Kind) -> str:
    """The token after the `#` of the mail's link."""
    mail = await compose_mail_to(parley, address, kind)
    assert mail
    found = re.search(r"^\S+/\w+#(\S+)$", mail.text, re.MULTILINE)
    assert found, f"no link in {mail.text!r}"
    return found[1]


async def make_due(parley: Parley, **values: object) -> None:
    """Make every unsent mail due now, as if its back-off had passed."""
    async with parley.database.transaction() as writing, writing.begin():
        await writing.execute(update(Mail).where(Mail.sent_at.is_(None)).values(due_at=datetime.now(UTC), **values))


async def find_user_named(parley: Parley, name: str) -> User:
    """The current row of `name`'s account."""
    async with parley.reading() as reading:
        user = await reading.scalar(select(User).where(User.username == name))
    assert user
    return user


async def dump_database(parley: Parley) -> str:
    """All rows of all tables, as text."""
    async with parley.reading() as reading:
        return "\n".join([str((await reading.execute(select(table))).all()) for table in Base.metadata.sorted_tables])
