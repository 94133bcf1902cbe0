"""Real MCP servers for tests: child processes on free loopback ports that count what they are asked.

`python -m tests.mcp_servers PORT KIND [TOKEN]` is such a server; `serve(KIND)` starts one and waits until it answers.
"""

import asyncio
import json
import os
import socket
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tests.forking import Forked
from tests.process import nursery

Kind = Literal["fast", "slow", "failing", "sums", "many", "asking"]
#: One red pixel.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="


@dataclass
class Server:
    """A running server; it can be stopped and started again on the same port."""

    kind: Kind
    token: str | None = None
    port: int = field(default_factory=lambda: _free_port())
    process: Forked | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    def start(self) -> None:
        line = ["tests.mcp_servers", str(self.port), self.kind, self.token or ""]
        self.process = nursery().start(line, os.environ, Path(os.devnull))
        deadline = time.monotonic() + 30
        while not _listens(self.port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The {self.kind} MCP server did not start.")
            time.sleep(0.02)

    def stop(self) -> None:
        """At once, as a crash would."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def counts(self) -> Counter[str]:
        """JSON-RPC methods received since it started, and `cancelled`: calls that were stopped in the middle."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/counts", timeout=5) as answer:
            return Counter(json.load(answer))

    def tool(self, **fields: Any) -> dict[str, Any]:
        """Its declaration in a request."""
        return {
            "type": "mcp",
            "server_label": self.kind,
            "server_url": self.url,
            "require_approval": "never",
            **fields,
        }


@contextmanager
def serve(kind: Kind, token: str | None = None) -> Iterator[Server]:
    server = Server(kind, token)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# ---------------------------------------------------------------- the child


def _tools_of(kind: Kind, counts: Counter[str]) -> Any:
    from mcp.server.fastmcp import FastMCP

    server = FastMCP(kind, log_level="ERROR")
    add = {"fast": _fast, "slow": _slow, "failing": _failing, "sums": _sums, "many": _many, "asking": _asking}
    add[kind](server, counts)
    return server


def _fast(server: Any, counts: Counter[str]) -> None:
    from mcp.types import ImageContent, TextContent, ToolAnnotations

    @server.tool(annotations=ToolAnnotations(readOnlyHint=True))
    async def fast_tool(text: str = "", seconds: float = 0) -> str:
        """Answers at once, unless asked to take its time."""
        await asyncio.sleep(seconds)
        return f"fast: {text}"

    @server.tool()
    def both(text: str = "") -> str:
        """A name that two servers have."""
        return f"fast both: {text}"

    @server.tool(structured_output=False)
    def picture() -> list[TextContent | ImageContent]:
        """Shows a picture."""
        return [TextContent(type="text", text="Look:"), ImageContent(type="image", data=PIXEL, mimeType="image/png")]

    @server.tool(structured_output=False)
    def long(chars: int) -> str:
        """Says much."""
        return "x" * chars


def _slow(server: Any, counts: Counter[str]) -> None:
    @server.tool()
    async def slow_tool(seconds: float = 1.0) -> str:
        """Answers after a while."""
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            counts["cancelled"] += 1
            raise
        return f"slow: {seconds}"

    @server.tool()
    def both(text: str = "") -> str:
        """A name that two servers have."""
        return f"slow both: {text}"


def _sums(server: Any, counts: Counter[str]) -> None:
    @server.tool()
    def add(a: int, b: int) -> int:
        """Adds two numbers."""
        return a + b


def _many(server: Any, counts: Counter[str]) -> None:
    """Forty tools, of which any request needs one or two."""
    things = ("invoice", "ticket", "repository", "contact", "shipment", "recipe", "flight", "calendar_entry")
    for thing in things:
        for verb in ("list", "read", "create", "update", "delete"):
            server.add_tool(_told(verb, thing), name=f"{verb}_{thing}", description=f"{verb.title()}s one {thing}.")


def _told(verb: str, thing: str) -> Any:
    async def act(key: str = "", note: str = "", seconds: float = 0) -> str:
        await asyncio.sleep(seconds)
        return f"{verb} {thing} {key}"

    return act


def _asking(server: Any, counts: Counter[str]) -> None:
    from tests.mcp.asking_tools import add

    add(server)


def _failing(server: Any, counts: Counter[str]) -> None:
    @server.tool()
    def explode() -> str:
        """Fails."""
        raise ValueError("The fuse is wet.")

    @server.tool()
    def die() -> str:
        """Takes its server down."""
        os._exit(1)

    @server.tool()
    async def patient(seconds: float = 0.5) -> str:
        """Answers after a while."""
        await asyncio.sleep(seconds)
        return "patient"

    @server.tool(name="http_500")
    def http_500() -> str:
        """The server answers 500 without asking this tool."""
        return ""

    @server.tool(name="odd name/ü", structured_output=False)
    def odd() -> str:
        """Has a name and an answer that are not what one expects."""
        return "nul:\0:"


class Counting:
    """ASGI: counts JSON-RPC methods, answers 401 without the token, and 500 when `http_500` is called."""

    def __init__(self, app: Any, counts: Counter[str], token: str) -> None:
        self._app = app
        self._counts = counts
        self._token = token

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        if scope["path"] == "/counts":
            return await _answer(send, 200, json.dumps(self._counts).encode())
        if self._token and dict(scope["headers"]).get(b"authorization") != f"Bearer {self._token}".encode():
            return await _answer(send, 401, b"{}")
        body = await _body(receive)
        message = json.loads(body) if body else {}
        self._counts[message.get("method", scope["method"])] += 1
        if message.get("params", {}).get("name") == "http_500":
            return await _answer(send, 500, b"")
        await self._app(scope, _replay(body, receive), send)


async def _body(receive: Any) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


def _replay(body: bytes, receive: Any) -> Any:
    first = [{"type": "http.request", "body": body}]

    async def replay() -> Any:
        return first.pop() if first else await receive()

    return replay


async def _answer(send: Any, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def main(port: str, kind: Kind, token: str) -> None:
    import uvicorn

    counts: Counter[str] = Counter()
    app = Counting(_tools_of(kind, counts).streamable_http_app(), counts, token)
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="error")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3])  # type: ignore[arg-type]  one of `Kind`, by those who start it
