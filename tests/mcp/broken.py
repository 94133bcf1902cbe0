"""An MCP server that breaks its answers, byte by byte: a call of tool `cut` is cut, and so on."""

import asyncio
import gzip
import json
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

Json = dict[str, Any]
_SERVER = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "b", "version": "1"}}


def _plain(status: int, body: bytes = b"", kind: str = "application/json", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"content-type: {kind}", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _stream(*chunks: bytes, whole: bool = True) -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (*chunks, *([b""] if whole else [])))


#: What goes over the wire, made of a good answer. One that ends in the middle is followed by the connection's end.
_WAYS: Mapping[str, Callable[[bytes], bytes]] = {
    "not_found": lambda good: _plain(404, b"oops"),
    "bad_session": lambda good: _plain(400, b'{"error":"No valid session ID"}'),
    "error_500": lambda good: _plain(500),
    "not_answered": lambda good: _plain(202),
    "html": lambda good: _plain(200, b"<html>", "text/html"),
    "no_json": lambda good: _plain(200, b"{"),
    "surrogate": lambda good: _plain(200, good.replace(b"surrogate", b"\\ud800")),
    "no_object": lambda good: _plain(200, b'{"jsonrpc":"2.0","id":1,"result":[1]}'),
    "compressed": lambda good: _plain(200, gzip.compress(good), content_encoding="gzip"),
    "too_large": lambda good: _plain(200, b'"%b"' % (b"x" * 2_000_000)),
    "redirect_away": lambda good: _plain(307, location="http://127.0.0.2:1/mcp"),
    "redirect_for_ever": lambda good: _plain(307, location="/mcp"),
    "redirect_as_get": lambda good: _plain(302, location="/mcp"),
    "hang_up": lambda good: b"",
    "cut": lambda good: _stream(b"event: message\ndata: " + good[:20], whole=False),
    "ended": lambda good: _stream(b": ping\n\n"),
    "ended_within": lambda good: _stream(b"event: message\ndata: " + good[:20]),
    "no_json_event": lambda good: _stream(b"event: message\ndata: {no\n\n"),
    "too_large_event": lambda good: _stream(b"event: message\ndata: ", *[b"x" * 50_000] * 40),
}


class Broken:
    WAYS: ClassVar = _WAYS
    #: Ways that make a client believe its session is gone; a new one is tried once.
    RENEWED: ClassVar = {"not_found", "bad_session"}

    def __init__(self) -> None:
        self.sessions = 0
        self.hosts: list[str] = []
        self.endless = False

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while answer := await self._answer(reader):
                writer.write(answer)
                await writer.drain()
                if b"chunked" in answer[:200] and not answer.endswith(b"0\r\n\r\n"):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client left
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        body = await reader.readexactly(int(fields.get("content-length", 0)))
        if fields["host"] not in self.hosts:
            self.hosts.append(fields["host"])
        if " /moved " in head:
            return _plain(307, location="/mcp")
        message = json.loads(body) if body else {}
        return self._reply(message) if "id" in message else _plain(202)

    def _reply(self, message: Json) -> bytes:
        match message["method"]:
            case "initialize":
                self.sessions += 1
                return _plain(200, _result(message, _SERVER), mcp_session_id=f"s{self.sessions}")
            case "tools/list":
                return _plain(200, _result(message, {"tools": [], **({"nextCursor": "x"} if self.endless else {})}))
            case _:
                name = message["params"]["name"]
                good = _result(message, {"content": [{"type": "text", "text": name}]})
                return _WAYS[name](good) if name in _WAYS else _plain(200, good)


def _result(message: Json, result: Json) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode()
