"""Identity: the viewer of a request, read from a signed cookie that carries the id of a login."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from ua_parser import parse

from app import logs
from app.accounts import logins
from app.accounts.logins import ABSOLUTE_TIMEOUT, ACTIVITY_INTERVAL, MAX_DEVICE_LENGTH, Browser, Login
from app.accounts.reauthentication import device_gid
from app.accounts.user import User
from app.errors import SignInFirst
from app.live.gids import BadGid, Gid
from app.live.service import Parley
from app.live.viewers import GUEST, LoginEnded, Viewer
from app.settings import Settings

COOKIE = "parley_login"
DEVICE_COOKIE = "parley_device"
LOGIN_COOKIE_SECONDS = int(ABSOLUTE_TIMEOUT[True].total_seconds())  # without "remember me" it is a session cookie
DEVICE_COOKIE_SECONDS = 365 * 24 * 3600  # seconds of the device cookie; browsers allow at most 400 days
ACCOUNT_HEADER = "parley-user"  # a request header with an account's id
LOGIN, DEVICE = "login", "device"  # purposes of the cookies' signatures


def parley_of(request: Request) -> Parley:
    parley: Parley = request.app.state.parley
    return parley


def address_of(request: Request) -> str:
    """The client's network address: the connection's, or the one in a trusted proxy's header (uvicorn reads it)."""
    return request.client.host if request.client else ""


def browser_of(request: Request) -> Browser:
    known_as = _read_cookie(request, DEVICE_COOKIE, DEVICE, DEVICE_COOKIE_SECONDS)
    return Browser(address_of(request), _device(request), login_id_of(request), known_as)


def login_id_of(request: Request) -> UUID | None:
    """The login id of the signed cookie. The login may have ended."""
    gid = _read_cookie(request, COOKIE, LOGIN, LOGIN_COOKIE_SECONDS)
    try:
        return UUID(gid.id) if gid and gid.model == "Login" else None
    except ValueError:
        return None


async def current_viewer(request: Request) -> Viewer:
    """The viewer of the request: a guest if there is no cookie, or if the login has ended."""
    if "parley.viewer" not in request.scope:
        request.scope["parley.viewer"] = await _look_up(request)
    viewer: Viewer = request.scope["parley.viewer"]
    return viewer


async def require_sign_in(request: Request) -> Viewer:
    """The signed-in viewer of the request. Raises SignInFirst for a guest.

    Also raises it if the request's `Parley-User` header names another account than the signed-in one. A change that
    waited in a browser's outbox for one account must not be sent for the next account that signs in there.
    """
    viewer = await current_viewer(request)
    meant = request.headers.get(ACCOUNT_HEADER, str(viewer.user_id))
    if not viewer.signed_in or meant != str(viewer.user_id):
        raise SignInFirst
    return viewer


def how_ended(request: Request) -> LoginEnded | None:
    """The end of the request's login, if `current_viewer` found that it has ended."""
    ended: LoginEnded | None = request.scope.get("parley.ended")
    return ended


async def viewer_with_login(parley: Parley, login_id: UUID) -> Viewer:
    """The viewer with this login, from a read that begins after this call. Raises LoginEnded.

    Streams that are woken together share it. A read that has already begun may miss the end that has woken them.
    """
    found = await parley.read_together(logins.viewers_of, login_id)
    if isinstance(found, LoginEnded):
        raise found
    viewer, _ = found
    return viewer


async def _look_up(request: Request) -> Viewer:
    if (login_id := login_id_of(request)) is None:
        return GUEST
    found = await parley_of(request).read_together(logins.viewers_of, login_id)
    if isinstance(found, LoginEnded):
        request.scope["parley.ended"] = found
        return GUEST
    viewer, noted_at = found
    logs.note(login=login_id)
    # An open stream is not activity: the person may have left the computer.
    if not request.scope["path"].startswith("/streams") and datetime.now(UTC) - noted_at > ACTIVITY_INTERVAL:
        parley_of(request).begin(logins.note_activity(parley_of(request), login_id))
    return viewer


def remember_login(request: Request, response: Response, user: User, login: Login) -> None:
    """Set the login cookie and the device cookie."""
    logs.note(login=login.id)
    signed = parley_of(request).signer.sign(Gid("Login", str(login.id)), LOGIN)
    _set_cookie(request, response, COOKIE, signed, LOGIN_COOKIE_SECONDS if login.remember else None)
    remember_device(request, response, device_gid(user))


def remember_device(request: Request, response: Response, known_as: Gid) -> None:
    """Set the device cookie to this gid (`app.accounts.reauthentication.device_gid`). In this browser, failures of
    strangers do not lock the owner out: see `app.accounts.login_throttle`."""
    signed = parley_of(request).signer.sign(known_as, DEVICE)
    _set_cookie(request, response, DEVICE_COOKIE, signed, DEVICE_COOKIE_SECONDS)


def forget_login(request: Request, response: Response) -> None:
    response.delete_cookie(_cookie_name(request, COOKIE), secure=_is_secure(request), httponly=True, samesite="lax")


def _set_cookie(request: Request, response: Response, name: str, value: str, seconds: int | None) -> None:
    response.set_cookie(
        _cookie_name(request, name), value, max_age=seconds, secure=_is_secure(request), httponly=True, samesite="lax"
    )


def _read_cookie(request: Request, cookie: str, purpose: str, seconds: int) -> Gid | None:
    signed = request.cookies.get(_cookie_name(request, cookie))
    try:
        return parley_of(request).signer.open(signed, purpose, seconds) if signed else None
    except BadGid:
        return None


def _is_secure(request: Request) -> bool:
    """Whether the browser uses TLS. In production PUBLIC_URL decides, because a proxy may not forward the scheme."""
    settings = parley_of(request).settings
    promised = settings.environment == "production" and settings.public_url.startswith("https:")
    return promised or bool(request.scope["scheme"] == "https")


def _cookie_name(request: Request, cookie: str) -> str:
    return _name(parley_of(request).settings, cookie, _is_secure(request))


def cookie_of_logins(settings: Settings) -> str:
    """The name of the login cookie at PUBLIC_URL."""
    return _name(settings, COOKIE, settings.public_url.startswith("https:"))


def _name(settings: Settings, cookie: str, secure: bool) -> str:
    """The cookie's full name. Over TLS it has the `__Host-` prefix (RFC 6265bis, 4.1.3).

    With that prefix, browsers accept the cookie only from this host over TLS, so neither a sibling domain nor a
    man in the middle can set it. The prefix requires the path "/", also behind ROOT_PATH. So the name contains
    ROOT_PATH: it separates two Parleys on one host. A cookie path would not protect from scripts of the same host.
    """
    cookie += settings.root_path.replace("/", ".")
    return f"__Host-{cookie}" if secure else cookie


def _device(request: Request) -> str:
    """A description by which the owner recognizes the device, such as "Firefox on Linux"."""
    found = parse(request.headers.get("user-agent", "")[:500])
    names = [part.family for part in (found.user_agent, found.os) if part and part.family != "Other"]
    return " on ".join(names)[:MAX_DEVICE_LENGTH]
