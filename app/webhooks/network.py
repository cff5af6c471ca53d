"""The network of webhooks: connections to public addresses only, so that a URL cannot reach into the own network.

The name is resolved here, and the connection goes to the address that was checked. If the check and the connection
resolved the name separately, a DNS server could give a public address first and a private one afterwards.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address

import httpcore

from app.embedded_ipv4 import embedded_ipv4


class Refused(Exception):
    """The host has an address that is not public."""


def is_public(address: str) -> bool:
    """Whether this IP address belongs to the internet, and not to a private network or this machine."""
    ip = ip_address(address)
    if isinstance(ip, IPv6Address) and (inner := embedded_ipv4(ip)):
        ip = inner
    return ip.is_global and not ip.is_multicast


class PublicNetwork(httpcore.AnyIOBackend):
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (httpcore's signature)
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises Refused, and httpcore's errors."""
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
        if not all(map(is_public, addresses)):
            raise Refused("the host has a private address; see WEBHOOK_ALLOW_PRIVATE")
        for address in addresses[:-1]:
            try:
                return await super().connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await super().connect_tcp(addresses[-1], port, timeout, local_address, socket_options)
