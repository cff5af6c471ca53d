"""A real mail server in the test's own event loop. A test can make it refuse, hang and drop connections."""

from __future__ import annotations

import asyncio
import email
import email.policy
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.support.listeners import accept_no_more

USER, PASSWORD = "parley@example.com", "let me: in/please"  # with characters that a URL must quote


@dataclass(frozen=True)
class Received:
    """A mail that arrived: its envelope, its message, and how its sender authenticated."""

    sender: str
    to: str
    message: EmailMessage
    user: str | None
    over_tls: bool
    raw: bytes

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def id(self) -> str:
        return str(self.message["Message-ID"])

    @property
    def text(self) -> str:
        """The plain text, which is the whole mail or its first part."""
        return self.part("plain")

    def part(self, subtype: str) -> str:
        part = self.message.get_body((subtype,))
        assert part, f"no text/{subtype} in {self.raw!r}"
        return str(part.get_content()).replace("\r\n", "\n")

    @property
    def token(self) -> str:
        """The token after the `#` of the mail's link."""
        found = re.search(r"^\S+/\w+#(\S+)$", self.text, re.MULTILINE)
        assert found, f"no link in {self.text!r}"
        return found[1]


class MailServer:
    """Accepts every mail, unless a test sets a fault at a step: EHLO, MAIL, RCPT or DATA (the message is complete)."""

    def __init__(self, port: int = 0, *, tls: ssl.SSLContext | None = None, utf8: bool = True) -> None:
        self.received: list[Received] = []
        self.asked: list[str] = []  # every step that a client has reached
        self.port = port
        self._tls = tls
        self._utf8 = utf8
        self._answers: dict[str, str] = {}
        self._hanging: set[str] = set()
        self._dropping: set[str] = set()
        self._go_on = asyncio.Event()
        self._connections: list[SMTP] = []

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def answer(self, step: str, answer: str) -> None:
        """Reply this instead of OK, such as "550 No such person here", at a step other than EHLO."""
        self._answers[step] = answer

    def hang(self, step: str) -> None:
        """Reply nothing at a step, until `behave` is called."""
        self._hanging.add(step)

    def drop(self, step: str) -> None:
        """Close the connection at a step. At DATA, the mail has been accepted and the client does not learn it."""
        self._dropping.add(step)

    def behave(self) -> None:
        """Remove all faults, and reply to clients that wait."""
        for fault in (self._answers, self._hanging, self._dropping):
            fault.clear()
        self._go_on.set()
        self._go_on = asyncio.Event()

    # -- called by aiosmtpd ---------------------------------------------------------------------------------

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        await self._reach("EHLO", server)
        return responses

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        refusal = await self._reach("MAIL", server)
        if not refusal:
            envelope.mail_from = address
        return refusal or "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        refusal = await self._reach("RCPT", server)
        if not refusal:
            envelope.rcpt_tos.append(address)
        return refusal or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if "DATA" not in self._answers and "DATA" not in self._hanging:
            self.received += [_received(session, envelope, address) for address in envelope.rcpt_tos]
        return await self._reach("DATA", server) or "250 OK"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword
    ) -> AuthResult:
        self.asked.append("AUTH")
        right = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=right, handled=False, auth_data=data.login.decode())

    # -- connections ----------------------------------------------------------------------------------------

    def connection(self) -> SMTP:
        guarded = self._tls is not None
        protocol = SMTP(
            self,
            hostname="mail.test",
            tls_context=self._tls,
            require_starttls=guarded,
            authenticator=self.authenticate,
            auth_required=guarded,
            auth_require_tls=guarded,  # without TLS, even a password in clear text is accepted
            enable_SMTPUTF8=self._utf8,
            loop=asyncio.get_running_loop(),
        )
        self._connections.append(protocol)
        return protocol

    async def close(self) -> None:
        """Close all connections."""
        handlers = [handler for protocol in self._connections if (handler := protocol._handler_coroutine)]
        for protocol in self._connections:
            _close_connection(protocol)
        for handler in handlers:
            handler.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)

    async def _reach(self, step: str, server: SMTP) -> str | None:
        self.asked.append(step)
        if step in self._hanging:
            await self._go_on.wait()
        if step in self._dropping:
            _close_connection(server)
        return self._answers.get(step)


@asynccontextmanager
async def mail_server(port: int = 0, **options: Any) -> AsyncIterator[MailServer]:
    """A mail server for the length of the block."""
    server = MailServer(port, **options)
    listening = await asyncio.get_running_loop().create_server(server.connection, "127.0.0.1", port)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        await accept_no_more(listening)
        listening.close()
        await server.close()
        await listening.wait_closed()


def _close_connection(protocol: SMTP) -> None:
    # Over TLS, abort the TCP transport below; the TLS transport above then reports the lost connection.
    transport = cast(Any, protocol._original_transport or protocol.transport)
    if transport is not None:
        transport.abort()


def _received(session: Session, envelope: Envelope, address: str) -> Received:
    raw = cast(bytes, envelope.original_content)
    message = email.message_from_bytes(raw, policy=email.policy.default)
    user = session.auth_data if session.authenticated else None
    return Received(str(envelope.mail_from), address, message, cast(Any, user), session.ssl is not None, raw)
