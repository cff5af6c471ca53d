"""Networks: under which names a request's address is counted, by limits and by bounds on what is open.

1. Every request has a name, so that no limit fails open. An address that is none ("unknown", "192.0.2.1:80x") shares
   one name with all others of its kind.
2. An IPv6 customer gets a whole network, of 64 bits at home and of up to 48 elsewhere (RFC 6177). So an address counts
   under its /64, and under its /48, which may have `TIMES_OF_48` as much.
3. An IPv6 address that carries an IPv4 address (mapped, 6to4, Teredo, NAT64) counts as that: whoever has the one could
   otherwise choose among the others.
4. This machine itself is not counted in development. It is where a request comes from with a loopback address, or by a
   unix socket, and without X-Forwarded-For: a client cannot claim to be here by a header. In production such a request
   comes from a proxy that does not say for whom it asks. All of these share one name, with `TIMES_OF_MACHINE` as much.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache, lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.datastructures import Headers
from starlette.types import Scope

TIMES_OF_48 = 4
TIMES_OF_MACHINE = 10
MAX_CACHED = 4_096  # addresses
MAX_ADDRESS_CHARACTERS = 64  # longer ones are no addresses, and are not worth parsing
NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052
FORWARDED_FOR = "x-forwarded-for"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Network:
    """What is counted together, and how many times the bound of one address it may use."""

    name: str
    times: int = 1


Networks = tuple[Network, ...]  # the narrowest first

UNKNOWN: Networks = (Network("unknown"),)
MACHINE: Networks = (Network("this machine", TIMES_OF_MACHINE),)


def networks_of(scope: Scope, environment: str) -> Networks:
    """Under which networks this request is counted; none at all in development, from this machine itself (4)."""
    client = scope.get("client")
    address = client[0] if client else ""
    if _is_this_machine(address) and FORWARDED_FOR not in Headers(scope=scope):
        if environment == "production":
            _warn_of_proxy()
            return MACHINE
        return ()
    found = networks_of_address(address)
    if found is UNKNOWN:
        _warn_of_unknown()
    return found


def networks_of_address(address: str) -> Networks:
    """Under which networks an address is counted that somebody has forwarded."""
    return _parse(address) if len(address) <= MAX_ADDRESS_CHARACTERS else UNKNOWN


@lru_cache(MAX_CACHED)
def _parse(address: str) -> Networks:
    try:
        ip = ip_address(address)
    except ValueError:
        return UNKNOWN
    if isinstance(ip, IPv6Address):
        ip = _carried(ip) or IPv6Address(int(ip))  # without its zone, which a client can choose
    if isinstance(ip, IPv4Address):
        return (Network(str(ip)),)
    return Network(str(ip_network((ip, 64), strict=False))), Network(
        str(ip_network((ip, 48), strict=False)), TIMES_OF_48
    )


def _carried(ip: IPv6Address) -> IPv4Address | None:
    """The IPv4 address in an IPv6 address (3)."""
    if ip in NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo and ip.teredo[1])


def _is_this_machine(address: str) -> bool:
    """A unix socket has no address."""
    try:
        ip = ip_address(address)
    except ValueError:
        return True  # sockets of TCP have one, so it is no client's: see `networks_of`
    return ip.is_loopback or (isinstance(ip, IPv6Address) and bool(ip.ipv4_mapped and ip.ipv4_mapped.is_loopback))


@cache
def _warn_of_proxy() -> None:
    """Once."""
    log.warning(
        "limits: requests come from this machine itself and share one limit; the proxy must send X-Forwarded-For, and"
        " FORWARDED_ALLOW_IPS must name the proxy"
    )


@cache
def _warn_of_unknown() -> None:
    """Once."""
    log.warning("limits: X-Forwarded-For names no address; such requests share the limits of one address")
