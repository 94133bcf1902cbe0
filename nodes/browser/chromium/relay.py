"""A port of loopback that leads to the filtering proxy, for a Chromium that has the network of this machine."""

import asyncio
from contextlib import suppress

from nodes.sandbox.proxy import Exit
from nodes.sandbox.runner.forward import serve


class Relay:
    """Whoever of this machine finds the port reaches no more through it than the public internet."""

    def __init__(self, server: asyncio.Server) -> None:
        self._server = server

    @classmethod
    async def start(cls, way_out: Exit) -> "Relay":
        return cls(await serve(way_out.socket, way_out.token.encode(), 0))

    @property
    def port(self) -> int:
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        self._server.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await self._server.wait_closed()
