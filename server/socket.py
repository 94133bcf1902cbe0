"""The sending side of a WebSocket: events as text frames, failures as envelopes.

Source: CONTRACT of the Responses API, "WebSocket mode".
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson
from starlette.types import Send
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State

from graph.errors import Failure, Json

#: Events that are written before the client's pace is looked at again.
_TOGETHER = 256
_MEDIUM = struct.Struct("!BBH").pack
_LONG = struct.Struct("!BBQ").pack
#: Bytes by which a message may be too large and still be read, so that its sender is told in an envelope.
ROOM = 2**20


class Socket:
    """What is said to a client that has left is dropped."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.gone = False

    async def tell(self, frames: Sequence[bytes], stream_id: str | None) -> None:
        """Frames of an event log, one message each. Waits while the client is slow to read."""
        for at in range(0, len(frames), _TOGETHER):
            texts = texts_of(frames[at : at + _TOGETHER], stream_id)
            await self._put({"type": "websocket.send", "frames": framed(texts)})

    async def refuse(self, failure: Failure, stream_id: str | None = None) -> None:
        """Say that what the client asked cannot be done; the connection stays."""
        await self._put({"type": "websocket.send", "frames": framed([orjson.dumps(envelope(failure, stream_id))])})

    async def close(self, code: int) -> None:
        await self._put({"type": "websocket.close", "code": code})

    async def _put(self, message: Json) -> None:
        if self.gone:
            return
        try:
            await self._send(message)
        except (OSError, RuntimeError):  # uvicorn raises the second between a failed keep-alive and the end
            self.gone = True


def texts_of(frames: Sequence[bytes], stream_id: str | None) -> Iterator[bytes]:
    """The JSON of each `event: x\\ndata: {…}\\n\\n`; `stream_id` is put in without reading the rest."""
    if stream_id is None:
        return (frame[frame.index(b"\n") + 7 : -2] for frame in frames)
    lane = b',"stream_id":"%b"}' % stream_id.encode()
    return (frame[frame.index(b"\n") + 7 : -3] + lane for frame in frames)


def framed(texts: Iterable[bytes]) -> bytes:
    """Unmasked text frames, one behind the other. Source: RFC 6455, section 5.2."""
    parts: list[bytes] = []
    for text in texts:
        size = len(text)
        if size < 126:
            parts.append(b"\x81%c" % size)
        else:
            parts.append(_MEDIUM(0x81, 126, size) if size < 2**16 else _LONG(0x81, 127, size))
        parts.append(text)
    return b"".join(parts)


def envelope(failure: Failure, stream_id: str | None) -> Json:
    """Of an envelope the Open Responses specification demands a `code`; a failure without one is named by its type."""
    error: Json = failure.body()["error"]
    error["code"] = error["code"] or error["type"]
    if failure.retry_after_s:
        error["headers"] = {"retry-after": f"{max(1, round(failure.retry_after_s))}"}
    lane = {} if stream_id is None else {"stream_id": stream_id}
    return {"type": "error", "status": failure.status, "error": error, **lane}


class SocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's, but a server that stops lets responses end, and a client that is not there any more is given up.

    It takes `frames` that are ready for the wire: a call and a write for each event would cost a third of what the
    event costs in all.
    """

    async def send(self, message: Any) -> None:
        if "frames" not in message:
            return await super().send(message)
        await self.writable.wait()
        if self.disconnected or self.conn.state is not State.OPEN:
            raise ClientDisconnected
        self.transport.write(message["frames"])

    def send_receive_event_to_app(self) -> None:
        """Text that is no UTF-8 ends the connection, as with uvicorn, but is not worth a traceback."""
        if self.curr_msg_data_type == "text":
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.conn.send_close(1007)
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    def shutdown(self) -> None:
        """Tell the application, which closes when its responses have ended."""
        if self.handshake_complete and not self.close_sent:
            self.queue.put_nowait({"type": "websocket.leaving"})  # pyright: ignore[reportArgumentType]  # a type of ours
        else:
            super().shutdown()

    def keepalive_timeout(self) -> None:
        """Closing alone would wait until the client has read what it does not read."""
        super().keepalive_timeout()
        self.transport.abort()
