"""Speaks what E2B's SDK speaks with its server of code: contexts, and executions as JSON lines. Runs real Python."""

import asyncio
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

#: A Python that keeps its variables; each line it reads is a cell.
KERNEL = """
import ast, base64, contextlib, io, json, signal, sys, traceback
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored by what a shell has started in the background
real, there = sys.stdout, {"__name__": "__main__"}
def say(**told):
    real.write(json.dumps(told) + "\\n"); real.flush()
class Out(io.TextIOBase):
    def __init__(self, kind): self.kind = kind
    def write(self, text):
        say(type=self.kind, text=text, timestamp=0)
        return len(text)
sys.stdout, sys.stderr = Out("stdout"), Out("stderr")
for line in sys.stdin:
    try:
        tree = ast.parse(json.loads(line))
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "cell", "exec"), there)
        value = eval(compile(ast.Expression(last.value), "cell", "eval"), there) if last else None
        if hasattr(value, "_repr_png_"):
            say(type="result", text=repr(value), png=base64.b64encode(value._repr_png_()).decode(), is_main_result=True)
        elif value is not None:
            say(type="result", text=repr(value), is_main_result=True)
    except BaseException as error:
        told = "\\x1b[31m" + traceback.format_exc() + "\\x1b[0m"
        say(type="error", name=type(error).__name__, value=str(error), traceback=told)
    say(type="end_of_execution")
"""


class E2bServer:
    def __init__(self) -> None:
        self.kernels: dict[str | None, asyncio.subprocess.Process] = {}
        self.folders: dict[str | None, str] = {None: "/"}
        #: Those whose last execution has not ended.
        self.left: list[asyncio.subprocess.Process] = []
        self._ids = count()

    def app(self) -> Starlette:
        routes = [
            Route("/execute", self.execute, methods=["POST"]),
            Route("/contexts", self.open, methods=["POST"]),
            Route("/contexts/{id}", self.close, methods=["DELETE"]),
        ]
        return Starlette(routes=routes)

    async def open(self, request: Request) -> Response:
        asked = await request.json()
        id = f"context-{next(self._ids)}"
        self.folders[id] = asked["cwd"]
        return JSONResponse({"id": id, "language": "python", "cwd": asked["cwd"]})

    async def close(self, request: Request) -> Response:
        if kernel := self.kernels.pop(request.path_params["id"], None):
            kernel.kill()
            await kernel.wait()
        return Response(status_code=204)

    async def execute(self, request: Request) -> Response:
        asked = await request.json()
        return StreamingResponse(self._told(asked), media_type="application/x-ndjson")

    async def _told(self, asked: dict[str, Any]) -> AsyncIterator[bytes]:
        kernel = await self._kernel(asked["context_id"])
        assert kernel.stdin
        assert kernel.stdout
        while kernel in self.left:  # nothing else is done before that has ended
            if b'"end_of_execution"' in await kernel.stdout.readline():
                self.left.remove(kernel)
        kernel.stdin.write(json.dumps(asked["code"]).encode() + b"\n")
        self.left.append(kernel)
        try:
            while kernel in self.left:
                line = await kernel.stdout.readline()
                if not line or b'"end_of_execution"' in line:
                    self.left.remove(kernel)
                yield line
        finally:
            if kernel in self.left:  # who asked has gone
                kernel.send_signal(signal.SIGINT)

    async def _kernel(self, context: str | None) -> asyncio.subprocess.Process:
        if context not in self.kernels:
            self.kernels[context] = await asyncio.create_subprocess_exec(
                sys.executable, "-u", "-c", KERNEL, cwd=self.folders[context], limit=1 << 24,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
        return self.kernels[context]


@asynccontextmanager
async def e2b_server() -> AsyncIterator[str]:
    """Its address."""
    there = E2bServer()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(there.app(), log_level="warning", lifespan="off", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server._serve([listening]))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        await serving
    for kernel in there.kernels.values():
        with suppress(ProcessLookupError):
            kernel.kill()
        await kernel.wait()
