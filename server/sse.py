"""An event log as server-sent events.

Each frame leaves whole, LF only, and the stream ends with `[DONE]`.
Source: CONTRACT of the Responses API, "Framing".
"""

from collections.abc import Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from graph.log import EventLog
from server.http import unless_left

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]
_DONE = b"data: [DONE]\n\n"


class EventStream(Response):
    """Sends the frames of a log as they come; calls `leave` when the reader hangs up."""

    def __init__(self, log: EventLog, leave: Callable[[], None]) -> None:
        super().__init__()
        self._log = log
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await unless_left(receive, self._write(send), self._leave)

    async def _write(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})
        async for frames in self._log.follow():
            body = frames[0] if len(frames) == 1 else b"".join(frames)
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": _DONE})
