"""Host names: which names this service answers to, by the `Host` header of a request.

Another site can point its own name at this machine ("DNS rebinding"). Its page then has the same origin as we have, and
can read our pages, for example `/dev/mail` in development. For that it needs a name in the public DNS. So:

1. IP addresses, names without a dot, and names below `.localhost` are answered to: nobody can register these.
2. Any other name has to be PUBLIC_URL's, or one of ALLOWED_HOSTS (`*` allows every name).
3. /dev/mail is shown under the names of (1) alone.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.problems import Problem, on_problem
from app.settings import Settings

MISDIRECTED = 421
NOT_OURS = "This service does not answer to this name. Its operator sets the name by PUBLIC_URL or ALLOWED_HOSTS."
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::[0-9]{1,5})?", re.ASCII)


class RefuseUnknownHostsMiddleware:
    """421 for a request whose `Host` is not a name of this service. Without that header it is not from a browser."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.names = settings.allowed_hosts | {urlsplit(settings.public_url).hostname or ""}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        hosts = Headers(scope=scope).getlist("host") if scope["type"] == "http" else []
        if len(hosts) > 1 or not all(self._is_ours(host) for host in hosts):
            refusal = await on_problem(Request(scope, receive), Problem(MISDIRECTED, NOT_OURS))
            await refusal(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _is_ours(self, host: str) -> bool:
        name = name_in(host)
        return "*" in self.names or (name is not None and (name in self.names or is_unregistrable(name)))


def name_in(host: str) -> str | None:
    """The name or IP address in a `Host` header, in small letters; None if it is neither."""
    found = _HOST.fullmatch(host.strip().lower())
    return found[1].strip("[]").removesuffix(".") if found else None


def is_unregistrable(name: str) -> bool:
    """Whether nobody can have this name in the public DNS: an IP address, one word, or below localhost (RFC 6761)."""
    try:
        ip_address(name)
    except ValueError:
        return "." not in name or name.endswith(".localhost")
    return True
