"""HTTP for MCP in which every failure is an answer to the request that failed.

Left to itself the transport of `mcp` lets one 500 end the session with all its other calls, forgets the status of a
401, and waits for ever when a stream is cut. Here such a request gets a JSON-RPC error instead, and the session lives.
Hosts are resolved once, checked, and connected to by the address that was checked.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import suppress
from http import HTTPStatus
from typing import Any, TypeVar, cast

import anyio
import httpx
import orjson

from graph.errors import Json
from nodes.mcp.failure import CONNECTION_LOST, ServerFailed
from nodes.mcp.limits import Limits
from nodes.mcp.oauth import Authorized, Grant
from nodes.reach import OutOfReach, Reach, Unresolved

#: Where in the `data` of such a JSON-RPC error the reason stands; see `failed`.
REASON = "graphnexus"
_SESSION = "mcp-session-id"
_REDIRECTS = 3
T = TypeVar("T")


class _Broken(Exception):
    """The answer cannot be used."""


class _Call:
    """A request that waits for its answer. It can be given up from another task, which harms nothing else.

    Cancelling the task would: `mcp` runs it in a group whose other members are the session's other calls.
    """

    def __init__(self, id: int | str) -> None:
        self.id = id
        self.redirects = 0
        self._given_up = False
        self._scope: anyio.CancelScope | None = None

    def give_up(self) -> None:
        self._given_up = True
        if self._scope:
            self._scope.cancel()

    async def wait(self, step: Awaitable[T]) -> T:
        """Raises `_Broken` if the call is given up."""
        with anyio.CancelScope() as self._scope:
            if not self._given_up:
                return await step
        raise _Broken("The call was cancelled.")


class AnsweringTransport(httpx.AsyncBaseTransport):
    """For one session with one server."""

    def __init__(self, limits: Limits, tls: ssl.SSLContext, reach: Reach, grant: Grant | None = None) -> None:
        """`grant`: what the server is shown besides the headers of a request."""
        self._limits = limits
        self._reach = reach
        pool = httpx.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=60)
        inner = httpx.AsyncHTTPTransport(verify=tls, limits=pool)
        self._inner = Authorized(inner, grant) if grant else inner
        self._addresses: list[str] = []
        self._calls: dict[int | str, _Call] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.headers["accept-encoding"] = "identity"
        if request.method != "POST":
            return await self._manage(request)
        message = orjson.loads(await request.aread())  # one that follows a redirect is not read yet
        if "method" not in message or "id" not in message:
            return await self._notify(request, message)
        call = self._begun(message["id"])
        try:
            return await call.wait(self._ask(request, call))
        except _Broken as broken:
            return _answer(call.id, str(broken))
        except (httpx.ConnectError, httpx.ConnectTimeout, Unresolved):
            return _answer(call.id, "The MCP server could not be reached.", undone=True)
        except OutOfReach:
            return _answer(call.id, "The address of the MCP server may not be used.")
        except (httpx.TransportError, httpx.InvalidURL):
            return _answer(call.id, "The connection to the MCP server was lost.")
        except ServerFailed as failure:
            return _answer(call.id, failure.message, status=failure.error["code"])

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _manage(self, request: httpx.Request) -> httpx.Response:
        """The end of a session, or a stream taken up again; never a stream for what a server says unasked."""
        if request.method == "DELETE":
            await self._tell(request)
            return httpx.Response(204)
        return await self._send(request) if "last-event-id" in request.headers else httpx.Response(405)

    async def _notify(self, request: httpx.Request, message: Json) -> httpx.Response:
        cancelled = message.get("method") == "notifications/cancelled"
        if cancelled and (call := self._calls.get(message["params"]["requestId"])):
            call.give_up()
        await self._tell(request)
        return httpx.Response(202)

    async def _tell(self, request: httpx.Request) -> None:
        """Send what needs no answer. What a server misses here it will say when it is next asked."""
        with suppress(httpx.HTTPError, OutOfReach, Unresolved, TimeoutError, ServerFailed):
            async with asyncio.timeout(self._limits.connect_timeout_s):
                await (await self._send(request)).aclose()

    def _begun(self, call_id: int | str) -> "_Call":
        """Known until the task that `mcp` gave this request has ended. A redirect begins the same call again."""
        if call := self._calls.get(call_id):
            call.redirects += 1
            return call
        call = self._calls[call_id] = _Call(call_id)
        if task := asyncio.current_task():
            task.add_done_callback(lambda _: self._calls.pop(call_id, None))
        return call

    async def _ask(self, request: httpx.Request, call: _Call) -> httpx.Response:
        response = await self._send(request)
        try:
            return await self._usable(request, response, call)
        except BaseException:
            await response.aclose()
            raise

    async def _usable(self, request: httpx.Request, response: httpx.Response, call: _Call) -> httpx.Response:
        if response.status_code != 200:
            return await self._refusal(request, response, call)
        if response.headers.get("content-encoding", "identity") != "identity":
            raise _Broken("The MCP server compressed its answer although it was asked not to.")
        kind = response.headers.get("content-type", "").lower()
        if kind.startswith("text/event-stream"):
            response.stream = _WholeStream(_stream_of(response), call, self._limits.answer_bytes)
            return response
        if not kind.startswith("application/json"):
            raise _Broken("The MCP server answered with something that is neither JSON nor an event stream.")
        body = b"".join([chunk async for chunk in _bounded(_stream_of(response), self._limits.answer_bytes)])
        await response.aclose()
        if not _is_answer(body):
            raise _Broken("The MCP server's answer is not JSON-RPC.")
        headers = {name: value for name, value in response.headers.items() if name in ("content-type", _SESSION)}
        return httpx.Response(200, headers=headers, content=body)

    async def _refusal(self, request: httpx.Request, response: httpx.Response, call: _Call) -> httpx.Response:
        status = response.status_code
        stays = _stays(request.url, response.headers.get("location", ""))
        if status in (307, 308) and stays and call.redirects < _REDIRECTS:
            return response
        undone = _SESSION in request.headers and (status == 404 or (status == 400 and await _blames_session(response)))
        await response.aclose()
        if status == 202:
            raise _Broken("The MCP server took the request and did not answer it.")
        said = f"The MCP server answered with HTTP status {status}{_phrase(status)}."
        return _answer(call.id, said, status=status, undone=undone)

    async def _send(self, request: httpx.Request) -> httpx.Response:
        if not self._addresses:
            port = request.url.port or (443 if request.url.scheme == "https" else 80)
            self._addresses = await self._reach.addresses(request.url.host, port)
        return await self._send_pinned(request, self._addresses)

    async def _send_pinned(self, request: httpx.Request, addresses: list[str]) -> httpx.Response:
        """Connect to the first of the checked addresses that answers; names in TLS and headers stay the host's."""
        *others, last = addresses
        for address in others:
            try:
                return await self._inner.handle_async_request(_pinned(request, address))
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await self._inner.handle_async_request(_pinned(request, last))


class _WholeStream(httpx.AsyncByteStream):
    """An event stream that never ends without an answer: one that is cut says so in a last event.

    A stream with event ids may be taken up again; that is left to `mcp`.
    """

    def __init__(self, stream: httpx.AsyncByteStream, call: _Call, limit_bytes: int) -> None:
        self._stream = stream
        self._call = call
        self._limit_bytes = limit_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        reason = "The MCP server ended its answer before it was complete."
        tail, resumable = b"\n\n", False
        try:
            chunks = _bounded(self._stream, self._limit_bytes)
            while chunk := await self._call.wait(anext(chunks, b"")):
                resumable = resumable or b"\nid:" in tail + chunk
                tail = (tail + chunk)[-3:]
                yield chunk
        except httpx.TransportError:
            reason = "The connection to the MCP server was lost."
        except _Broken as broken:
            reason, resumable = str(broken), False
        if not resumable:
            if not tail.endswith((b"\n\n", b"\n\r\n")):
                yield b"\nevent: cut\n\n"  # what was cut becomes an event that is ignored
            yield b"event: message\ndata: " + _error(self._call.id, reason) + b"\n\n"

    async def aclose(self) -> None:
        await self._stream.aclose()


def _stream_of(response: httpx.Response) -> httpx.AsyncByteStream:
    return cast(httpx.AsyncByteStream, response.stream)  # httpx types it as either kind


async def _bounded(stream: httpx.AsyncByteStream, limit_bytes: int) -> AsyncGenerator[bytes]:
    left = limit_bytes
    async for chunk in stream:
        left -= len(chunk)
        if left < 0:
            raise _Broken(f"The MCP server's answer is larger than {limit_bytes} bytes.")
        yield chunk


def failed(data: Any) -> Json:
    """The reason in the `data` of an error made here: `{status, undone}`."""
    reason = cast(Json, data).get(REASON) if isinstance(data, dict) else None
    return cast(Json, reason) if isinstance(reason, dict) else {}


def _answer(call_id: int | str, message: str, *, status: int | None = None, undone: bool = False) -> httpx.Response:
    content = _error(call_id, message, status, undone)
    return httpx.Response(200, headers={"content-type": "application/json"}, content=content)


def _error(call_id: int | str, message: str, status: int | None = None, undone: bool = False) -> bytes:
    reason = {"status": status, "undone": undone}
    error = {"code": CONNECTION_LOST, "message": message, "data": {REASON: reason}}
    return orjson.dumps({"jsonrpc": "2.0", "id": call_id, "error": error})


def _is_answer(body: bytes) -> bool:
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    if not isinstance(message, dict):
        return False
    fields = cast(Json, message)
    return isinstance(fields.get("result"), dict) or isinstance(fields.get("error"), dict)


def _stays(url: httpx.URL, location: str) -> bool:
    try:
        there = url.join(location)
    except httpx.InvalidURL:
        return False
    return (there.scheme, there.host, there.port, there.userinfo) == (url.scheme, url.host, url.port, url.userinfo)


async def _blames_session(response: httpx.Response) -> bool:
    """Whether a 400 is about the session. Older servers answer so after a restart; the standard is 404."""
    try:
        body = b"".join([chunk async for chunk in _bounded(_stream_of(response), 4096)])
    except (_Broken, httpx.TransportError):
        return False
    return b"session" in body.lower()


def _pinned(request: httpx.Request, address: str) -> httpx.Request:
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": request.url.host},
    )


def _phrase(status: int) -> str:
    try:
        return f" ({HTTPStatus(status).phrase})"
    except ValueError:
        return ""
