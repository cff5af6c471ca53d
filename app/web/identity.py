"""Identity: who a request comes from, by a signed cookie that carries an opaque login id."""

from __future__ import annotations

from uuid import UUID

from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.requests import Request
from starlette.responses import Response

from app.live.parley import Parley
from app.live.viewers import GUEST, Viewer
from app.models.login import Login, viewer_of
from app.models.refusals import SignInFirst

COOKIE = "parley_login"
REMEMBERED = 30 * 24 * 3600  # seconds; a login that is not remembered ends with the browser, or after as long
SALT = "login"


def parley_of(request: Request) -> Parley:
    parley: Parley = request.app.state.parley
    return parley


def login_id_of(request: Request) -> UUID | None:
    """The login id in a cookie that we signed, whether or not that login still stands."""
    try:
        return UUID(_serializer(request).loads(request.cookies.get(_cookie(request), ""), max_age=REMEMBERED))
    except (BadData, ValueError, TypeError, AttributeError):
        return None


async def current_viewer(request: Request) -> Viewer:
    """`current_user`: a guest without a cookie, or when the login has ended."""
    if "parley.viewer" not in request.scope:
        request.scope["parley.viewer"] = await _look_up(request)
    viewer: Viewer = request.scope["parley.viewer"]
    return viewer


async def require_sign_in(request: Request) -> Viewer:
    """`current_user`, or a refusal. Raises SignInFirst."""
    viewer = await current_viewer(request)
    if not viewer.signed_in:
        raise SignInFirst
    return viewer


async def _look_up(request: Request) -> Viewer:
    if (login_id := login_id_of(request)) is None:
        return GUEST
    return await holder_of(request, login_id) or GUEST


async def holder_of(request: Request, login_id: UUID) -> Viewer | None:
    """Who looks with this login as the database knows it now, None when it has ended."""
    async with parley_of(request).reading() as reading:
        return await viewer_of(reading, login_id)


def remember_login(request: Request, response: Response, login: Login) -> None:
    response.set_cookie(
        _cookie(request),
        _serializer(request).dumps(str(login.id)),
        max_age=REMEMBERED if login.remember else None,
        secure=_is_secure(request),
        httponly=True,
        samesite="lax",
    )


def forget_login(request: Request, response: Response) -> None:
    response.delete_cookie(_cookie(request), secure=_is_secure(request), httponly=True, samesite="lax")


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https"


def _cookie(request: Request) -> str:
    """Over TLS a name that browsers let nobody set but this host, over TLS: no sister site, no man in the middle."""
    return f"__Host-{COOKIE}" if _is_secure(request) else COOKIE


def _serializer(request: Request) -> URLSafeTimedSerializer:
    # The library signs with the last of its keys.
    return URLSafeTimedSerializer(parley_of(request).settings.secret_keys[::-1], salt=SALT)
