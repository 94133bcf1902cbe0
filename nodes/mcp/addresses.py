"""Which hosts a caller may name: those all of whose addresses are on the public internet."""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

#: IPv6 ranges that carry an IPv4 address in their last 32 bits, and ranges that tunnel to one.
_NAT64 = IPv6Network("64:ff9b::/96")
_TUNNELS = (IPv6Network("2002::/16"), IPv6Network("2001::/32"), IPv6Network("64:ff9b:1::/48"), IPv6Network("::/96"))


class NotPublic(Exception):
    """The host leads to an address that is not on the public internet."""


class Unresolved(Exception):
    """The host has no address."""


def is_public(address: str) -> bool:
    """False for loopback, private, link-local, metadata, shared, multicast, mapped and tunnelled addresses."""
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        if (inner := _carried(ip)) is not None:
            return is_public(str(inner))
        if any(ip in tunnel for tunnel in _TUNNELS):
            return False
    return ip.is_global and not ip.is_multicast


def _carried(ip: IPv6Address) -> IPv4Address | None:
    return ip.ipv4_mapped or (IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None)


def is_plainly_private(host: str) -> bool:
    """Whether `host` says so itself, without asking DNS: `localhost`, or an address in any notation."""
    if host.rstrip(".").lower() == "localhost" or host.rstrip(".").lower().endswith(".localhost"):
        return True
    try:
        return not is_public(host)
    except ValueError:
        pass
    try:
        return not is_public(socket.inet_ntoa(socket.inet_aton(host)))
    except OSError:
        return False


async def public_addresses(host: str, port: int) -> list[str]:
    """Every address of `host`. Raises `NotPublic` if one of them is not public, and `Unresolved`."""
    if is_plainly_private(host):
        raise NotPublic(host)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unresolved(host) from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not all(map(is_public, addresses)):
        raise NotPublic(host)
    return addresses
