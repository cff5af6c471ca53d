"""Accounts over REST: sign up, sign in, read the current user, sign out, change the account, and delete it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError
from starlette.requests import Request
from starlette.responses import Response

from app.accounts import accounts, logins
from app.accounts.identity import (
    browser_of,
    current_viewer,
    forget_login,
    parley_of,
    remember_device_as,
    remember_login,
    require_sign_in,
)
from app.accounts.logins import Login
from app.accounts.mailed_links import Purpose
from app.accounts.passwords import MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH
from app.accounts.user import (
    MAX_EMAIL_LENGTH,
    MAX_USERNAME_LENGTH,
    User,
    clean_email,
    clean_username,
    find_user,
    render,
)
from app.http import rate_limits
from app.http.problems import Problem
from app.http.requests import Input, read_input
from app.http.responses import answer
from app.live.gids import Gid
from app.live.signing import fingerprint


def _email(text: str) -> str:
    try:
        return clean_email(text)
    except ValueError as error:
        raise PydanticCustomError("email", "{reason}", {"reason": str(error)}) from None


def _username(text: str) -> str:
    try:
        return clean_username(text)
    except ValueError as error:
        raise PydanticCustomError("username", "{reason}", {"reason": str(error)}) from None


# The length is checked first: Unicode normalization of 60,000 accents blocks the event loop for a second.
Email = Annotated[
    str,
    StringConstraints(max_length=MAX_EMAIL_LENGTH),
    AfterValidator(_email),
    Field(json_schema_extra={"format": "email"}),
]
Username = Annotated[str, StringConstraints(max_length=4 * MAX_USERNAME_LENGTH), AfterValidator(_username)]
NewPassword = Annotated[str, StringConstraints(min_length=MIN_PASSWORD_LENGTH, max_length=MAX_PASSWORD_LENGTH)]
Password = Annotated[str, StringConstraints(max_length=MAX_PASSWORD_LENGTH)]


class SignUp(Input):
    email: Email
    username: Username
    password: NewPassword


class SignIn(Input):
    email: str
    password: Password
    remember_me: bool = False


class NewEmail(Input):
    email: Email
    current_password: Password


class NewUsername(Input):
    username: Username


class ChangedPassword(Input):
    current_password: Password
    password: NewPassword


class Leaving(Input):
    current_password: Password
    comments: Literal["keep", "erase"]


async def sign_up(request: Request) -> Response:
    """201 and signed in; 202 if a mailed link must be opened first, whether or not the address is new."""
    await rate_limits.take(request, rate_limits.SIGN_UP)
    form = await read_input(request, SignUp, wrapped_as="user")
    if parley_of(request).settings.require_confirmation:
        await rate_limits.take_for(request, rate_limits.MAIL, fingerprint(Purpose.CONFIRM, form.email))
    made = await accounts.sign_up(parley_of(request), form.email, form.username, form.password, browser_of(request))
    if not isinstance(made, Gid):
        return _signed_in(request, *made, status=201)
    response = answer({"email": form.email}, 202)
    remember_device_as(request, response, made)
    return response


async def sign_in(request: Request) -> Response:
    """An unknown address and a wrong password get the same response after the same time."""
    await rate_limits.take(request, rate_limits.SIGN_IN)
    form = await read_input(request, SignIn, wrapped_as="user")
    try:
        email = clean_email(form.email if len(form.email) <= MAX_EMAIL_LENGTH else "")
    except ValueError:
        email = fingerprint(form.email)  # no account has it; its failures are counted like those of any address
    found = await logins.sign_in(parley_of(request), email, form.password, form.remember_me, browser_of(request))
    if found is None:
        unless = ", or your email isn't confirmed yet" if parley_of(request).settings.require_confirmation else ""
        raise Problem(401, f"Wrong email or password{unless}.")
    return _signed_in(request, *found)


async def show(request: Request) -> Response:
    viewer = await current_viewer(request)
    if viewer.user_id is None:
        return answer({"user": None})
    async with parley_of(request).reading() as reading:
        user = await find_user(reading, viewer.user_id)
    return answer({"user": user and render(user)})


async def sign_out(request: Request) -> Response:
    await logins.sign_out(parley_of(request), await current_viewer(request))
    return _signed_out(request)


async def change_email(request: Request) -> Response:
    """202: the new address takes effect when its owner opens the link that is sent there."""
    viewer = await require_sign_in(request)
    form = await read_input(request, NewEmail)
    await rate_limits.take_own(request, rate_limits.MAIL)
    await rate_limits.take_for(request, rate_limits.MAIL, fingerprint(Purpose.CONFIRM, form.email))
    user = await accounts.change_email(parley_of(request), viewer, form.email, form.current_password)
    return answer(render(user), 202)


async def change_username(request: Request) -> Response:
    """The account's comments show the new name a little later."""
    viewer = await require_sign_in(request)
    form = await read_input(request, NewUsername, wrapped_as="user")
    await rate_limits.take_own(request, rate_limits.RENAME)
    return answer(render(await accounts.change_username(parley_of(request), viewer, form.username)))


async def change_password(request: Request) -> Response:
    viewer = await require_sign_in(request)
    form = await read_input(request, ChangedPassword)
    await rate_limits.take(request, rate_limits.SIGN_IN)
    user, login = await accounts.change_password(
        parley_of(request), viewer, form.current_password, form.password, browser_of(request)
    )
    return _signed_in(request, user, login)


async def delete(request: Request) -> Response:
    viewer = await require_sign_in(request)
    form = await read_input(request, Leaving)
    await rate_limits.take(request, rate_limits.SIGN_IN)
    await accounts.delete(parley_of(request), viewer, form.current_password, form.comments)
    return _signed_out(request)


def _signed_in(request: Request, user: User, login: Login, status: int = 200) -> Response:
    response = answer(render(user), status)
    remember_login(request, response, user, login)
    return response


def _signed_out(request: Request) -> Response:
    response = Response(status_code=204)
    forget_login(request, response)
    return response
