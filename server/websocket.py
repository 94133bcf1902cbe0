"""`/v1/responses` as a WebSocket: many responses over one connection.

A message of the client is a `response.create` or a `response.steer`; what it hears are the events of its responses, as
they would be streamed, and envelopes for what is refused.
Source: CONTRACT of the Responses API, "WebSocket mode".
"""

import asyncio
from typing import Any

from fastapi import APIRouter
from starlette.datastructures import Headers, MutableHeaders
from starlette.routing import WebSocketRoute
from starlette.types import Message, Receive, Scope, Send

from graph.errors import Failure, RequestError, Unavailable
from graph.ids import new_id
from server.body import parse
from server.exchange import Exchange
from server.house import House
from server.http import failure_response
from server.lanes import Create, Lanes
from server.socket import Socket
from server.wire.message import stream_id_of, type_of

#: Close codes after which clients connect again.
_GOING_AWAY = 1001
_RESTART = 1012


class ResponsesSocket:
    """The ASGI application behind the route. A handshake that is refused gets a plain HTTP answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        house: House = scope["state"]["house"]
        headers = Headers(scope=scope)
        named = MutableHeaders({"x-request-id": new_id("req_"), "openai-version": "2020-10-01"})
        await receive()  # websocket.connect
        try:
            await house.gate.owner(headers)
            house.runner.check_open()
        except Failure as failure:
            refusal = failure_response(failure)
            refusal.headers.update(named)
            await refusal(scope, receive, send)
            return
        await send({"type": "websocket.accept", "headers": named.raw})
        await Connection(house, headers, receive, send).serve()


class Connection:
    """One client: hears what it says until it leaves, time is up or the server stops."""

    def __init__(self, house: House, headers: Headers, receive: Receive, send: Send) -> None:
        self._limit_bytes = house.max_body_bytes
        self._minutes = house.websocket_minutes
        self._until = asyncio.get_running_loop().time() + self._minutes * 60
        self._receive = receive
        self._socket = Socket(send)
        self._exchange = Exchange(house, headers, self._socket)

    async def serve(self) -> None:
        """Ends when the client has left and nothing of it runs any more."""
        async with asyncio.TaskGroup() as tasks:
            lanes = Lanes(tasks, self._exchange.answer, self._limit_bytes)
            while (message := await self._next())["type"] != "websocket.disconnect":
                if message["type"] == "websocket.receive":
                    await self._hear(message, lanes)
                elif self._exchange.ending is None:
                    self._exchange.ending = self._why(message["type"])
                    tasks.create_task(self._close(message["type"], lanes))
            lanes.drop()
            self._exchange.leave()

    async def _next(self) -> Message:
        """The next message of the client, or that time is up."""
        if self._exchange.ending:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                return await self._receive()
        except TimeoutError:
            return {"type": "expired"}

    def _why(self, kind: str) -> Failure:
        if kind != "expired":
            return Unavailable("The server is shutting down.", retry_after_s=5)
        return RequestError(
            f"Responses websocket connection limit reached ({self._minutes:g} minutes). Create a new websocket "
            "connection to continue.",
            code="websocket_connection_limit_reached",
        )

    async def _close(self, kind: str, lanes: Lanes) -> None:
        """Close when what runs has ended; what waits is refused in its turn."""
        await lanes.idle()
        if kind == "expired" and self._exchange.ending:
            await self._socket.refuse(self._exchange.ending)
        await self._socket.close(_GOING_AWAY if kind == "expired" else _RESTART)

    async def _hear(self, message: Message, lanes: Lanes) -> None:
        stream_id = None
        try:
            text = self._text(message)
            said: Any = parse(text)
            kind = type_of(said)
            if kind == "response.steer":
                await self._exchange.steer(said, len(text))
                return
            stream_id = stream_id_of(said)
            lanes.put(Create(said, stream_id, len(text)))
        except Failure as failure:
            await self._socket.refuse(failure, stream_id)

    def _text(self, message: Message) -> bytes:
        if message.get("text") is None:
            raise RequestError("Expected JSON in a text message, but got a binary one.", code="invalid_type")
        text: bytes = message["text"].encode(errors="surrogatepass")
        if len(text) > self._limit_bytes:
            told = f"The message is larger than the {self._limit_bytes} bytes this server reads."
            raise RequestError(told, status=413, code="request_too_large")
        return text


router = APIRouter()
router.routes.append(WebSocketRoute("/v1/responses", ResponsesSocket(), name="responses_socket"))
