"""HTTP for servers that speak SSE, the older transport: one stream that is read, and messages that are posted.

Answers come over the stream alone. So a message that is not taken ends the session with all its calls, as does the end
of the stream; each call is answered with the reason, over what is left of the stream.
"""

import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import cast

import anyio
import httpx
import orjson

from nodes.mcp.failure import ServerFailed
from nodes.mcp.limits import Limits
from nodes.mcp.oauth.grants import Grant
from nodes.mcp.transport.asked import Broken
from nodes.mcp.transport.events import Event, Lines
from nodes.mcp.transport.http import AnsweringTransport
from nodes.mcp.transport.pending import Pending
from nodes.reach import OutOfReach, Reach, Unresolved

#: Of the address that messages are posted to.
_ENDPOINT_BYTES = 4096
#: Answers that a server may be behind with.
_MOST_ANSWERS = 16


class EventTransport(AnsweringTransport):
    """For one session with one server. `when_lost` is called when its stream has ended."""

    def __init__(
        self, limits: Limits, tls: ssl.SSLContext, reach: Reach, grant: Grant | None, when_lost: Callable[[], None]
    ) -> None:
        super().__init__(limits, tls, reach, grant)
        self._when_lost = when_lost
        self._reason = "The MCP server ended the stream of its answers."
        self._pending = Pending(limits)
        self._allowance = _Allowance(limits)
        self._given_up = False
        self._url = httpx.URL()
        self._scope = anyio.CancelScope()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises `ServerFailed` when there is no stream."""
        request.headers["accept-encoding"] = "identity"
        if request.method == "GET":
            return await self._listen(request)
        message = orjson.loads(await request.aread())
        self._pending.sent(message)
        if "id" in message and "method" in message:
            self._allowance.grow()
        if refusal := await self._refused(request):
            self._reason, self._given_up = refusal, True
            self._scope.cancel()
        return httpx.Response(202)

    async def _listen(self, request: httpx.Request) -> httpx.Response:
        self._url = request.url
        try:
            response = await self._send(request)
        except (httpx.TransportError, httpx.InvalidURL, Unresolved):
            raise ServerFailed("The MCP server could not be reached.", undone=True) from None
        except OutOfReach:
            raise ServerFailed("The address of the MCP server may not be used.") from None
        if response.is_redirect:
            return response
        kind = response.headers.get("content-type", "").lower()
        if response.status_code == 200 and kind.startswith("text/event-stream"):
            stream = cast(httpx.AsyncByteStream, response.stream)  # httpx types it as either kind
            response.stream = _Stream(self._events(stream), stream)
            return response
        await response.aclose()
        if response.status_code == 200:
            raise ServerFailed("The MCP server answered with something that is not an event stream.")
        message = f"The MCP server answered with HTTP status {response.status_code}."
        raise ServerFailed(message, {"type": "http_error", "code": response.status_code, "message": message})

    async def _refused(self, request: httpx.Request) -> str | None:
        """Why a message was not taken."""
        try:
            response = await self._send(request)
            await response.aclose()
        except ServerFailed as failure:
            return failure.message
        except (httpx.HTTPError, httpx.InvalidURL, OutOfReach, Unresolved):
            return "The MCP server could not be reached."
        if response.is_success:
            return None
        return f"The MCP server answered with HTTP status {response.status_code}."

    async def _events(self, stream: httpx.AsyncByteStream) -> AsyncGenerator[bytes]:
        """The stream until it ends, is too large or is given up; then the end of every call."""
        pieces, lines = self._allowance.pieces(stream), Lines()
        while piece := await self._next(pieces):
            for event in lines.events_of(piece):
                if passed := await self._passed(event):
                    yield passed
        self._when_lost()
        for answer in self._pending.failed(self._reason):
            yield Event().frame(answer)

    async def _passed(self, event: Event) -> bytes:
        text = b" ".join(event.lines)
        if event.type == b"endpoint":
            self._given_up = not self._is_own(text)  # `mcp` would wait for another one
            return b"" if self._given_up else b"event: endpoint\ndata: %b\n\n" % text
        if not text or event.type not in (b"", b"message"):
            return b""
        try:
            message = await self._pending.passed(text)
        except Broken as broken:
            self._reason, self._given_up = str(broken), True
            return b""
        return Event().frame(message) if message else b""

    def _is_own(self, endpoint: bytes) -> bool:
        """Whether messages posted there go to this server."""
        here = self._url
        try:
            there = here.join(endpoint[:_ENDPOINT_BYTES].decode(errors="replace"))
        except httpx.InvalidURL:
            return False
        return (there.scheme, there.host, there.port) == (here.scheme, here.host, here.port)

    async def _next(self, chunks: AsyncGenerator[bytes]) -> bytes:
        """Nothing when there is no more."""
        with anyio.CancelScope() as self._scope:
            if self._given_up:
                return b""
            try:
                return await anext(chunks, b"")
            except httpx.TransportError:
                self._reason = "The connection to the MCP server was lost."
            except ServerFailed as failure:
                self._reason = failure.message
        return b""


class _Stream(httpx.AsyncByteStream):
    def __init__(self, events: AsyncGenerator[bytes], stream: httpx.AsyncByteStream) -> None:
        self._events = events
        self._stream = stream

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._events

    async def aclose(self) -> None:
        await self._stream.aclose()


class _Allowance:
    """What may come over a stream: as much as one answer for the beginning, and for every request that is made."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._bytes = limits.answer_bytes
        self._pieces = limits.answer_pieces
        self._lines = limits.answer_lines

    def grow(self) -> None:
        limits = self._limits
        self._bytes = min(self._bytes + limits.answer_bytes, _MOST_ANSWERS * limits.answer_bytes)
        self._pieces = min(self._pieces + limits.answer_pieces, _MOST_ANSWERS * limits.answer_pieces)
        self._lines = min(self._lines + limits.answer_lines, _MOST_ANSWERS * limits.answer_lines)

    async def pieces(self, stream: httpx.AsyncByteStream) -> AsyncGenerator[bytes]:
        """Raises `ServerFailed` when one event is too large, or the server says more than it was asked."""
        left, tail = self._limits.answer_bytes, b""
        async for piece in stream:
            joined = tail + piece
            left = self._limits.answer_bytes if b"\n\n" in joined or b"\r\n\r\n" in joined else left - len(piece)
            tail = joined[-3:]
            if left < 0:
                raise ServerFailed(f"The MCP server's answer is larger than {self._limits.answer_bytes} bytes.")
            self._bytes -= len(piece)
            self._pieces -= 1
            self._lines -= piece.count(b"\n")
            if min(self._bytes, self._pieces, self._lines) < 0:
                raise ServerFailed("The MCP server says much more than it was asked.")
            yield piece
