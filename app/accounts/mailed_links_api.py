"""Mailed links over REST: request one for an address, and use one.

A response does not reveal whether an address has an account. It repeats the request, and takes the same time: an e-mail
is queued in any case, and the mailer drops it later if no account has the address.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from app.accounts import accounts
from app.accounts.accounts_api import Email, NewPassword, Username
from app.accounts.identity import browser_of, parley_of, remember_device
from app.accounts.mailed_links import Purpose
from app.accounts.user import User
from app.http import rate_limits
from app.http.requests import Input, read_input
from app.http.responses import answer
from app.live.service import Parley
from app.live.signing import fingerprint


class Asked(Input):
    email: Email


class Used(Input):
    token: str


class Confirmed(Used):
    password: NewPassword | None = None
    username: Username | None = None


class Reset(Used):
    password: NewPassword


async def ask_to_reset(request: Request) -> Response:
    return await _ask(request, Purpose.RESET, accounts.ask_to_reset)


async def ask_to_confirm(request: Request) -> Response:
    return await _ask(request, Purpose.CONFIRM, accounts.ask_to_confirm)


async def ask_to_unlock(request: Request) -> Response:
    return await _ask(request, Purpose.UNLOCK, accounts.ask_to_unlock)


async def reset(request: Request) -> Response:
    """Set the new password. The response opens no login: the person signs in with the new password."""
    form = await read_input(request, Reset)
    await rate_limits.take(request, rate_limits.SIGN_IN)
    return _proven(request, await accounts.reset_password(parley_of(request), form.token, form.password))


async def confirm(request: Request) -> Response:
    """The browser that signed up needs no password; any other browser does. See `app.accounts.accounts.confirm`."""
    form = await read_input(request, Confirmed)
    await rate_limits.take(request, rate_limits.SIGN_IN)
    known_as = browser_of(request).known_as
    await accounts.confirm(parley_of(request), form.token, form.password, form.username, known_as)
    return Response(status_code=204)


async def unlock(request: Request) -> Response:
    form = await read_input(request, Used)
    await rate_limits.take(request, rate_limits.SIGN_IN)
    return _proven(request, await accounts.unlock(parley_of(request), form.token))


def _proven(request: Request, user: User) -> Response:
    """204 with the device cookie: access to the mailbox proves ownership, so strangers cannot lock this browser out."""
    response = Response(status_code=204)
    remember_device(request, response, user)
    return response


async def _ask(request: Request, purpose: Purpose, ask: Callable[[Parley, str], Awaitable[None]]) -> Response:
    """Queue an e-mail. Each purpose has a separate limit, so unlock requests, say, cannot use up the reset e-mails."""
    await rate_limits.take(request, rate_limits.MAIL)
    form = await read_input(request, Asked)
    await rate_limits.take_for(request, rate_limits.MAIL, fingerprint(purpose, form.email))
    await ask(parley_of(request), form.email)
    return answer({"email": form.email}, 202)
