"""HTTP/1.1 over a pair of streams: h11's events in and out."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import cast

import h11

#: What one read takes.
CHUNK_BYTES = 1 << 16
Event = h11.Event | type[h11.PAUSED] | type[h11.NEED_DATA]


class Wire:
    """One side of a connection. `count` is told every byte that comes, and may raise."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        role: type[h11.CLIENT] | type[h11.SERVER],
        count: Callable[[int], None],
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.count = count
        self.http = h11.Connection(role, max_incomplete_event_size=CHUNK_BYTES)

    async def event(self) -> h11.Event:
        """What comes next. Raises `h11.RemoteProtocolError` for what is no HTTP, or ends too early."""
        while True:
            event: Event = self.http.next_event()
            if event is h11.PAUSED:
                raise h11.RemoteProtocolError("more was sent than one request")
            if event is not h11.NEED_DATA:
                return cast(h11.Event, event)
            if self.http.they_are_waiting_for_100_continue:
                await self.send(h11.InformationalResponse(status_code=100, headers=[]))
            self.http.receive_data(await self.bytes())

    async def bytes(self) -> bytes:
        """Empty at the end."""
        piece = await self.reader.read(CHUNK_BYTES)
        self.count(len(piece))
        return piece

    async def send(self, event: h11.Event) -> None:
        self.writer.write(self.http.send(event) or b"")
        await self.writer.drain()

    async def rest(self) -> AsyncIterator[h11.Event]:
        """The body of the message whose head has come, to its end."""
        while not isinstance(event := await self.event(), h11.ConnectionClosed):
            yield event
            if isinstance(event, h11.EndOfMessage):
                return

    async def answer(self, status: int, said: str) -> None:
        """A whole answer of our own; the last here. Of refused tunnels many clients show the first line alone."""
        reason = said.encode("ascii", "replace")
        body = said.encode() + b"\n"
        headers = [("content-type", "text/plain; charset=utf-8"), ("content-length", str(len(body)))]
        await self.send(h11.Response(status_code=status, headers=[*headers, ("connection", "close")], reason=reason))
        await self.send(h11.Data(data=body))
        await self.send(h11.EndOfMessage())


async def pumped(source: Wire, target: Wire) -> None:
    """Pass bytes on as they are, and the end."""
    while piece := await source.bytes():
        target.writer.write(piece)
        await target.writer.drain()
    if target.writer.can_write_eof():
        target.writer.write_eof()
