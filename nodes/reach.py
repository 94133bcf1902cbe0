"""Which hosts a caller may name: those all of whose addresses are on the public internet, unless told otherwise."""

import asyncio
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

#: IPv6 ranges that carry an IPv4 address in their last 32 bits, and ranges that tunnel to one.
_NAT64 = IPv6Network("64:ff9b::/96")
_TUNNELS = (IPv6Network("2002::/16"), IPv6Network("2001::/32"), IPv6Network("64:ff9b:1::/48"), IPv6Network("::/96"))


class OutOfReach(Exception):
    """The host leads to an address that callers may not name."""


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


@dataclass(frozen=True, slots=True)
class Reach:
    """What callers may name besides the public internet."""

    loopback: bool = False
    private: bool = False

    def covers(self, address: str) -> bool:
        if self.private or is_public(address):
            return True
        return self.loopback and ip_address(address.partition("%")[0]).is_loopback

    def plainly_excludes(self, host: str) -> bool:
        """Whether `host` says so itself, without asking DNS: `localhost`, or an address in any notation."""
        name = host.rstrip(".").lower()
        if name == "localhost" or name.endswith(".localhost"):
            return not self.covers("127.0.0.1")
        address = _address(host)
        return address is not None and not self.covers(address)

    async def addresses(self, host: str, port: int) -> list[str]:
        """Every address of `host`. Raises `OutOfReach` if one of them is not covered, and `Unresolved`."""
        if self.plainly_excludes(host):
            raise OutOfReach(host)
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise Unresolved(host) from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if not all(map(self.covers, addresses)):
            raise OutOfReach(host)
        return addresses


def _address(host: str) -> str | None:
    """`host` as an address if it is one: also `2130706433`, `0x7f.1` and the like."""
    try:
        return str(ip_address(host.partition("%")[0]))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return None
