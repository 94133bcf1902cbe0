"""A server that is a program of this machine, spoken to over its standard input and output.

The client that comes with `mcp` takes lines of any length, does not tell when the program ends, hands its error output
to ours, and cannot end what the program itself started once we are killed; hence the process is held here, and only its
messages are given to `mcp`.
"""

import asyncio
import logging
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import cast

import anyio
import orjson
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp import types
from mcp.client.stdio import get_default_environment
from mcp.shared.message import SessionMessage
from pydantic import ValidationError

from nodes.mcp.failure import ServerFailed
from nodes.mcp.limits import Limits
from nodes.mcp.target import Program
from nodes.mcp.transport.asked import Broken
from nodes.mcp.transport.pending import Pending

logger = logging.getLogger(__name__)

Messages = MemoryObjectReceiveStream[SessionMessage | Exception]
Replies = MemoryObjectSendStream[SessionMessage]
_GUARD = str(Path(__file__).with_name("guard.py"))
#: How long a program has to end when its input ends, and when it is asked to.
_LEAVE_S, _TERM_S = 1.0, 0.5
#: Of a program's error output: what is logged of one line, and how much at most.
_LINE_CHARS, _LOGGED_BYTES = 1000, 256_000


@asynccontextmanager
async def streams(
    program: Program, redacted: Callable[[str], str], lost: Callable[[], None], limits: Limits
) -> AsyncGenerator[tuple[Messages, Replies]]:
    """What `ClientSession` reads and writes. `lost` is called when the program ends, `redacted` on what it logs.

    The program and all that it started are gone afterwards, or a second after we are killed. Raises `ServerFailed`.
    """
    process = await _started(program, limits.answer_bytes)
    complaints = _Complaints(process, redacted)
    pipe = _Pipe(process, lost, limits)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(complaints.read)
            tasks.start_soon(pipe.read, complaints)
            tasks.start_soon(pipe.write)
            yield pipe.messages, pipe.replies
            await _leave(process)
            tasks.cancel_scope.cancel()
    finally:
        _signal(process, signal.SIGKILL)
        pipe.close()


async def _started(program: Program, line_bytes: int) -> Process:
    environment = get_default_environment() | dict(program.environment)
    line = [sys.executable, "-I", "-S", _GUARD, program.command, *program.args]
    try:
        return await asyncio.create_subprocess_exec(
            *line, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment, cwd=program.cwd, start_new_session=True,
            limit=line_bytes,
        )  # fmt: skip
    except OSError as error:
        logger.warning("the program of an MCP server does not start", extra={"reason": str(error)})
        raise ServerFailed("The program of the MCP server could not be started.") from None


class _Pipe:
    """Lines of a program ↔ messages of a session."""

    def __init__(self, process: Process, lost: Callable[[], None], limits: Limits) -> None:
        self._input = cast(asyncio.StreamWriter, process.stdin)  # it was asked to be a pipe
        self._output = cast(asyncio.StreamReader, process.stdout)
        self._lost = lost
        self._line_bytes = limits.answer_bytes
        self._heard = False
        self._pending = Pending(limits)
        self._incoming, self.messages = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        self.replies, self._outgoing = anyio.create_memory_object_stream[SessionMessage](0)

    async def read(self, complaints: "_Complaints") -> None:
        with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
            reason = "The program of the MCP server ended before it answered."
            try:
                while line := await self._output.readline():
                    await self._take(line)
            except ValueError:
                reason = f"The MCP server's answer is larger than {self._line_bytes} bytes."
            except Broken as broken:
                reason = str(broken)
            if not self._heard:
                reason = "The program of the MCP server could not be started."
                logger.warning("the program of an MCP server does not start", extra={"said": await complaints.last()})
            self._lost()
            for answer in self._pending.failed(reason):
                await self._say(answer)
            self._incoming.close()

    async def write(self) -> None:
        async for message in self._outgoing:
            said = message.message.model_dump(by_alias=True, exclude_none=True, mode="json")
            self._pending.sent(said)
            with suppress(ConnectionError):  # the reader says that it has ended
                self._input.write(orjson.dumps(said) + b"\n")
                await self._input.drain()

    def close(self) -> None:
        for stream in (self._incoming, self.messages, self.replies, self._outgoing):
            stream.close()

    async def _take(self, line: bytes) -> None:
        if b'"jsonrpc"' not in line:
            return  # programs print all kinds of things
        self._heard = True
        if message := await self._pending.passed(line):
            await self._say(message)

    async def _say(self, text: bytes) -> None:
        with suppress(ValidationError):  # of what is no answer `mcp` may want more than we do
            await self._incoming.send(SessionMessage(types.JSONRPCMessage.model_validate_json(text)))


class _Complaints:
    """What a program says on its error output: logged at debug up to a limit. It never has to wait for us."""

    def __init__(self, process: Process, redacted: Callable[[str], str]) -> None:
        self._errors = cast(asyncio.StreamReader, process.stderr)
        self._redacted = redacted
        self._program = process.pid
        self._last = ""
        self._over = asyncio.Event()

    async def read(self) -> None:
        left = _LOGGED_BYTES
        while chunk := await self._errors.read(8192):
            for line in chunk.decode(errors="replace").splitlines():
                self._last = self._redacted(line)[:_LINE_CHARS]
                if left > 0:
                    facts = {"program": self._program, "said": self._last}
                    logger.debug("the program of an MCP server says", extra=facts)
            left -= len(chunk)
        self._over.set()

    async def last(self) -> str:
        """Its last line, once it has ended or soon after."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_TERM_S):
                await self._over.wait()
        return self._last


async def _leave(process: Process) -> None:
    """Its input ends, then it is asked to go; the caller kills what is left."""
    if process.stdin:
        process.stdin.close()
    for sign, patience_s in ((signal.SIGTERM, _LEAVE_S), (None, _TERM_S)):
        try:
            async with asyncio.timeout(patience_s):
                await process.wait()
                return
        except TimeoutError:
            if sign:
                _signal(process, sign)


def _signal(process: Process, sign: signal.Signals) -> None:
    """To the program and all it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, sign)
