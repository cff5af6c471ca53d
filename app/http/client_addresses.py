"""Networks: the names under which limits, and bounds on open streams, count a request's address.

1. Every request has a name, so that no limit fails open. All addresses that do not parse ("unknown", "192.0.2.1:80x")
   share one name.
2. An IPv6 customer gets a whole network: a /64 at home, and up to a /48 elsewhere (RFC 6177). So an address counts
   under its /64, and under its /48, whose bound is `TIMES_OF_48` times as high.
3. An IPv6 address that contains an IPv4 address (mapped, 6to4, Teredo, NAT64) counts as the IPv4 address. Otherwise a
   person with one IPv4 address would have several counts.
4. A request comes from this machine itself if its address is a loopback address or a unix socket, and it has no
   X-Forwarded-For. So a header cannot claim this. In development it is not counted. In production it comes from a proxy
   that does not send the client's address: all such requests share one name, with `TIMES_OF_MACHINE` times the bound.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache, lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from starlette.datastructures import Headers
from starlette.types import Scope

from app.embedded_ipv4 import embedded_ipv4

TIMES_OF_48 = 4
TIMES_OF_MACHINE = 10
MAX_CACHED = 4_096  # addresses
MAX_ADDRESS_CHARACTERS = 64  # longer ones are no addresses, and are not worth parsing
FORWARDED_FOR = "x-forwarded-for"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Network:
    """Addresses that are counted together. Their bound is `times` that of one address."""

    name: str
    times: int = 1


Networks = tuple[Network, ...]  # the narrowest first

UNKNOWN: Networks = (Network("unknown"),)
MACHINE: Networks = (Network("this machine", TIMES_OF_MACHINE),)


def networks_of(scope: Scope, environment: str) -> Networks:
    """The networks under which this request is counted; none in development for this machine itself (4)."""
    client = scope.get("client")
    address = client[0] if client else ""
    if _is_this_machine(address[: MAX_ADDRESS_CHARACTERS + 1]) and FORWARDED_FOR not in Headers(scope=scope):
        if environment == "production":
            _warn_of_proxy()
            return MACHINE
        return ()
    found = networks_of_address(address)
    if found is UNKNOWN:
        _warn_of_unknown()
    return found


def networks_of_address(address: str) -> Networks:
    return _parse(address) if len(address) <= MAX_ADDRESS_CHARACTERS else UNKNOWN


@lru_cache(MAX_CACHED)
def _parse(address: str) -> Networks:
    try:
        ip = ip_address(address)
    except ValueError:
        return UNKNOWN
    if isinstance(ip, IPv6Address):
        ip = embedded_ipv4(ip) or IPv6Address(int(ip))  # without its zone, which a client can choose
    if isinstance(ip, IPv4Address):
        return (Network(str(ip)),)
    return Network(str(ip_network((ip, 64), strict=False))), Network(
        str(ip_network((ip, 48), strict=False)), TIMES_OF_48
    )


@lru_cache(MAX_CACHED)
def _is_this_machine(address: str) -> bool:
    """Whether this is a loopback address or a unix socket, which has no address."""
    try:
        ip = ip_address(address)
    except ValueError:
        return True  # a TCP connection always has an address
    return ip.is_loopback or (isinstance(ip, IPv6Address) and bool(ip.ipv4_mapped and ip.ipv4_mapped.is_loopback))


@cache
def _warn_of_proxy() -> None:
    """Once."""
    log.warning(
        "limits: requests come from this machine itself and share one limit; make the proxy send X-Forwarded-For, and"
        " name the proxy in FORWARDED_ALLOW_IPS"
    )


@cache
def _warn_of_unknown() -> None:
    """Once."""
    log.warning("limits: X-Forwarded-For contains no valid address; such requests share the limits of one address")
