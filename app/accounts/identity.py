"""Identity: who a request comes from, by a signed cookie that carries an opaque login's id."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from ua_parser import parse

from app import logs
from app.accounts import logins
from app.accounts.logins import ABSOLUTE, LONGEST_DEVICE, NOTED_EVERY, Browser, Login
from app.accounts.reauthentication import device_gid
from app.accounts.user import User
from app.errors import SignInFirst
from app.live.gids import BadGid, Gid
from app.live.service import Parley
from app.live.viewers import GUEST, LoginEnded, Viewer
from app.settings import Settings

COOKIE = "parley_login"
DEVICE_COOKIE = "parley_device"
REMEMBERED = int(ABSOLUTE[True].total_seconds())  # a login that is not remembered ends with the browser, at the latest
KNOWN = 365 * 24 * 3600  # seconds that a device is one where its owner has signed in; not longer than browsers allow
MEANT_FOR = "parley-user"  # a header with an account's id
LOGIN, DEVICE = "login", "device"  # what the cookies are signed for


def parley_of(request: Request) -> Parley:
    parley: Parley = request.app.state.parley
    return parley


def address_of(request: Request) -> str:
    """The network address of whoever asks: the connection's, or what a trusted proxy says (uvicorn sees to that)."""
    return request.client.host if request.client else ""


def browser_of(request: Request) -> Browser:
    """Where somebody signs in."""
    known_as = _opened(request, DEVICE_COOKIE, DEVICE, KNOWN)
    return Browser(address_of(request), _device(request), login_id_of(request), known_as)


def login_id_of(request: Request) -> UUID | None:
    """The login id in a cookie that we signed, whether or not that login still stands."""
    gid = _opened(request, COOKIE, LOGIN, REMEMBERED)
    try:
        return UUID(gid.id) if gid and gid.model == "Login" else None
    except ValueError:
        return None


async def current_viewer(request: Request) -> Viewer:
    """`current_user`: a guest without a cookie, or when the login has ended."""
    if "parley.viewer" not in request.scope:
        request.scope["parley.viewer"] = await _look_up(request)
    viewer: Viewer = request.scope["parley.viewer"]
    return viewer


async def require_sign_in(request: Request) -> Viewer:
    """`current_user`, or a refusal. Raises SignInFirst.

    Also where the request says for whom it is, and that is not who is signed in: what waited in a browser to be sent
    for one account must not be sent for the next that signs in there.
    """
    viewer = await current_viewer(request)
    meant = request.headers.get(MEANT_FOR, str(viewer.user_id))
    if not viewer.signed_in or meant != str(viewer.user_id):
        raise SignInFirst
    return viewer


def how_ended(request: Request) -> LoginEnded | None:
    """How the login ended that this request came with, where `current_viewer` found it so."""
    ended: LoginEnded | None = request.scope.get("parley.ended")
    return ended


async def holder_of(request: Request, login_id: UUID) -> Viewer:
    """Who looks with this login as the database knows it now. Raises LoginEnded."""
    async with parley_of(request).reading() as reading:
        viewer, _ = await logins.viewer_of(reading, login_id)
    return viewer


async def _look_up(request: Request) -> Viewer:
    if (login_id := login_id_of(request)) is None:
        return GUEST
    try:
        async with parley_of(request).reading() as reading:
            viewer, noted_at = await logins.viewer_of(reading, login_id)
        logs.note(login=login_id)
    except LoginEnded as ended:
        request.scope["parley.ended"] = ended
        return GUEST
    # Whoever watches a stream may have left the room: it is no activity.
    if not request.url.path.startswith("/streams") and datetime.now(UTC) - noted_at > NOTED_EVERY:
        parley_of(request).begin(logins.note_activity(parley_of(request), login_id))
    return viewer


def remember_login(request: Request, response: Response, user: User, login: Login) -> None:
    """This browser carries the login from now on."""
    logs.note(login=login.id)
    signed = parley_of(request).signer.sign(Gid("Login", str(login.id)), LOGIN)
    _set_cookie(request, response, COOKIE, signed, REMEMBERED if login.remember else None)
    remember_device(request, response, user)


def remember_device(request: Request, response: Response, user: User) -> None:
    """This browser is the owner's: what strangers lock stays open here. See `app.accounts.login_throttle`."""
    remember_device_as(request, response, device_gid(user))


def remember_device_as(request: Request, response: Response, known_as: Gid) -> None:
    """Like `remember_device`, with the gid that the account's owner presents later."""
    signed = parley_of(request).signer.sign(known_as, DEVICE)
    _set_cookie(request, response, DEVICE_COOKIE, signed, KNOWN)


def forget_login(request: Request, response: Response) -> None:
    response.delete_cookie(_named(request, COOKIE), secure=_is_secure(request), httponly=True, samesite="lax")


def _set_cookie(request: Request, response: Response, name: str, value: str, seconds: int | None) -> None:
    response.set_cookie(
        _named(request, name), value, max_age=seconds, secure=_is_secure(request), httponly=True, samesite="lax"
    )


def _opened(request: Request, cookie: str, purpose: str, seconds: int) -> Gid | None:
    try:
        return parley_of(request).signer.open(request.cookies.get(_named(request, cookie), ""), purpose, seconds)
    except BadGid:
        return None


def _is_secure(request: Request) -> bool:
    """Over TLS; in production by the operator's word, whatever a proxy forgets to say."""
    settings = parley_of(request).settings
    promised = settings.environment == "production" and settings.public_url.startswith("https:")
    return promised or request.url.scheme == "https"


def _named(request: Request, cookie: str) -> str:
    return _name(parley_of(request).settings, cookie, _is_secure(request))


def cookie_of_logins(settings: Settings) -> str:
    """The name of the cookie that carries the login, where people have the service in their browsers."""
    return _name(settings, COOKIE, settings.public_url.startswith("https:"))


def _name(settings: Settings, cookie: str, secure: bool) -> str:
    """Over TLS a name that browsers let nobody set but this host, over TLS: no sister site, no man in the middle.

    That demands the path "/", behind ROOT_PATH, too. A path keeps no script of the same host out anyway; what it would
    keep apart, two Parleys of one host, their names do.
    """
    cookie += settings.root_path.replace("/", ".")
    return f"__Host-{cookie}" if secure else cookie


def _device(request: Request) -> str:
    """A few words on the device, for its owner to know it again: "Firefox on Linux"."""
    found = parse(request.headers.get("user-agent", "")[:500])
    names = [part.family for part in (found.user_agent, found.os) if part and part.family != "Other"]
    return " on ".join(names)[:LONGEST_DEVICE]
