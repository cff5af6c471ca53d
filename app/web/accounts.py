"""Accounts: sign up, sign in, who am I, sign out."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, StringConstraints
from pydantic_core import PydanticCustomError
from starlette.requests import Request
from starlette.responses import Response

from app.models import login as logins
from app.models.login import Login
from app.models.user import User, clean_email, clean_username, find_user, render
from app.web.answers import answer
from app.web.identity import current_viewer, forget_login, parley_of, remember_login
from app.web.input import Input, read_input
from app.web.problems import Problem


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


Password = Annotated[str, StringConstraints(min_length=8, max_length=128)]


class SignUp(Input):
    email: Annotated[str, AfterValidator(_email)]
    username: Annotated[str, AfterValidator(_username)]
    password: Password


class SignIn(Input):
    email: str
    password: Annotated[str, StringConstraints(max_length=128)]
    remember_me: bool = False


async def sign_up(request: Request) -> Response:
    form = await read_input(request, SignUp, wrapped_as="user")
    user, login = await logins.sign_up(parley_of(request), form.email, form.username, form.password)
    return _signed_in(request, user, login, 201)


async def sign_in(request: Request) -> Response:
    """One answer for an unknown address and for a wrong password, and as slow for one as for the other."""
    form = await read_input(request, SignIn, wrapped_as="user")
    try:
        email = clean_email(form.email)
    except ValueError:
        email = ""
    found = await logins.sign_in(parley_of(request), email, form.password, form.remember_me)
    if found is None:
        raise Problem(401, "The address or the password is wrong.")
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
    response = Response(status_code=204)
    forget_login(request, response)
    return response


def _signed_in(request: Request, user: User, login: Login, status: int = 200) -> Response:
    response = answer(render(user), status)
    remember_login(request, response, login)
    return response
