"""Host names: which names this service answers to, by the `Host` header of a request.

Another site can point its own name at this machine ("DNS rebinding"). Its page then has the same origin as we have, and
can read our pages, for example `/dev/mail` in development. For that it needs a name in the public DNS. So:

1. IP addresses, names without a dot, and names below `.localhost` are answered to: nobody can register these.
2. Any other name has to be PUBLIC_URL's, or one of ALLOWED_HOSTS (`*` allows every name).
3. /dev/mail is shown under the names of (1) alone.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from app.http.problems import Problem
from app.settings import Settings

MISDIRECTED = 421
NOT_OURS = "This service does not answer to this name. Its operator sets the name by PUBLIC_URL or ALLOWED_HOSTS."
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::[0-9]{1,5})?", re.ASCII)


def own_names(settings: Settings) -> Collection[str]:
    """The names of this service (2)."""
    return settings.allowed_hosts | {urlsplit(settings.public_url).hostname or ""}


def refuse_unknown_host(names: Collection[str], scope: Scope) -> Problem | None:
    """421 for a request whose `Host` is not one of these names. Without that header it is not from a browser."""
    hosts = Headers(scope=scope).getlist("host")
    ours = len(hosts) <= 1 and all(_is_ours(name_in(host), names) for host in hosts)
    return None if ours else Problem(MISDIRECTED, NOT_OURS)


def _is_ours(name: str | None, names: Collection[str]) -> bool:
    return "*" in names or (name is not None and (name in names or is_unregistrable(name)))


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
