"""REDIS_URL: the kind of Redis that it names, and the URL of each of its servers.

    embedded://                                            a private server that Parley starts (`app.redis.embedded`)
    redis://[[user]:password@]host[:6379][/db]             one server
    unix://[[user]:password@]/path/of/socket[?db=0]
    redis+sentinel://[…@]host[:26379],…/service[/db]       the master that these sentinels name
    redis+cluster://[…@]host[:6379],…                      the cluster of these nodes

`rediss` in place of `redis` is TLS. Its options follow the `?` and have the names of redis-py: `ssl_ca_certs`,
`ssl_certfile` and `ssl_keyfile` (paths), `ssl_check_hostname`, `ssl_cert_reqs=none`. The sentinels' own login is in
`sentinel_username` and `sentinel_password`. A user or a password may contain special characters as %40.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Literal, NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlencode

from pydantic_core import MultiHostUrl, ValidationError

Kind = Literal["embedded", "server", "unix", "sentinel", "cluster"]
MAX_HOSTS = 1_000


class Form(NamedTuple):
    """The parts of a kind of URL."""

    hosts: range  # how many
    port: int  # the default
    path: str  # a regular expression
    options: AbstractSet[str]
    example: str


SCHEMES: Mapping[str, tuple[Kind, bool]] = {  # with TLS or without
    "embedded": ("embedded", False),
    "redis": ("server", False), "rediss": ("server", True),
    "unix": ("unix", False),
    "redis+sentinel": ("sentinel", False), "rediss+sentinel": ("sentinel", True),
    "redis+cluster": ("cluster", False), "rediss+cluster": ("cluster", True),
}  # fmt: skip
FORMS: Mapping[Kind, Form] = {
    "server": Form(range(1, 2), 6379, r"(/\d*)?", {"db"}, "redis://user:password@host:6379/0"),
    "unix": Form(range(1), 0, r"/.+", {"db"}, "unix:///run/redis/redis.sock"),
    "sentinel": Form(
        range(1, MAX_HOSTS), 26379, r"/[^/]+(/\d*)?", {"sentinel_username", "sentinel_password"},
        "redis+sentinel://user:password@host1:26379,host2:26379/service/0",
    ),
    "cluster": Form(range(1, MAX_HOSTS), 6379, r"/?", set(), "redis+cluster://user:password@host1:6379,host2:6379"),
}  # fmt: skip
TLS_OPTIONS = {"ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname", "ssl_cert_reqs"}
VALUES = {"db": r"\d+", "ssl_check_hostname": r"true|false", "ssl_cert_reqs": r"none|required"}


@dataclass(frozen=True)
class RedisUrl:
    kind: Kind
    tls: bool = False
    user: str = ""
    password: str = ""
    hosts: tuple[tuple[str, int], ...] = ()
    service: str = ""  # the name by which sentinels know their master
    db: int = 0
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def nodes(self) -> list[str]:
        return [f"{_bracketed(host)}:{port}" for host, port in self.hosts]

    def url_of(self, host: str, port: int) -> str:
        """The URL of one of the servers, with the same login and TLS."""
        return self._url(host, port, self.user, self.password, f"/{self.db}")

    def url_of_sentinel(self, host: str, port: int) -> str:
        user, password = (self.options.get(f"sentinel_{name}", "") for name in ("username", "password"))
        return self._url(host, port, user, password, "")

    def _url(self, host: str, port: int, user: str, password: str, path: str) -> str:
        login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user or password else ""
        query = urlencode({name: value for name, value in self.options.items() if name in TLS_OPTIONS})
        scheme = "rediss" if self.tls else "redis"
        return f"{scheme}://{login}{_bracketed(host)}:{port}{path}{query and '?'}{query}"


def parse(url: str) -> RedisUrl:
    """Raises ValueError for a wrong URL. The message contains no password."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in SCHEMES:
        raise ValueError(f"the URL must begin with one of {', '.join(f'{scheme}://' for scheme in SCHEMES)}")
    kind, tls = SCHEMES[scheme]
    if kind == "embedded":
        return RedisUrl(kind)
    # MultiHostUrl rejects a login without a host, and a "/" in a password. So the login is split off first.
    rest, _, query = rest.partition("?")
    login, _, place = rest.rpartition("@")
    user, _, password = login.partition(":")
    hosts, path = _split(scheme, FORMS[kind], place)
    service, _, db = path.partition("/") if kind == "sentinel" else ("", "", "" if kind == "unix" else path)
    options = _options(query, FORMS[kind].options | (TLS_OPTIONS if tls else set()))
    number = int(options.get("db") or db or 0)
    return RedisUrl(kind, tls, unquote(user), unquote(password), hosts, unquote(service), number, options)


def _split(scheme: str, form: Form, place: str) -> tuple[tuple[tuple[str, int], ...], str]:
    """The hosts, and the path without its first slash."""
    try:
        url = MultiHostUrl(f"{scheme}://{place}")
    except ValidationError as error:
        raise ValueError(f"{error.errors()[0]['msg']}; give it as {form.example}") from None
    hosts, path = url.hosts(), url.path or ""
    if len(hosts) not in form.hosts or any(host["port"] == 0 for host in hosts) or not re.fullmatch(form.path, path):
        raise ValueError(f"give it as {form.example}")
    named = [(unquote(host["host"] or "").strip("[]").lower(), host["port"] or form.port) for host in hosts]
    return tuple(named), path.removeprefix("/")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _options(query: str, allowed: AbstractSet[str]) -> Mapping[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    for name, value in options.items():
        if name not in allowed:
            raise ValueError(f"{name[:40]!r} is not an option of this kind of URL; the options are {sorted(allowed)}")
        if (form := VALUES.get(name)) and not re.fullmatch(form, value):
            raise ValueError(f"{name} must be {form.replace('|', ' or ')}")
    _check_files(options)
    return options


def _check_files(options: Mapping[str, str]) -> None:
    """Raises ValueError for a file that cannot be loaded. Otherwise the error would appear at the first connection."""
    authorities, certificate, key = (options.get(f"ssl_{name}") for name in ("ca_certs", "certfile", "keyfile"))
    if key and not certificate:
        raise ValueError("ssl_keyfile needs an ssl_certfile")
    if not authorities and not certificate:
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # without the machine's certificates, which take 30 ms to load
    try:
        if authorities:
            context.load_verify_locations(authorities)
        if certificate:
            context.load_cert_chain(certificate, key)
    except OSError as error:  # SSLError is one, too
        files = " ".join(file for file in (authorities, certificate, key) if file)
        why = error.strerror if isinstance(error, FileNotFoundError | PermissionError) else "not a certificate or key"
        raise ValueError(f"{files}: {why}") from None
