"""A real MCP server with a tool that may be called again and one that may not; both can be held, and count."""

import threading
import time
from collections import Counter
from typing import Any, Self

import uvicorn
from mcp.server.fastmcp import Context, FastMCP
from mcp.types import ToolAnnotations

from tests.faults.stops import Stops
from tests.process import free_port

#: What callers show the server, and nobody may keep.
CANARY = "canary-5d1f0c9e7a"


class _Listing(FastMCP):
    """Can be held while it says which tools it has."""

    stops: Stops

    async def list_tools(self) -> Any:
        await self.stops.at("tools listed")
        return await super().list_tools()


class Tools:
    """`strike` changes the world and must not run twice; `look` only looks."""

    def __init__(self, stops: Stops) -> None:
        #: `(tool, key)` → how often it ran.
        self.ran: Counter[tuple[str, str]] = Counter()
        #: Calls that did not show the secret.
        self.unproven = 0
        self._stops = stops
        self.port = free_port()
        config = uvicorn.Config(self._app(), host="127.0.0.1", port=self.port, log_level="critical", ws="none")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def start(self) -> Self:
        self._thread.start()
        until = time.monotonic() + 20
        while not self._server.started:
            assert self._thread.is_alive() and time.monotonic() < until, "the tools did not start"
            time.sleep(0.01)
        return self

    def stop(self) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(5)

    def declared(self) -> dict[str, Any]:
        """As a request names it."""
        url = f"http://127.0.0.1:{self.port}/mcp"
        secrets = {"headers": {"X-Canary": CANARY}, "authorization": CANARY}
        return {"type": "mcp", "server_label": "yard", "server_url": url, "require_approval": "never", **secrets}

    def _app(self) -> Any:
        server = _Listing("yard", log_level="CRITICAL")
        server.stops = self._stops

        @server.tool()
        async def strike(key: str, context: Context[Any, Any, Any]) -> str:
            """Strikes once."""
            return await self._run("strike", key, context)

        @server.tool(annotations=ToolAnnotations(readOnlyHint=True))
        async def look(key: str, context: Context[Any, Any, Any]) -> str:
            """Looks."""
            return await self._run("look", key, context)

        return server.streamable_http_app()

    async def _run(self, name: str, key: str, context: Context[Any, Any, Any]) -> str:
        request = context.request_context.request
        shown = request.headers if request else {}
        if shown.get("x-canary") != CANARY or shown.get("authorization") != f"Bearer {CANARY}":
            self.unproven += 1
        await self._stops.at(f"{name} called")
        self.ran[name, key] += 1
        await self._stops.at(f"{name} done")
        return f"{name} has run for {key}"
