"""Mailed links over REST: request one for an address, and use one.

A response does not reveal whether an address has an account. It repeats the request, and takes the same time: an e-mail
is queued in any case, and the mailer drops it later if no account has the address.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from app.accounts import accounts
from app.accounts.accounts_api import Email, MailTo, NewPassword, Username, mail_to
from app.accounts.identity import browser_of, parley_of, remember_device
from app.accounts.mailed_links import Purpose
from app.accounts.reauthentication import device_gid
from app.accounts.user import User
from app.http import rate_limits
from app.http.endpoints import Endpoint
from app.http.rate_limits import MAIL, SIGN_IN
from app.http.requests import Input
from app.http.responses import Json
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


@Endpoint("POST /api/resets", limit_all=MAIL, statuses=[202])
async def ask_to_reset(request: Request, form: Asked) -> Json[MailTo]:
    """Request a link to choose a new password."""
    return await _ask(request, form, Purpose.RESET)


@Endpoint("PUT /api/resets", limit=SIGN_IN)
async def reset(request: Request, form: Reset) -> Response:
    """Choose a new password.

    You are not signed in by it.
    """
    return _proven(request, await accounts.reset_password(parley_of(request), form.token, form.password))


@Endpoint("POST /api/confirmations", limit_all=MAIL, statuses=[202])
async def ask_to_confirm(request: Request, form: Asked) -> Json[MailTo]:
    """Request a link to confirm your address."""
    return await _ask(request, form, Purpose.CONFIRM)


@Endpoint("PUT /api/confirmations", limit=SIGN_IN)
async def confirm(request: Request, form: Confirmed) -> None:
    """Confirm your address.

    A new account gets this `password` and, if given, this `username`. The browser that signed up may omit both.
    """
    known_as = browser_of(request).known_as
    await accounts.confirm(parley_of(request), form.token, form.password, form.username, known_as)


@Endpoint("POST /api/unlocks", limit_all=MAIL, statuses=[202])
async def ask_to_unlock(request: Request, form: Asked) -> Json[MailTo]:
    """Request a link to unlock your account."""
    return await _ask(request, form, Purpose.UNLOCK)


@Endpoint("PUT /api/unlocks", limit=SIGN_IN)
async def unlock(request: Request, form: Used) -> Response:
    """Unlock your account."""
    return _proven(request, await accounts.unlock(parley_of(request), form.token))


def _proven(request: Request, user: User) -> Response:
    """204 with the device cookie: access to the mailbox proves ownership, so strangers cannot lock this browser out."""
    response = Response(status_code=204)
    remember_device(request, response, device_gid(user))
    return response


async def _ask(request: Request, form: Asked, purpose: Purpose) -> Json[MailTo]:
    """Queue an e-mail. Each purpose has a separate limit, so unlock requests, say, cannot use up the reset e-mails."""
    await rate_limits.take_for(request, rate_limits.MAIL, fingerprint(purpose, form.email))
    await accounts.send_link(parley_of(request), purpose, form.email)
    return mail_to(form.email)
