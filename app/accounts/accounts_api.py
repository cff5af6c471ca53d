"""Accounts over REST: sign up, sign in, read the current user, sign out, change the account, and delete it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from app.accounts import accounts, logins
from app.accounts.identity import (
    browser_of,
    current_viewer,
    forget_login,
    parley_of,
    remember_device,
    remember_login,
)
from app.accounts.logins import Login
from app.accounts.mailed_links import Purpose
from app.accounts.passwords import MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH
from app.accounts.user import (
    MAX_EMAIL_LENGTH,
    MAX_USERNAME_LENGTH,
    RenderedUser,
    User,
    clean_email,
    clean_username,
    find_user,
    render,
)
from app.http import rate_limits
from app.http.endpoints import Endpoint
from app.http.problems import Problem
from app.http.requests import Input
from app.http.responses import Json
from app.live.gids import Gid
from app.live.signing import fingerprint
from app.live.viewers import Viewer

SIGNED_IN = {"Set-Cookie": "The login, and a cookie by which its owner's browser is recognized."}
SIGNED_OUT = {"Set-Cookie": "Deletes the login."}


# The length is checked first: Unicode normalization of 60,000 accents blocks the event loop for a second.
Email = Annotated[
    str,
    StringConstraints(max_length=MAX_EMAIL_LENGTH),
    AfterValidator(clean_email),
    Field(json_schema_extra={"format": "email"}),
]
Username = Annotated[str, StringConstraints(max_length=4 * MAX_USERNAME_LENGTH), AfterValidator(clean_username)]
NewPassword = Annotated[str, StringConstraints(min_length=MIN_PASSWORD_LENGTH, max_length=MAX_PASSWORD_LENGTH)]
Password = Annotated[str, StringConstraints(max_length=MAX_PASSWORD_LENGTH)]


class SignUp(Input):
    wrapped_as = "user"
    email: Email
    username: Username
    password: NewPassword


class SignIn(Input):
    wrapped_as = "user"
    email: str
    password: Password
    remember_me: bool = False


class NewEmail(Input):
    email: Email
    current_password: Password


class NewUsername(Input):
    wrapped_as = "user"
    username: Username


class ChangedPassword(Input):
    current_password: Password
    password: NewPassword


class Leaving(Input):
    current_password: Password
    comments: Literal["keep", "erase"]


class MailTo(TypedDict):
    """The same response whether or not the address has an account."""

    email: str


class WhoAmI(TypedDict):
    user: Annotated[RenderedUser | None, Field(description="Null for a guest.")]


@Endpoint("POST /api/users", limit_all=rate_limits.SIGN_UP, statuses=[201, 202])
async def sign_up(request: Request, form: SignUp) -> Json[RenderedUser] | Json[MailTo]:
    """Create an account.

    201: you are signed in. 202: open the link in the e-mail first. Then the response is the same whether or not the
    address is new.
    """
    if parley_of(request).settings.require_confirmation:
        await rate_limits.take_for(request, rate_limits.MAIL, fingerprint(Purpose.CONFIRM, form.email))
    made = await accounts.sign_up(parley_of(request), form.email, form.username, form.password, browser_of(request))
    if not isinstance(made, Gid):
        return _signed_in(request, *made, status=201)
    response = mail_to(form.email)
    remember_device(request, response, made)
    return response


def mail_to(email: str) -> Json[MailTo]:
    return Json({"email": email}, 202)


@Endpoint("GET /api/session")
async def show(request: Request) -> Json[WhoAmI]:
    """Read your account."""
    viewer = await current_viewer(request)
    if viewer.user_id is None:
        return Json({"user": None})
    async with parley_of(request).reading() as reading:
        user = await find_user(reading, viewer.user_id)
    return Json({"user": render(user) if user else None})


@Endpoint("POST /api/session", limit_all=rate_limits.SIGN_IN, refuses=[401], headers=SIGNED_IN)
async def sign_in(request: Request, form: SignIn) -> Json[RenderedUser]:
    """Sign in.

    An unknown address and a wrong password get the same response after the same time.
    """
    try:
        email = clean_email(form.email if len(form.email) <= MAX_EMAIL_LENGTH else "")
    except ValueError:
        email = fingerprint(form.email)  # no account has it; its failures are counted like those of any address
    found = await logins.sign_in(parley_of(request), email, form.password, form.remember_me, browser_of(request))
    if found is None:
        unless = ", or your email isn't confirmed yet" if parley_of(request).settings.require_confirmation else ""
        raise Problem(401, f"Wrong email or password{unless}.")
    return _signed_in(request, *found)


@Endpoint("DELETE /api/session", headers=SIGNED_OUT)
async def sign_out(request: Request) -> Response:
    """Sign out."""
    await logins.sign_out(parley_of(request), await current_viewer(request))
    return _signed_out(request)


@Endpoint("PUT /api/account/username", limit=rate_limits.RENAME)
async def change_username(request: Request, viewer: Viewer, form: NewUsername) -> Json[RenderedUser]:
    """Change your name.

    Your comments show the new name a little later.
    """
    return Json(render(await accounts.change_username(parley_of(request), viewer, form.username)))


@Endpoint("PUT /api/account/email", limit=rate_limits.MAIL, statuses=[202])
async def change_email(request: Request, viewer: Viewer, form: NewEmail) -> Json[RenderedUser]:
    """Change your e-mail address.

    The new address takes effect when its owner opens the link that is sent there.
    """
    await rate_limits.take_for(request, rate_limits.MAIL, fingerprint(Purpose.CONFIRM, form.email))
    user = await accounts.change_email(parley_of(request), viewer, form.email, form.current_password)
    return Json(render(user), 202)


@Endpoint("PUT /api/account/password", limit=rate_limits.SIGN_IN, headers=SIGNED_IN)
async def change_password(request: Request, viewer: Viewer, form: ChangedPassword) -> Json[RenderedUser]:
    """Change your password.

    All your other logins end.
    """
    user, login = await accounts.change_password(
        parley_of(request), viewer, form.current_password, form.password, browser_of(request)
    )
    return _signed_in(request, user, login)


@Endpoint("POST /api/account/deletion", limit=rate_limits.SIGN_IN, refuses=[409], headers=SIGNED_OUT)
async def delete(request: Request, viewer: Viewer, form: Leaving) -> Response:
    """Delete your account.

    Your comments stay without your name, or are erased. The last owner cannot leave.
    """
    await accounts.delete(parley_of(request), viewer, form.current_password, form.comments)
    return _signed_out(request)


def _signed_in(request: Request, user: User, login: Login, status: int = 200) -> Json[RenderedUser]:
    response = Json(render(user), status)
    remember_login(request, response, user, login)
    return response


def _signed_out(request: Request) -> Response:
    response = Response(status_code=204)
    forget_login(request, response)
    return response
