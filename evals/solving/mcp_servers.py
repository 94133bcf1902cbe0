"""MCP servers of a suite: programs that are started when a case first wants them, and stopped with the run."""

import asyncio
import socket
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from os import killpg
from pathlib import Path
from shutil import which
from signal import SIGKILL, SIGTERM, Signals
from typing import Any, Self

from evals.environment import variable
from evals.suite.schema import McpServer
from evals.unfit import Unfit

Json = dict[str, Any]

_START_S, _STOP_S = 60, 5
_TIED = Path(__file__).with_name("tied.py")


class McpServers:
    def __init__(self) -> None:
        self._running: dict[tuple[str, ...], tuple[Process, int]] = {}
        self._starting = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def opened(cls) -> AsyncGenerator[Self]:
        servers = cls()
        try:
            yield servers
        finally:
            await servers._stop()

    async def tool(self, server: McpServer) -> Json:
        """Its declaration in a request. Raises `Unfit`."""
        tool: Json = {"type": "mcp", "server_label": server.label, "require_approval": server.require_approval}
        if server.allowed_tools is not None:
            tool["allowed_tools"] = server.allowed_tools
        if server.authorization_env:
            tool["authorization"] = _token(server.authorization_env)
        if server.command:
            async with self._starting:
                port = await self._port(tuple(server.command))
            return tool | {"server_url": f"http://127.0.0.1:{port}/mcp"}
        return tool | ({"server_url": server.url} if server.url else {})

    async def _port(self, command: tuple[str, ...]) -> int:
        known = self._running.get(command)
        if known and known[0].returncode is None:
            return known[1]
        port = _free_port()
        line = [part.replace("{port}", str(port)).replace("{python}", sys.executable) for part in command]
        if which(line[0]) is None:
            raise Unfit(f"The MCP server {line[0]!r} cannot be started: there is no such program.")
        tied = (sys.executable, "-I", "-S", str(_TIED), *line)
        process = await asyncio.create_subprocess_exec(*tied, stdin=DEVNULL, stdout=DEVNULL, start_new_session=True)
        self._running[command] = (process, port)
        await _listening(process, port, line[0])
        return port

    async def _stop(self) -> None:
        for process, _ in self._running.values():
            _signal(process, SIGTERM)
        for process, _ in self._running.values():
            try:
                await asyncio.wait_for(process.wait(), _STOP_S)
            except TimeoutError:
                _signal(process, SIGKILL)
                await process.wait()


def _signal(process: Process, sign: Signals) -> None:
    """To it and what it has started: programs like `uvx` and `npx` start the server they are asked for."""
    with suppress(ProcessLookupError):
        killpg(process.pid, sign)


def _token(name: str) -> str:
    if (token := variable(name)) is None:
        raise Unfit(f"An MCP server of the case wants a token in the variable {name}, which is not set.")
    return token


async def _listening(process: Process, port: int, name: str) -> None:
    until = time.monotonic() + _START_S
    while process.returncode is None and time.monotonic() < until:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        return
    how = "has not listened on its port" if process.returncode is None else f"ended with status {process.returncode}"
    raise Unfit(f"The MCP server {name!r} {how}: its command must serve HTTP on {{port}} of 127.0.0.1.")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]
