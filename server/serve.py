"""Processes that listen, until they are told to stop."""

import asyncio
import gc
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from checkpoints import STORES
from graph.errors import StoreUnavailable
from nodes.sandbox import places
from server import banner, log, supervisor
from server.house import House
from server.settings import BadSetting, Settings, share_metrics, watches_loop

#: Connections that may wait to be accepted.
BACKLOG = 2048

#: Seconds a connection may be idle: longer than clients (5) and load balancers (60) let it be, or a request may come
#: just when it is closed.
_KEEP_ALIVE_S = 75
#: Seconds in which who has connected before the end may still ask.
_HEAR_S = 1.0
_LOOK_EVERY_S = 0.01
#: Seconds after the grace in which cancelled work must have cleaned up.
_CLEAN_UP_S = 10
#: Seconds after that in which a process must have ended.
_END_S = 5

#: Called with the server's address when it is ready.
Announce = Callable[[str, House], Awaitable[None]]


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; raises `OSError` when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


def address(listening: socket.socket) -> str:
    """`http://127.0.0.1:8000`, with the port that was really taken."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def check_workers(settings: Settings) -> None:
    """Raises `BadSetting` when several processes are to write one file."""
    if settings.workers > 1 and settings.database.kind == "sqlite":
        raise BadSetting(
            f"workers: {settings.workers} processes need PostgreSQL: set database_url to postgresql://…, or serve with "
            "--workers 1"
        )


def serve(settings: Settings, listening: socket.socket) -> int:
    """Serve until SIGTERM or SIGINT; gives the exit status."""
    if settings.workers == 1:
        return run(settings, listening, partial(banner.show, settings))
    with places.temporary("graphnexus-metrics-") as directory:
        share_metrics(str(directory))
        patience_s = settings.shutdown_grace_s + _CLEAN_UP_S + _END_S
        watching = supervisor.Supervisor(settings.workers, partial(_process, settings, listening), patience_s, _bury)
        return watching.run()


def run(settings: Settings, listening: socket.socket, announce: Announce) -> int:
    """One process: when told to stop, it takes no new work, and what runs has `shutdown_grace_s` to end."""
    from server.app import create_app
    from server.socket import ROOM, SocketProtocol

    config = uvicorn.Config(
        create_app(settings),
        http="httptools",
        ws=SocketProtocol,
        ws_max_size=settings.max_body_bytes + ROOM,
        ws_per_message_deflate=False,
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=round(settings.shutdown_grace_s) + _CLEAN_UP_S,
    )
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, _leave)
    server = _Server(config, announce, settings.shutdown_grace_s)
    server.run(sockets=[listening])
    return 0 if server.started else 3


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
        asyncio.get_running_loop().set_debug(watches_loop())  # uvicorn has said no
        if self.started and sockets:
            self._announcing = asyncio.ensure_future(self._announce(address(sockets[0]), self._house))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Runs are ended while those who read them are still connected, so that a reader is told how it ended."""
        self._house.operations.health.leaving = True
        await self._hear_out()
        self._house.keeper.drain()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._house.runner.close(self._grace_s))
            await super().shutdown(sockets)

    async def _hear_out(self) -> None:
        """Who was accepted but has not asked yet would be hung up on, and take it for a crash."""
        for server in self.servers:
            server.close()
        until = time.monotonic() + _HEAR_S
        await asyncio.sleep(_LOOK_EVERY_S)  # connections accepted in this turn of the loop
        while time.monotonic() < until and any(map(_is_silent, self.server_state.connections)):  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_EVERY_S)

    @property
    def _house(self) -> House:
        return self.lifespan.state["house"]


def _is_silent(connection: object) -> bool:
    """Connected, and no request has come on it."""
    return isinstance(connection, HttpToolsProtocol) and not cast(object, connection.cycle)


# ------------------------------------------------------------ one of several


def _process(settings: Settings, listening: socket.socket, line: Connection, first: bool) -> SpawnProcess:
    return supervisor.SPAWN.Process(target=_work, args=(settings, listening, line, first))


def _work(settings: Settings, listening: socket.socket, line: Connection, first: bool) -> None:
    os.setpgrp()  # Ctrl-C goes to the supervisor alone, which tells the others
    gc.disable()
    log.configure(settings.log_level, settings.log_format)
    asyncio.run(_reach(settings))

    async def announce(address: str, house: House) -> None:
        asyncio.get_running_loop().add_reader(line.fileno(), _orphaned, line)
        line.send_bytes(supervisor.READY)
        if first:
            await banner.show(settings, address, house)
        while True:
            await asyncio.sleep(supervisor.WORD_EVERY_S)
            line.send_bytes(b"")

    sys.exit(run(settings, listening, announce))


async def _reach(settings: Settings) -> None:
    """End with one line while the database is away; the supervisor tries again."""
    try:
        async with STORES[settings.database.kind](settings.database.place):
            pass
    except StoreUnavailable as away:
        sys.exit(f"graphnexus: {settings.database}: {away.message}")


def _orphaned(line: Connection) -> None:
    """The supervisor says nothing but that it has died: nobody would stop this process any more."""
    asyncio.get_running_loop().remove_reader(line.fileno())
    os.kill(os.getpid(), signal.SIGTERM)


def _bury(pid: int) -> None:
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(pid)
