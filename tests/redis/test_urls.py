from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from app.redis.client import locator
from app.redis.urls import parse

TWO = "one.example.com,two.example.com:7001"


def test_each_kind_of_url_is_parsed() -> None:
    sentinel = parse(f"redis+sentinel://parley:a%40b%2Fc@{TWO}/front/2?sentinel_password=guard")
    assert (sentinel.kind, sentinel.service, sentinel.db) == ("sentinel", "front", 2)
    assert sentinel.hosts == (("one.example.com", 26379), ("two.example.com", 7001))
    assert sentinel.url_of("10.0.0.1", 6380) == "redis://parley:a%40b%2Fc@10.0.0.1:6380/2"
    assert sentinel.url_of_sentinel("one.example.com", 26379) == "redis://:guard@one.example.com:26379"
    cluster = parse(f"redis+cluster://:secret@{TWO},[::1]:7002")
    assert cluster.nodes == ["one.example.com:6379", "two.example.com:7001", "[::1]:7002"]
    assert cluster.url_of("::1", 7002) == "redis://:secret@[::1]:7002/0"
    assert parse("embedded://").kind == "embedded"


def test_a_password_may_contain_the_separators_of_a_url() -> None:
    server = parse("redis://parley:p/w:x@y#z@Redis.example.com/3")
    assert (server.user, server.password) == ("parley", "p/w:x@y#z")
    assert (server.hosts, server.db) == ((("redis.example.com", 6379),), 3)
    socket = parse("unix://:p/w@/run/redis.sock?db=4")
    assert (socket.password, socket.hosts, socket.db) == ("p/w", (), 4)


async def test_a_url_without_a_port_gets_the_default_port() -> None:
    """The `limits` library does not know the default port."""
    assert await locator("redis://localhost").ensure() == "redis://localhost:6379/0"
    assert await locator("unix:///run/redis.sock?db=2").ensure() == "unix:///run/redis.sock?db=2"


def test_tls_settings_apply_to_every_server(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(authority))
    query = f"ssl_ca_certs={str(authority).replace('/', '%2F')}&ssl_check_hostname=false"
    url = parse(f"rediss+sentinel://{TWO}/front?{query}")
    assert url.url_of("10.0.0.1", 6379) == f"rediss://10.0.0.1:6379/0?{query}"
    assert url.url_of_sentinel("10.0.0.1", 26379) == f"rediss://10.0.0.1:26379?{query}"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://secret@x", "redis+sentinel://"), ("redisss://x", "redis+sentinel://"), ("redis://", "redis://user"),
        ("redis", "redis://"), ("unix://:secret@", "unix:///run"),
        ("redis://:secret/x@two:0", "redis://user"),
        ("redis+sentinel://secret@one,two", "/service"), ("redis+sentinel:///front", "/service"),
        ("redis+cluster://one/3", "redis+cluster://user"), ("redis://one,two/0", "redis://user"),
        ("redis://secret@one:port", "invalid port number"), ("redis+cluster://one,,two", "empty host"),
        ("redis://x/zero", "redis://user"), ("redis://x?db=one", "db must be"),
        ("redis://x?ssl_ca_certs=/ca.pem", "not an option of this kind"), ("rediss://x?ssl_ca_cert=a", "not an option"),
        ("rediss://x?ssl_cert_reqs=perhaps", "none or required"), ("rediss://x?ssl_keyfile=/key.pem", "ssl_certfile"),
        ("rediss://:secret@x?ssl_ca_certs=/nowhere/ca.pem", "/nowhere/ca.pem: No such file"),
        (f"rediss://:secret@x?ssl_ca_certs={__file__}", "not a certificate or key"),
    ],
)  # fmt: skip
def test_an_error_names_the_problem_and_no_password(url: str, said: str) -> None:
    with pytest.raises(ValueError) as complaint:  # noqa: PT011 (its words are looked at below)
        parse(url)
    assert said in str(complaint.value)
    assert "secret" not in str(complaint.value)
