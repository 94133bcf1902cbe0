"""Sandboxes of the real kind in the hand of a test."""

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from nodes.sandbox import interpreter
from nodes.sandbox.bwrap import Bwrap
from nodes.sandbox.local import LocalSandboxes
from nodes.sandbox.port import Output, Ran, Room, Sandbox

ROOT = Path(__file__).parent.parent.parent
PREPARED = ROOT / ".venv-sandbox" / "sandbox"
BARE = interpreter.find(interpreter.base(), PREPARED)

needs_bwrap = pytest.mark.skipif(not shutil.which("bwrap"), reason="there is no bwrap")
needs_packages = pytest.mark.skipif(not interpreter.prepared(PREPARED), reason="`make .venv-sandbox/.stamp` first")


class Hand:
    """A sandbox, and short ways to use it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    async def run(self, code: str, timeout_s: float = 20.0, listen: Callable[[Output], None] | None = None) -> Ran:
        return await self.sandbox.run_code(code, timeout_s, listen or (lambda _: None))

    async def logs(self, code: str) -> str:
        """What code says; it comes to its own end and shows no picture."""
        ran = await self.run(code)
        assert ran.stopped is None
        assert {output.kind for output in ran.outputs} <= {"logs"}
        return "".join(output.value for output in ran.outputs)

    async def command(self, command: str, timeout_s: float = 20.0) -> tuple[str, str, int | None]:
        done = await self.sandbox.run_command(command, timeout_s, lambda _, __: None)
        return done.stdout, done.stderr, done.exit_code

    async def put(self, path: str, content: bytes) -> None:
        async def whole() -> AsyncIterator[bytes]:
            yield content

        await self.sandbox.put(path, whole())

    async def get(self, path: str) -> bytes:
        return b"".join([piece async for piece in self.sandbox.get(path)])


def ways(python: interpreter.Interpreter = BARE, limit: int = 64) -> LocalSandboxes:
    return LocalSandboxes(Bwrap(), python, limit)


@asynccontextmanager
async def opened(python: interpreter.Interpreter = BARE) -> AsyncIterator[Hand]:
    way = ways(python)
    try:
        yield Hand(await way.open(Room()))
    finally:
        await way.close()
