"""HTTP for MCP in which every failure is an answer to the request that failed.

Left to itself the transport of `mcp` lets one 500 end the session with all its other calls, forgets the status of a
401, and waits for ever when a stream is cut. Here such a request gets a JSON-RPC error instead, and the session lives.
Hosts are resolved once, checked, and connected to by the address that was checked.
"""

import asyncio
import re
import ssl
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any, cast

import httpx
import orjson

from graph.errors import Json
from nodes.mcp.failure import ServerFailed
from nodes.mcp.limits import Limits
from nodes.mcp.oauth.grants import Authorized, Grant
from nodes.mcp.transport.asked import Broken, Call
from nodes.mcp.transport.events import Events, Said
from nodes.mcp.transport.message import error, passed
from nodes.reach import OutOfReach, Reach, Unresolved

_SESSION = "mcp-session-id"
_SESSION_ID = re.compile(r"[\x21-\x7e]{1,1024}")
_STREAM, _JSON = "text/event-stream", "application/json"
_REDIRECTS = 3
_REASON_BYTES = 4096


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
        self._calls: dict[int | str, Call] = {}
        #: The same, by the task that `mcp` gave each.
        self._tasks: dict[asyncio.Task[Any], Call] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.headers["accept-encoding"] = "identity"
        if request.method != "POST":
            return await self._manage(request)
        message = orjson.loads(await request.aread())  # one that follows a redirect is not read yet
        if "method" not in message or "id" not in message:
            return await self._notify(request, message)
        call = self._begun(message["id"], message["method"])
        try:
            return await call.wait(partial(self._ask, request, call))
        except Broken as broken:
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
        task = asyncio.current_task()
        call = self._tasks.get(task) if task else None
        return await self._resumed(request, call) if call else httpx.Response(405)

    async def _resumed(self, request: httpx.Request, call: Call) -> httpx.Response:
        """The rest of an answer. Whatever fails here ends the call: `mcp` would wait for ever."""
        call.resumptions += 1
        stream: httpx.AsyncByteStream = Said(call, "The connection to the MCP server was lost.")
        if call.resumptions > self._limits.resumptions:
            stream = Said(call, f"The MCP server cut its answer more than {self._limits.resumptions} times.")
        else:
            with suppress(Broken, httpx.HTTPError, httpx.InvalidURL, ServerFailed):
                response = await call.wait(partial(self._send, request))
                stream = Events(_stream_of(response), call)
                if response.status_code != 200 or not _is_stream(response):
                    await response.aclose()
                    stream = Said(call, "The MCP server did not go on with its answer.")
        return httpx.Response(200, headers={"content-type": _STREAM}, stream=stream)

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

    def _begun(self, call_id: int | str, method: str) -> Call:
        """Known until the task that `mcp` gave this request has ended. A redirect begins the same call again."""
        if call := self._calls.get(call_id):
            call.redirects += 1
            return call
        call = self._calls[call_id] = Call(call_id, method, self._limits)
        if task := asyncio.current_task():
            self._tasks[task] = call
            task.add_done_callback(partial(self._ended, call_id))
        return call

    def _ended(self, call_id: int | str, task: "asyncio.Task[Any]") -> None:
        self._calls.pop(call_id, None)
        self._tasks.pop(task, None)

    async def _ask(self, request: httpx.Request, call: Call) -> httpx.Response:
        response = await self._send(request)
        try:
            return await self._usable(request, response, call)
        except BaseException:
            await response.aclose()
            raise

    async def _usable(self, request: httpx.Request, response: httpx.Response, call: Call) -> httpx.Response:
        if response.status_code != 200:
            return await self._refusal(request, response, call)
        if response.headers.get("content-encoding", "identity") != "identity":
            raise Broken("The MCP server compressed its answer although it was asked not to.")
        headers = _session_of(response)
        if _is_stream(response):
            stream = Events(_stream_of(response), call)
            return httpx.Response(200, headers={"content-type": _STREAM, **headers}, stream=stream)
        if not response.headers.get("content-type", "").lower().startswith(_JSON):
            raise Broken("The MCP server answered with something that is neither JSON nor an event stream.")
        body = await passed(b"".join([piece async for piece in call.pieces(_stream_of(response))]), call)
        await response.aclose()
        if not body or not call.answered:
            raise Broken("The MCP server answered something else than it was asked.")
        return httpx.Response(200, headers={"content-type": _JSON, **headers}, content=body)

    async def _refusal(self, request: httpx.Request, response: httpx.Response, call: Call) -> httpx.Response:
        status = response.status_code
        stays = _stays(request.url, response.headers.get("location", ""))
        if status in (307, 308) and stays and call.redirects < _REDIRECTS:
            return response
        undone = _SESSION in request.headers and (
            status == 404 or (status == 400 and await _blames_session(response, call))
        )
        await response.aclose()
        if status == 202:
            raise Broken("The MCP server took the request and did not answer it.")
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


def _stream_of(response: httpx.Response) -> httpx.AsyncByteStream:
    return cast(httpx.AsyncByteStream, response.stream)  # httpx types it as either kind


def _answer(call_id: int | str, message: str, *, status: int | None = None, undone: bool = False) -> httpx.Response:
    content = error(call_id, message, status, undone)
    return httpx.Response(200, headers={"content-type": "application/json"}, content=content)


def _is_stream(response: httpx.Response) -> bool:
    return response.headers.get("content-type", "").lower().startswith(_STREAM)


def _session_of(response: httpx.Response) -> dict[str, str]:
    """The header that names the session. Source: MCP specification 2025-11-25, "Session Management"."""
    id = response.headers.get(_SESSION)
    if id is not None and not _SESSION_ID.fullmatch(id):
        raise Broken("The MCP server gave the session an id that cannot be used.")
    return {_SESSION: id} if id else {}


def _stays(url: httpx.URL, location: str) -> bool:
    try:
        there = url.join(location)
    except httpx.InvalidURL:
        return False
    return (there.scheme, there.host, there.port, there.userinfo) == (url.scheme, url.host, url.port, url.userinfo)


async def _blames_session(response: httpx.Response, call: Call) -> bool:
    """Whether a 400 is about the session. Older servers answer so after a restart; the standard is 404."""
    body = b""
    with suppress(Broken, httpx.TransportError):
        async for piece in call.pieces(_stream_of(response)):
            body += piece
            if len(body) > _REASON_BYTES:
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
