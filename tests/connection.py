"""One HTTP connection of the scripted model server, byte by byte, so that it can misbehave exactly."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any


class HangUp(Exception):
    """The model server closes the connection without another byte."""


class Connection(asyncio.StreamReaderProtocol):
    """Knows when the other side has gone, also while nobody reads."""

    def __init__(self, serve: Callable[["Connection"], Awaitable[None]]) -> None:
        self.reader = asyncio.StreamReader(limit=1 << 26)
        self.gone = asyncio.Event()
        self._serve = serve
        super().__init__(self.reader, self._connected)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        try:
            await self._serve(self)
        except (HangUp, OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    def eof_received(self) -> bool:
        self.gone.set()
        super().eof_received()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()
        super().connection_lost(exc)

    async def request(self) -> tuple[str, dict[str, str], bytes]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
        if headers.get("transfer-encoding") == "chunked":
            return head[0], headers, await self._chunked()
        return head[0], headers, await self.reader.readexactly(int(headers.get("content-length", 0)))

    async def _chunked(self) -> bytes:
        body = b""
        while size := int(await self.reader.readline(), 16):
            body += await self.reader.readexactly(size)
            await self.reader.readline()
        await self.reader.readline()
        return body

    async def head(self, status: int, **headers: str) -> None:
        lines = [f"HTTP/1.1 {status} Scripted", *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items())]
        await self.write("\r\n".join([*lines, "", ""]).encode())

    async def json(self, status: int, body: Any, **headers: str) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        await self.head(status, content_type="application/json", content_length=str(len(raw)), **headers)
        await self.write(raw)

    async def chunk(self, raw: bytes) -> None:
        """One HTTP chunk; the empty one ends the body."""
        await self.write(b"%x\r\n%s\r\n" % (len(raw), raw))

    async def write(self, raw: bytes) -> None:
        if self.gone.is_set():
            raise HangUp
        self.writer.write(raw)
        await self.writer.drain()
