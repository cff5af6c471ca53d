"""Links by mail: asked for by an address, used from the page that they lead to.

Whoever asks learns nothing of who has an account. The answer says only what was asked, and what it takes is the same:
the mail is queued in any case, and found to concern nobody when it is to be written.
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
    """The new password holds, and nobody is signed in with it yet: that is for who knows it to do."""
    form = await read_input(request, Reset)
    await rate_limits.take(request, rate_limits.SIGN_IN)
    return _proven(request, await accounts.reset_password(parley_of(request), form.token, form.password))


async def confirm(request: Request) -> Response:
    """The browser that signed up needs no password; any other does. See `app.accounts.accounts.confirm`."""
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
    """Who has the mail is the owner: if strangers go on, they do not lock this browser out."""
    response = Response(status_code=204)
    remember_device(request, response, user)
    return response


async def _ask(request: Request, purpose: Purpose, ask: Callable[[Parley, str], Awaitable[None]]) -> Response:
    """Each purpose has a count of its own: who uses up the mails that are never sent does not stop those that are."""
    await rate_limits.take(request, rate_limits.MAIL)
    form = await read_input(request, Asked)
    await rate_limits.take_for(request, rate_limits.MAIL, fingerprint(purpose, form.email))
    await ask(parley_of(request), form.email)
    return answer({"email": form.email}, 202)
