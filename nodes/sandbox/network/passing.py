"""One connection out of a sandbox: what it asks for is looked at, and passed on or refused."""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import h11

from nodes.reach import OutOfReach, Reach, Unresolved
from nodes.sandbox.network.domains import as_host, covers
from nodes.sandbox.network.wire import Wire, pumped
from nodes.sandbox.port import Network

if TYPE_CHECKING:
    from nodes.sandbox.network.authority import Authority

#: Of one hop, and for us alone. Source: RFC 9110, 7.6.1.
_HOP = frozenset(
    b"connection keep-alive proxy-connection proxy-authorization proxy-authenticate te trailer upgrade expect".split()
)


class Refused(Exception):
    """What code inside is told, as an answer of HTTP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one sandbox."""

    connections: int = 64
    #: Both ways, over its life.
    total_bytes: int = 2 << 30
    connect_s: float = 10.0
    #: Of one connection.
    life_s: float = 900.0
    #: None: any.
    ports: frozenset[int] | None = frozenset({80, 443})


@dataclass(frozen=True, slots=True)
class Border:
    """What one sandbox may reach, and how."""

    network: Network
    reach: Reach
    limits: Limits = field(default_factory=Limits)
    #: Signs for the domains that have secrets.
    authority: "Authority | None" = None
    #: How the real servers are known.
    tls: Callable[[], ssl.SSLContext] = ssl.create_default_context

    def has_secrets(self, host: str) -> bool:
        return covers([secret.domain for secret in self.network.secrets], host)

    def filled(self, headers: Sequence[tuple[bytes, bytes]], host: str) -> list[tuple[bytes, bytes]]:
        """The headers with the values of the secrets of `host` for their names."""
        secrets = [secret for secret in self.network.secrets if covers([secret.domain], host)]
        out: list[tuple[bytes, bytes]] = []
        for name, value in headers:
            for secret in secrets:
                value = value.replace(secret.name.encode(), secret.value.encode())
            out.append((name, value))
        return out

    async def connect(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """To an address that was looked at. Raises `Refused`."""
        if not (self.network.anywhere or covers(self.network.allowed_domains, host)):
            raise Refused(403, f"{host} is not among the allowed domains of this container.")
        if self.limits.ports is not None and port not in self.limits.ports:
            raise Refused(403, f"Port {port} of {host} cannot be reached from this container.")
        try:
            async with asyncio.timeout(self.limits.connect_s):
                return await _first(await self.reach.addresses(host, port), port)
        except OutOfReach as error:
            raise Refused(403, f"{host} is not on the public internet.") from error
        except (Unresolved, OSError) as error:  # a timeout is one, too
            raise Refused(502, f"{host} cannot be reached.") from error


async def _first(addresses: Sequence[str], port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    failed: OSError = OSError("no address")
    for address in addresses:
        try:
            return await asyncio.open_connection(address, port)
        except OSError as error:
            failed = error
    raise failed


class Target(NamedTuple):
    host: str
    port: int

    @classmethod
    def of(cls, authority: str, default_port: int) -> "Target":
        """Raises `Refused`."""
        try:
            parts = urlsplit(f"//{authority}")
            port = parts.port or default_port
        except ValueError as error:
            raise Refused(400, "That is no address.") from error
        host = as_host(parts.hostname or "")
        if not host or parts.username is not None:
            raise Refused(400, "That is no address.")
        return cls(host, port)


async def passed(inside: Wire, border: Border) -> None:
    """Serve one connection from inside. Raises `Refused`, and what streams and h11 raise."""
    request = await inside.event()
    if not isinstance(request, h11.Request):
        return
    if request.method == b"CONNECT":
        await _tunnelled(inside, Target.of(request.target.decode("ascii", "replace"), 443), border)
        return
    url = urlsplit(request.target.decode("ascii", "replace"))
    if url.scheme != "http":
        raise Refused(400, "This is a proxy: ask for a whole http:// URL, or for CONNECT.")
    target = Target.of(url.netloc, 80)
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    reader, writer = await border.connect(*target)
    outside = Wire(reader, writer, h11.CLIENT, inside.count)
    await _exchanged(inside, outside, _asked(request, path, url.netloc, border.filled(request.headers, target.host)))


def _asked(request: h11.Request, path: str, authority: str, headers: Sequence[tuple[bytes, bytes]]) -> h11.Request:
    """The request as the server gets it: for the host that was looked at, whatever `Host` said."""
    kept = [(name, value) for name, value in headers if name not in _HOP and name != b"host"]
    asked = [(b"host", authority.encode()), *kept, (b"connection", b"close")]
    return h11.Request(method=request.method, target=path, headers=asked)


async def _exchanged(inside: Wire, outside: Wire, asked: h11.Request) -> None:
    """One request and its answer; then both sides are done."""
    try:
        await outside.send(asked)
        async for event in inside.rest():
            await outside.send(event)
        async for event in outside.rest():
            if isinstance(event, h11.Response):
                kept = [(name, value) for name, value in event.headers if name not in _HOP]
                event = h11.Response(status_code=event.status_code, headers=[*kept, (b"connection", b"close")])
            await inside.send(event)
    finally:
        outside.writer.close()


async def _tunnelled(inside: Wire, target: Target, border: Border) -> None:
    reader, writer = await border.connect(*target)
    outside = Wire(reader, writer, h11.CLIENT, inside.count)
    try:
        await inside.event()  # its end
        if border.authority and border.has_secrets(target.host):
            certified = await border.authority.context(target.host)
            await _opened(inside, outside, target, Tls(certified, await asyncio.to_thread(border.tls), border))
            return
        await inside.send(h11.Response(status_code=200, headers=[]))
        outside.writer.write(inside.http.trailing_data[0])
        async with asyncio.TaskGroup() as both:
            both.create_task(pumped(inside, outside))
            both.create_task(pumped(outside, inside))
    finally:
        outside.writer.close()


class Tls(NamedTuple):
    """How we are known inside, and how we know the server."""

    inside: ssl.SSLContext
    outside: ssl.SSLContext
    border: Border


async def _opened(inside: Wire, outside: Wire, target: Target, tls: Tls) -> None:
    """TLS to both sides, so that secrets can be put into the headers of what is asked."""
    try:
        await outside.writer.start_tls(tls.outside, server_hostname=target.host)
    except ssl.SSLError as error:
        raise Refused(502, f"{target.host} has no certificate that holds.") from error
    inside.writer.transport.pause_reading()  # pyright: ignore[reportAttributeAccessIssue]  # TLS may follow at once
    await inside.send(h11.Response(status_code=200, headers=[]))
    await inside.writer.start_tls(tls.inside)
    opened = Wire(inside.reader, inside.writer, h11.SERVER, inside.count)
    request = await opened.event()
    if isinstance(request, h11.Request):
        path = request.target.decode("ascii", "replace")
        filled = tls.border.filled(request.headers, target.host)
        await _exchanged(opened, outside, _asked(request, path, _authority(target), filled))


def _authority(target: Target) -> str:
    return target.host if target.port == 443 else f"{target.host}:{target.port}"
