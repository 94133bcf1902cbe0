"""A page on this machine to which an authorization server sends a person back."""

import asyncio
import webbrowser
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from socket import socket

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from nodes.mcp.oauth.wire import OAuthFailed

_THANKS = "That is all: this window can be closed. The terminal says whether the login succeeded.\n"


class LoopbackDesk:
    """Fits `nodes.mcp.oauth.login.Desk`. Only this machine can reach it, and the first answer counts."""

    def __init__(self, port: int, browser: bool, limit_s: float) -> None:
        self.redirect_uri = f"http://127.0.0.1:{port}/callback"
        self._browser = browser
        self._limit_s = limit_s
        self._answer: asyncio.Future[Mapping[str, str]] = asyncio.get_running_loop().create_future()

    async def ask(self, page: str) -> Mapping[str, str]:
        print(f"Open this page and say yes there:\n\n  {page}\n", flush=True)
        if self._browser:
            await asyncio.to_thread(webbrowser.open, page)
        try:
            async with asyncio.timeout(self._limit_s):
                return await self._answer
        except TimeoutError:
            raise OAuthFailed(f"Nobody came back from that page within {self._limit_s:g} s.") from None

    async def returned(self, request: Request) -> PlainTextResponse:
        if not self._answer.done():
            self._answer.set_result(dict(request.query_params))
        return PlainTextResponse(_THANKS, headers={"referrer-policy": "no-referrer", "cache-control": "no-store"})


@asynccontextmanager
async def open_desk(port: int, *, browser: bool, limit_s: float) -> AsyncGenerator[LoopbackDesk]:
    """Port 0 takes a free one. Raises `OAuthFailed` when the port cannot be had."""
    with socket() as listening:
        try:
            listening.bind(("127.0.0.1", port))
        except OSError as error:
            raise OAuthFailed(f"Port {port} cannot be listened on: {(error.strerror or '').lower()}.") from None
        desk = LoopbackDesk(listening.getsockname()[1], browser, limit_s)
        app = Starlette(routes=[Route("/callback", desk.returned)])
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off", access_log=False))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield desk
        finally:
            server.should_exit = True
            await serving
