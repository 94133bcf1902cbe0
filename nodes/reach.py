"""Which hosts a caller may name: those all of whose addresses are on the public internet, unless told otherwise.

Whatever fetches a URL that a request, a page or a model names asks here first, for every redirect again.
"""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

#: What IPv6 has on the internet. Source: IANA, "IPv6 Global Unicast Address Assignments".
_UNICAST = IPv6Network("2000::/3")
#: Carries an IPv4 address in its last 32 bits.
_NAT64 = IPv6Network("64:ff9b::/96")
#: 6to4, Teredo; documentation, which older versions of Python take for the internet.
_TUNNELS = (IPv6Network("2002::/16"), IPv6Network("2001::/32"), IPv6Network("3fff::/20"))
#: Of the IETF and the relays of 6to4. Source: IANA, "IPv4 Special-Purpose Address Registry". The last is Azure's own
#: service for machines that run there. Source: Microsoft, "What is IP address 168.63.129.16?".
_SPECIAL = tuple(map(IPv4Network, ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32")))
_PORTS = 2**16
_ASKING, _ASKED_AT_ONCE = "asks for a name", 128


class OutOfReach(Exception):
    """The host leads to an address that callers may not name."""


class Unresolved(Exception):
    """The host has no address, or no such port."""


def is_public(address: str) -> bool:
    """False for loopback, private, link-local, metadata, shared, multicast, mapped and tunnelled addresses."""
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        if (inner := _carried(ip)) is not None:
            return is_public(str(inner))
        if ip not in _UNICAST or any(ip in tunnel for tunnel in _TUNNELS):
            return False
    elif any(ip in special for special in _SPECIAL):
        return False
    return ip.is_global and not ip.is_multicast


def _carried(ip: IPv6Address) -> IPv4Address | None:
    return ip.ipv4_mapped or (IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None)


async def _resolved(host: str, port: int) -> list[str]:
    """Raises `OSError`, also when very many names are being asked for.

    The loop asks for two names at once, and a stranger's name server may leave it waiting with each for ten seconds and
    more: the model server's name would have to wait behind them. So these are asked for beside the loop, each alone.
    """
    if sum(thread.name == _ASKING for thread in threading.enumerate()) >= _ASKED_AT_ONCE:
        raise OSError("too many names are asked for")
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[str]] = loop.create_future()
    # A daemon: the process does not wait for it when it ends.
    threading.Thread(target=_ask, args=(host, port, answer, loop), name=_ASKING, daemon=True).start()
    return await answer


def _ask(host: str, port: int, answer: "asyncio.Future[list[str]]", loop: asyncio.AbstractEventLoop) -> None:
    found: list[str] = []
    failed: Exception | None = None
    try:
        found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, ValueError) as error:
        failed = error
    with suppress(RuntimeError):  # the loop has ended meanwhile
        loop.call_soon_threadsafe(_settle, answer, found, failed)


def _settle(answer: "asyncio.Future[list[str]]", found: list[str], failed: Exception | None) -> None:
    if answer.done():  # nobody waits for it any more
        return
    if failed:
        answer.set_exception(failed)
    else:
        answer.set_result(found)


@dataclass(frozen=True, slots=True)
class Reach:
    """What callers may name besides the public internet."""

    loopback: bool = False
    private: bool = False
    #: Hosts and networks besides, in lower case: `mcp.internal`, `10.1.2.0/24`.
    allowed: tuple[str, ...] = ()
    #: What a name leads to. Raises `OSError`.
    resolve: Callable[[str, int], Awaitable[list[str]]] = _resolved

    def covers(self, address: str) -> bool:
        if self.private or is_public(address):
            return True
        ip = ip_address(address.partition("%")[0])
        return (self.loopback and ip.is_loopback) or any(ip in network for network in self._networks())

    def _networks(self) -> list[IPv4Network | IPv6Network]:
        return [network for entry in self.allowed if (network := as_network(entry))]

    def _names(self, host: str) -> bool:
        return host.rstrip(".").lower() in self.allowed

    def plainly_excludes(self, host: str) -> bool:
        """Whether `host` says so itself, without asking DNS: `localhost`, or an address in any notation."""
        if self._names(host):
            return False
        name = host.rstrip(".").lower()
        if name == "localhost" or name.endswith(".localhost"):
            return not self.covers("127.0.0.1")
        address = _address(host)
        return address is not None and not self.covers(address)

    async def addresses(self, host: str, port: int) -> list[str]:
        """Every address of `host`; connect to these, for a name may lead elsewhere when it is asked again.

        Raises `OutOfReach` if one of them is not covered, and `Unresolved`.
        """
        if self.plainly_excludes(host):
            raise OutOfReach(host)
        if not 0 <= port < _PORTS:  # else it would be known only where the connection is made, as a bug
            raise Unresolved(host)
        try:
            addresses = list(dict.fromkeys(await self.resolve(host, port)))
        except (OSError, UnicodeError) as error:
            raise Unresolved(host) from error
        if not self._names(host) and not all(map(self.covers, addresses)):
            raise OutOfReach(host)
        return addresses


def as_network(entry: str) -> IPv4Network | IPv6Network | None:
    """What an entry of an allow-list covers if it is no name: an address covers itself."""
    try:
        return ip_network(entry, strict=False)
    except ValueError:
        return None


def _address(host: str) -> str | None:
    """`host` as an address if it is one: also `2130706433`, `0x7f.1` and the like."""
    host = host.rstrip(".")
    try:
        return str(ip_address(host.partition("%")[0]))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return None
