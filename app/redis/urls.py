"""REDIS_URL taken apart: which kind of Redis it names, and the URL of one of its servers. Knows no library.

    embedded://                                            a private server that the app starts (`app.redis.embedded`)
    redis://[[user]:password@]host[:6379][/db]             one server
    unix://[[user]:password@]/path/of/socket[?db=0]
    redis+sentinel://[…@]host[:26379],…/service[/db]       the master that these sentinels name
    redis+cluster://[…@]host[:6379],…                      any node of the cluster that these belong to

`rediss` in place of `redis` is TLS, and what follows the `?` are redis-py's own words: `ssl_ca_certs`, `ssl_certfile`
and `ssl_keyfile` (paths), `ssl_check_hostname`, `ssl_cert_reqs=none`. Sentinels that ask for a password have theirs in
`sentinel_username` and `sentinel_password`. A name or a password may have its special characters as %40.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

SERVER, SENTINEL = 6379, 26379  # the ports that are not said

FORMS = {
    "server": re.compile(r"[^/,]+(/\d*)?"),
    "unix": re.compile(r"/.+"),
    "sentinel": re.compile(r"[^/]+/[^/]+(/\d*)?"),
    "cluster": re.compile(r"[^/]+/?"),
}
EXAMPLES = {
    "server": "redis://user:password@host:6379/0",
    "unix": "unix:///run/redis/redis.sock",
    "sentinel": "redis+sentinel://user:password@host1:26379,host2:26379/service/0",
    "cluster": "redis+cluster://user:password@host1:6379,host2:6379",
}
TLS = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname", "ssl_cert_reqs"})
OF_SENTINELS = frozenset({"sentinel_username", "sentinel_password"})
VALUES = {
    "db": re.compile(r"\d+"),
    "ssl_check_hostname": re.compile(r"true|false"),
    "ssl_cert_reqs": re.compile(r"none|required"),
}

Kind = Literal["embedded", "server", "unix", "sentinel", "cluster"]


@dataclass(frozen=True)
class RedisUrl:
    kind: Kind
    tls: bool
    user: str
    password: str
    hosts: tuple[tuple[str, int], ...]
    service: str  # the name by which sentinels know their master
    db: int
    query: Mapping[str, str]

    @property
    def nodes(self) -> list[str]:
        return [f"{_bracketed(host)}:{port}" for host, port in self.hosts]

    def url_of(self, host: str, port: int) -> str:
        """The URL of one server of these, with the same login and TLS."""
        return self._plain(host, port, self.user, self.password, f"/{self.db}")

    def url_of_sentinel(self, host: str, port: int) -> str:
        user, password = (self.query.get(f"sentinel_{name}", "") for name in ("username", "password"))
        return self._plain(host, port, user, password, "")

    def _plain(self, host: str, port: int, user: str, password: str, path: str) -> str:
        login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user or password else ""
        query = urlencode({name: value for name, value in self.query.items() if name in TLS})
        scheme = "rediss" if self.tls else "redis"
        return f"{scheme}://{login}{_bracketed(host)}:{port}{path}{query and '?'}{query}"


def parse(url: str) -> RedisUrl:
    """Raises ValueError, which says what is wrong and repeats no password."""
    scheme, separator, rest = url.partition("://")
    kind, tls = _kind_of(scheme if separator else "")
    if kind == "embedded":
        return RedisUrl(kind, False, "", "", (), "", 0, {})
    place, _, said = rest.partition("?")
    login, _, place = place.rpartition("@")
    if not FORMS[kind].fullmatch(place):
        raise ValueError(f"give it as {EXAMPLES[kind]}")
    query = _query(said, _allowed(kind, tls))
    user, _, password = login.partition(":")
    hosts, _, path = ("", "", "") if kind == "unix" else place.partition("/")
    service, _, db = path.partition("/") if kind == "sentinel" else ("", "", path)
    return RedisUrl(
        kind, tls, unquote(user), unquote(password), tuple(_hosts(hosts, SENTINEL if kind == "sentinel" else SERVER)),
        unquote(service), int(query.get("db") or db or 0), query,
    )  # fmt: skip


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _kind_of(scheme: str) -> tuple[Kind, bool]:
    kinds: dict[str, Kind] = {"": "server", "+sentinel": "sentinel", "+cluster": "cluster"}
    if scheme == "embedded":
        return "embedded", False
    if scheme == "unix":
        return "unix", False
    for name in ("rediss", "redis"):
        if scheme.startswith(name) and (kind := kinds.get(scheme.removeprefix(name))):
            return kind, name == "rediss"
    raise ValueError(
        "give embedded:// or a redis://, rediss://, unix://, redis+sentinel:// or redis+cluster:// URL"
        " (rediss+… for TLS)"
    )


def _allowed(kind: Kind, tls: bool) -> frozenset[str]:
    of_kind = {"sentinel": OF_SENTINELS, "cluster": frozenset[str]()}.get(kind, frozenset({"db"}))
    return of_kind | (TLS if tls else frozenset())


def _hosts(places: str, port: int) -> list[tuple[str, int]]:
    hosts = []
    for place in places.split(",") if places else []:
        parts = urlsplit(f"//{place}")
        try:
            number = parts.port
        except ValueError:
            number = 0
        if not parts.hostname or number == 0:
            raise ValueError("there is a host or a port that is none; hosts are host:port, separated by commas")
        hosts.append((parts.hostname, number or port))
    return hosts


def _query(said: str, allowed: frozenset[str]) -> Mapping[str, str]:
    query = dict(parse_qsl(said, keep_blank_values=True))
    for name, value in query.items():
        if name not in allowed:
            raise ValueError(f"{name[:40]!r} is no parameter of this kind of URL; there may be {sorted(allowed)}")
        if (form := VALUES.get(name)) and not form.fullmatch(value):
            raise ValueError(f"{name} is {form.pattern.replace('|', ' or ')}")
    _try_files(query)
    return query


def _try_files(query: Mapping[str, str]) -> None:
    """At the start, not at the first connection: a file that is not there would look like a Redis that is not."""
    authorities, certificate, key = (query.get(f"ssl_{name}") for name in ("ca_certs", "certfile", "keyfile"))
    if key and not certificate:
        raise ValueError("ssl_keyfile is the key of an ssl_certfile, which is missing")
    if not authorities and not certificate:
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # without the machine's certificates, which take 30 ms to load
    try:
        if authorities:
            context.load_verify_locations(authorities)
        if certificate:
            context.load_cert_chain(certificate, key)
    except OSError as error:  # no such file, or one with something else in it
        files = " ".join(file for file in (authorities, certificate, key) if file)
        why = error.strerror if isinstance(error, FileNotFoundError | PermissionError) else "not what it should be"
        raise ValueError(f"{files}: {why}") from None
