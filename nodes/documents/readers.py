"""Processes that read documents, one each, forked by one that has imported what reads them: see `reading.py`.

It is started when it is first wanted, and again when it has gone. Python's own fork server is not used: it hands its
processes what the server has imported, its environment and its files.
"""

import asyncio
import os
import socket
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import orjson

from graph.errors import Json
from nodes.documents.reading import ORDER_BYTES

_READING = str(Path(__file__).with_name("reading.py"))
KILLED = -9
_FAILED = 1


class Readers:
    def __init__(self) -> None:
        self._forking: _Forking | None = None
        self._starting = asyncio.Lock()

    async def warm(self, formats: Sequence[str]) -> None:
        """Have those imported that will be asked for; does not wait for it."""
        await self._send({"warm": formats})

    async def read(self, order: Json, content: bytes, limit_bytes: int) -> tuple[bytes, int]:
        """What is said of a document, and how its process ended. When this is left, it is gone."""
        async with _line() as (talk, theirs), _line() as (ended, told):
            await self._send(order, theirs, told)
            theirs.close()
            told.close()
            said = await _asked(talk, content, limit_bytes)
            if len(said) > limit_bytes:
                return b"", _FAILED
            if said.endswith(b"\n"):
                return said, 0
            with suppress(ConnectionError):
                return said, int(await ended.reader.read(16) or KILLED)
            return said, KILLED

    async def close(self) -> None:
        if self._forking:
            await self._forking.close()
            self._forking = None

    async def _send(self, order: Json, *sockets: socket.socket) -> None:
        said = orjson.dumps(order).ljust(ORDER_BYTES)
        async with self._starting:
            if self._forking is None or not self._forking.take(said, sockets):
                await self.close()
                self._forking = await _started()
                self._forking.take(said, sockets)


class _Forking(NamedTuple):
    process: Process
    control: socket.socket

    def take(self, order: bytes, sockets: Sequence[socket.socket]) -> bool:
        """False when it has gone. It hears sooner than there can be too much to hear."""
        try:
            socket.send_fds(self.control, [order], [one.fileno() for one in sockets])
        except OSError:
            return False
        return True

    async def close(self) -> None:
        self.control.close()
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()


class _Talk(NamedTuple):
    reader: StreamReader
    writer: StreamWriter


async def _started() -> _Forking:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with theirs:
        process = await asyncio.create_subprocess_exec(
            *_command(theirs), stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, env={}, cwd="/", start_new_session=True,
            pass_fds=[theirs.fileno()],
        )  # fmt: skip
    return _Forking(process, ours)


def _command(control: socket.socket) -> Sequence[str]:
    """`-I -S`: without looking around, which takes longer than all the rest."""
    paths = [str(Path(path).absolute()) for path in sys.path]
    return [sys.executable, "-I", "-S", _READING, str(os.getpid()), str(control.fileno()), *paths]


@asynccontextmanager
async def _line() -> AsyncGenerator[tuple[_Talk, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with theirs:
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            yield _Talk(reader, writer), theirs
        finally:
            writer.transport.abort()


async def _asked(talk: _Talk, content: bytes, limit_bytes: int) -> bytes:
    """What it says to a document, up to a limit; what it does not want to hear is not told."""
    talk.writer.write(content)
    with suppress(OSError):
        talk.writer.write_eof()
    said = bytearray()
    with suppress(ConnectionError):
        while len(said) <= limit_bytes and (piece := await talk.reader.read(2**16)):
            said += piece
    return bytes(said)
