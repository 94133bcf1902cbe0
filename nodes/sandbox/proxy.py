"""The way out of a sandbox that has no network: a socket in a directory it sees, with a filtering proxy behind it."""

import asyncio
import hmac
import os
import secrets
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import certifi
import h11

from nodes.reach import Reach
from nodes.sandbox import places
from nodes.sandbox.network.domains import as_domain
from nodes.sandbox.network.passing import Border, Limits, Refused, passed
from nodes.sandbox.network.wire import Wire
from nodes.sandbox.port import Broken, Network, Secret

if TYPE_CHECKING:
    from nodes.sandbox.network.authority import Authority

#: For whoever connects to show that it was told the token.
_GREETING_S = 5.0
_PREFIX = "graphnexus-exit-"


def _authority(kept: Sequence[Secret]) -> "Authority":
    """It loads what makes certificates: a twentieth of a second that other starts need not take."""
    from nodes.sandbox.network.authority import Authority

    return Authority([secret.domain for secret in kept])


class Exits:
    """Opens the ways out. `reach`: what allowed domains may lead to; by default the public internet alone."""

    def __init__(
        self,
        reach: Reach | None = None,
        limits: Limits | None = None,
        tls: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    ) -> None:
        self._reach = reach or Reach()
        self._limits = limits or Limits()
        self._tls = tls

    async def open(self, network: Network) -> "Exit":
        """Raises `Broken` for what is no domain."""
        try:
            allowed = [as_domain(entry) for entry in network.allowed_domains]
            kept = [Secret(as_domain(secret.domain), secret.name, secret.value) for secret in network.secrets]
        except ValueError as error:
            raise Broken(str(error)) from error
        authority = _authority(kept) if kept else None
        border = Border(Network(allowed, kept, network.anywhere), self._reach, self._limits, authority, self._tls)
        way_out = Exit(border)
        try:
            await way_out.start()
        except BaseException:
            await way_out.close()
            raise
        return way_out


class Exit:
    """One sandbox's way out. `directory` is to be seen inside under the same name; closing it leaves nothing."""

    def __init__(self, border: Border) -> None:
        self._border = border
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._left_bytes = border.limits.total_bytes
        self.directory = ""
        self._lock = -1
        #: Whoever connects says it first: users of this machine can see the socket, too.
        self.token = secrets.token_hex(32)

    @property
    def socket(self) -> str:
        return f"{self.directory}/exit.sock"

    @property
    def certificates(self) -> str:
        """A file of the authorities that code inside may trust."""
        return f"{self.directory}/certificates.pem"

    async def start(self) -> None:
        self.directory = await asyncio.to_thread(self._prepared)
        self._server = await asyncio.start_unix_server(self._accepted, self.socket)
        await asyncio.to_thread(Path(self.socket).chmod, 0o666)  # the user inside is another; the token counts

    def _prepared(self) -> str:
        places.sweep(_PREFIX)
        directory, self._lock = places.made(_PREFIX)
        ours = self._border.authority.pem if self._border.authority else ""
        (directory / "certificates.pem").write_text(certifi.contents() + ours)
        return str(directory)

    async def close(self) -> None:
        """Ends every connection."""
        if self._server:
            self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        if self.directory:
            await asyncio.to_thread(places.remove, Path(self.directory))
            os.close(self._lock)
            self.directory = ""

    def _count(self, size_bytes: int) -> None:
        self._left_bytes -= size_bytes
        if self._left_bytes < 0:
            raise Refused(403, "This container has moved as much over the network as it may.")

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._open) >= self._border.limits.connections:
            writer.close()
            return
        self._open.add(task)
        try:
            async with asyncio.timeout(self._border.limits.life_s):
                if await self._known(reader):
                    await self._served(Wire(reader, writer, h11.SERVER, self._count))
        except (OSError, TimeoutError, EOFError, ValueError):
            pass  # either side has left
        except asyncio.CancelledError:
            pass  # `close` ends it; asyncio's own callback of a server would log that as a bug
        finally:
            self._open.discard(task)
            writer.close()

    async def _known(self, reader: asyncio.StreamReader) -> bool:
        async with asyncio.timeout(_GREETING_S):
            return hmac.compare_digest((await reader.readline()).strip(), self.token.encode())

    async def _served(self, inside: Wire) -> None:
        try:
            await passed(inside, self._border)
        except* Refused as refused:
            await _said(inside, refused.exceptions[0])
        except* h11.ProtocolError:
            await _said(inside, Refused(400, "That is no HTTP."))
        except* (OSError, ssl.SSLError):
            await _said(inside, Refused(502, "The connection was lost."))


async def _said(inside: Wire, refused: BaseException) -> None:
    """As long as nothing else was answered."""
    if isinstance(refused, Refused) and inside.http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
        await inside.answer(refused.status, refused.message)
