"""Frames as server-sent events.

Each frame leaves whole, LF only, and a stream that has come to its end is closed by `[DONE]`.
Source: CONTRACT of the Responses API, "Framing".
"""

from collections.abc import AsyncIterator, Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from server.http import unless_left, until_left

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]
_DONE = b"data: [DONE]\n\n"
_LAST = tuple(b"event: response.%s\n" % status for status in (b"completed", b"incomplete", b"failed", b"cancelled"))


class EventStream(Response):
    """Sends frames as they come, until the last or until the reader hangs up.

    A stream that breaks off before the last event, because the server stops, has no `[DONE]`: its reader can take it
    up again.
    """

    def __init__(
        self,
        frames: AsyncIterator[list[bytes]],
        leave: Callable[[], None] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """`leave` is called when the reader hangs up, and makes `frames` end; without it they are just left."""
        super().__init__()
        self._frames = frames
        self._leave = leave
        self._more = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._leave:
            await unless_left(receive, self._write(send), self._leave)
        else:
            await until_left(receive, self._write(send))

    async def _write(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [*_HEADERS, *self._more]})
        frames: list[bytes] = []
        async for frames in self._frames:
            body = frames[0] if len(frames) == 1 else b"".join(frames)
            await send({"type": "http.response.body", "body": body, "more_body": True})
        ended = not frames or frames[-1].startswith(_LAST)
        await send({"type": "http.response.body", "body": _DONE if ended else b""})
