"""Event streams of servers: read within limits, checked event by event, and never ended without an answer."""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import dataclass, field
from functools import partial

import httpx

from nodes.mcp.transport.asked import Broken, Call
from nodes.mcp.transport.message import error, passed

_ID = re.compile(rb"[\x21-\x7e]{1,256}")
_RETRY = re.compile(rb"[0-9]{1,9}")
#: A server may ask to be left alone for so long before its stream is taken up again.
_LONGEST_RETRY_MS = 5000


@dataclass(slots=True)
class Event:
    """What came of one event."""

    type: bytes = b""
    id: bytes = b""
    retry: bytes = b""
    lines: list[bytes] = field(default_factory=list[bytes])

    def put(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self.lines.append(value)
        elif name == b"event":
            self.type = value
        elif name == b"id" and _ID.fullmatch(value):
            self.id = value
        elif name == b"retry" and _RETRY.fullmatch(value):
            self.retry = b"%d" % min(int(value), _LONGEST_RETRY_MS)

    def frame(self, data: bytes) -> bytes:
        retry = b"retry: %b\n" % self.retry if self.retry else b""
        id = b"id: %b\n" % self.id if self.id else b""
        return b"event: message\n%b%bdata: %b\n\n" % (retry, id, data)


class Events(httpx.AsyncByteStream):
    """A stream with event ids may be taken up again when it ends early; that is left to `mcp`."""

    def __init__(self, stream: httpx.AsyncByteStream, call: Call) -> None:
        self._stream = stream
        self._call = call

    async def __aiter__(self) -> AsyncIterator[bytes]:
        reason, resumable = "The MCP server ended its answer before it was complete.", False
        try:
            async for event in self._events():
                resumable = resumable or bool(event.id)
                text = b" ".join(event.lines)
                data = await passed(text, self._call) if text and event.type in (b"", b"message") else b""
                if data or event.id:
                    yield event.frame(data or b"")
                if self._call.answered:
                    return
        except httpx.TransportError:
            reason = "The connection to the MCP server was lost."
        except Broken as broken:
            reason, resumable = str(broken), False
        if not resumable:
            yield Event().frame(error(self._call.id, reason))

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def _events(self) -> AsyncGenerator[Event]:
        lines = Lines()
        pieces = self._call.pieces(self._stream)
        while piece := await self._call.wait(partial(anext, pieces, b"")):
            for event in lines.events_of(piece):
                yield event


class Lines:
    """Puts lines together that come in pieces. Source: HTML standard, "Parsing an event stream"."""

    def __init__(self) -> None:
        self._begun: list[bytes] = []
        self._after_cr = False
        self._event = Event()

    def events_of(self, piece: bytes) -> Iterator[Event]:
        """The events that end in `piece`."""
        for line in self.of(piece):
            if line:
                self._event.put(line)
            elif self._event != _EMPTY:
                yield self._event
                self._event = Event()

    def of(self, piece: bytes) -> list[bytes]:
        """The lines that end in `piece`."""
        if self._after_cr:
            piece = piece.removeprefix(b"\n")
        self._after_cr = piece.endswith(b"\r")
        first, *more = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._begun.append(first)
        if not more:
            return []
        line, self._begun = b"".join(self._begun), [more.pop()]
        return [line, *more]


class Said(httpx.AsyncByteStream):
    """A stream of one event: that the call has failed."""

    def __init__(self, call: Call, reason: str) -> None:
        self._frame = Event().frame(error(call.id, reason))

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._frame


_EMPTY = Event()
