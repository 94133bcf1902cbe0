"""One process that listens, until it is told to stop."""

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from types import FrameType

import uvicorn
from fastapi import FastAPI

from server.house import House
from server.settings import Settings

#: Connections that may wait to be accepted.
BACKLOG = 2048

#: Seconds after the grace in which cancelled work must have cleaned up.
_CLEAN_UP_S = 10

#: Called with the server's address when it is ready.
Announce = Callable[[str, House], Coroutine[None, None, None]]


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; raises `OSError` when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


def address(listening: socket.socket) -> str:
    """`http://127.0.0.1:8000`, with the port that was really taken."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(app: FastAPI, settings: Settings, listening: socket.socket, announce: Announce) -> None:
    """Serve until SIGTERM or SIGINT: no new work, what runs has `shutdown_grace_s` to end. Blocks; exit status 0."""
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",  # an attempt is answered at once, as the plain request it is too
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=round(settings.shutdown_grace_s) + _CLEAN_UP_S,
    )
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, _leave)
    server = _Server(config, announce, settings.shutdown_grace_s)
    server.run(sockets=[listening])
    if not server.started:
        sys.exit(3)


def _leave(_signal: int, _frame: FrameType | None) -> None:
    """Being told to stop is no failure; uvicorn raises the signal again when it has stopped."""
    sys.exit(0)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, announce: Announce, grace_s: float) -> None:
        super().__init__(config)
        self._announce = announce
        self._grace_s = grace_s

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        gc.enable()
        if self.started and sockets:
            self._announcing = asyncio.create_task(self._announce(address(sockets[0]), self._house))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Runs are ended while those who read them are still connected, so that a reader is told how it ended."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._house.runner.close(self._grace_s))
            await super().shutdown(sockets)

    @property
    def _house(self) -> House:
        return self.lifespan.state["house"]
