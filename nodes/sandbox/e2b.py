"""Sandboxes by E2B: somebody else's machines, or an E2B one hosts oneself. Their SDK is imported when it is needed."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from graph.errors import ToolFailed
from nodes.sandbox.heard import HeardOutputs, HeardStreams
from nodes.sandbox.local import is_path
from nodes.sandbox.port import FILES, Broken, Changes, Commanded, Made, Output, Ran, Room, Sandbox

if TYPE_CHECKING:
    from e2b_code_interpreter import (  # pyright: ignore[reportMissingTypeStubs]
        AsyncSandbox,
        Context,
        ExecutionError,
        OutputMessage,
        Result,
    )

Json = dict[str, Any]
_HELPER = (Path(__file__).parent / "e2b_helper.py").read_text()
_PIECE_BYTES = 1 << 19
#: E2B ends a sandbox by itself after this time; each call begins it anew.
_LIFE_S = 30 * 60
_ASK_S, _END_S = 60.0, 10.0
#: A call at once after one that was cancelled is lost.
_PAUSE_S, _PROBE_S = 0.2, 2.0
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@asynccontextmanager
async def _reaching() -> AsyncGenerator[None]:
    """What may go wrong on the way there is `Broken`. Not all that the SDK raises is an exception of its own."""
    sdk = await asyncio.to_thread(_sdk)
    ours = (sdk.SandboxException, sdk.AuthenticationException, sdk.ServiceBusyException, httpx.HTTPError, OSError)
    try:
        yield
    except TimeoutError:
        raise  # ours
    except ours as error:
        raise Broken(f"The sandbox at E2B cannot be used: {type(error).__name__}.") from error


def _sdk() -> Any:
    """It takes a second, and is told to keep code out of the log."""
    sdk = import_module("e2b_code_interpreter")
    for name in ("e2b", "e2b_code_interpreter"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return sdk


class E2b:
    """Fits `Sandboxes`. `debug_url`: one server of code instead of the service, as `debug` of the SDK has it."""

    name = "e2b"

    def __init__(
        self, key: str | None, domain: str | None = None, debug_url: str | None = None, files: str = FILES
    ) -> None:
        self._closed = not key and not debug_url
        self._files = files
        self._options: Json = {"api_key": key, "domain": domain}
        if debug_url:
            self._options |= {"debug": True, "sandbox_url": debug_url}

    async def problem(self) -> str | None:
        if self._closed:
            return "it has no key (setting `e2b_api_key`, environment `E2B_API_KEY`)."
        try:
            sandbox = await self.open(Room())
            try:
                ran = await sandbox.run_code("6 * 7", _ASK_S, lambda _: None)
            finally:
                await sandbox.close()
        except Broken as broken:
            return str(broken)
        return None if [output.value.strip() for output in ran.outputs] == ["42"] else "its Python does not work."

    async def open(self, room: Room) -> Sandbox:
        """What it may use is said by the template at E2B, not by `room`."""
        if room.network:
            raise Broken("A sandbox at E2B cannot be given an allow-list.")
        sdk = await asyncio.to_thread(_sdk)
        async with _reaching():
            remote = await sdk.AsyncSandbox.create(timeout=_LIFE_S, allow_internet_access=False, **self._options)
        sandbox = _Remote(remote, self._files)
        try:
            await sandbox.prepare()
        except BaseException:
            await sandbox.close()
            raise
        return sandbox

    async def close(self) -> None:
        """Each sandbox is closed by whoever has it."""


class _Remote:
    """Fits `Sandbox`. Callers' code has a context of its own; ours runs beside it."""

    def __init__(self, remote: AsyncSandbox, files: str) -> None:
        self._remote = remote
        self._files = files
        self._context: Context | None = None
        self._known: dict[str, list[int]] = {}
        self._extended_at = time.monotonic()
        self._alive = True

    @property
    def alive(self) -> bool:
        return self._alive

    async def prepare(self) -> None:
        async with self._used():
            await self._remote.run_code(_HELPER, timeout=_ASK_S)
        if not (await self._ask("prepare")).get("done"):
            raise Broken(f"{self._files} cannot be written in sandboxes of E2B.")
        await self._new_context()

    async def run_code(self, code: str, timeout_s: float, listen: Callable[[Output], None]) -> Ran:
        heard = _Heard(listen)
        try:
            async with self._used(), asyncio.timeout(timeout_s):
                await self._remote.run_code(
                    code,
                    context=self._context,
                    on_stdout=heard.text,
                    on_stderr=heard.text,
                    on_result=heard.result,
                    on_error=heard.error,
                    timeout=0,
                )
        except TimeoutError:
            kept = "" if await self._settled() else ", and its variables are lost"
            return Ran(heard.outputs(), f"It ran longer than {timeout_s:g} s and was interrupted{kept}.")
        except ValueError:  # the SDK cuts lines at characters that are none of its lines' ends
            return Ran(heard.outputs(), "What it said could not be read to its end.")
        return Ran(heard.outputs())

    async def run_command(self, command: str, timeout_s: float, listen: Callable[[str, str], None]) -> Commanded:
        heard = HeardStreams(listen)
        end = await self._ask("command", command, timeout_s, limit_s=timeout_s + _END_S, hear=heard.hear)
        status = end.get("status")
        if isinstance(status, int) and status < 0:
            status = 128 - status
        return Commanded(heard.text("stdout"), heard.text("stderr"), status if isinstance(status, int) else None)

    async def put(self, path: str, chunks: AsyncIterator[bytes]) -> None:
        offset = 0
        async for chunk in chunks:
            for at in range(0, len(chunk), _PIECE_BYTES):
                piece = chunk[at : at + _PIECE_BYTES]
                await self._write(path, offset, piece, last=False)
                offset += len(piece)
        self._known[path] = await self._write(path, offset, b"", last=True)

    async def get(self, path: str) -> AsyncIterator[bytes]:
        offset = 0
        while True:
            end = await self._ask("read", _checked(path), offset)
            if end.get("absent"):
                raise FileNotFoundError(path)
            piece = base64.b64decode(end.get("piece", ""))
            if not piece:
                return
            offset += len(piece)
            yield piece

    async def remove(self, path: str) -> None:
        await self._ask("remove", _checked(path))
        self._known.pop(path, None)

    async def changes(self) -> Changes:
        found = {path: state for path, state in (await self._ask("listing")).get("found", {}).items() if is_path(path)}
        made = [Made(path, state[0]) for path, state in found.items() if self._known.get(path) != state]
        gone = [path for path in self._known if path not in found]
        self._known = found
        return Changes(made, gone)

    async def save(self) -> bytes | None:
        """Variables stay there as long as the sandbox does, and no longer."""
        return None

    async def load(self, saved: bytes) -> None: ...

    async def close(self) -> None:
        answered, self._alive = self._alive, False
        try:
            async with _reaching(), asyncio.timeout(_END_S):
                if self._context and answered:
                    await self._remote.remove_code_context(self._context)
                await self._remote.kill()
        except (Broken, TimeoutError):
            pass  # it ends by itself in time

    @asynccontextmanager
    async def _used(self) -> AsyncGenerator[None]:
        """A call: it lives on from now, or is broken."""
        if not self._alive:
            raise Broken("The sandbox has died, and its variables with it.")
        try:
            async with _reaching():
                if time.monotonic() - self._extended_at > _LIFE_S / 4 and not self._remote.connection_config.debug:
                    self._extended_at = time.monotonic()
                    await self._remote.set_timeout(_LIFE_S)
                yield
        except Broken:
            self._alive = False
            raise

    async def _new_context(self) -> None:
        async with self._used():
            self._context = await self._remote.create_code_context(cwd=self._files, language="python")

    async def _settled(self) -> bool:
        """Whether the code has heeded the interrupt; if not, it is left behind with its variables."""
        await asyncio.sleep(_PAUSE_S)
        try:
            async with self._used(), asyncio.timeout(_PROBE_S):
                await self._remote.run_code("0", context=self._context, timeout=0)
        except TimeoutError:
            async with self._used():
                await self._remote.remove_code_context(self._context or "")
            await self._new_context()
            return False
        return True

    async def _write(self, path: str, offset: int, piece: bytes, last: bool) -> list[int]:
        end = await self._ask("write", _checked(path), offset, base64.b64encode(piece).decode(), last)
        if "failed" in end:
            raise ToolFailed(f"The file {path} could not be written: {str(end['failed'])[:200]}.")
        return end.get("state") or []

    async def _ask(
        self, name: str, *given: object, limit_s: float = _ASK_S, hear: Callable[[Json], None] | None = None
    ) -> Json:
        """Call one of ours there; its last line is the answer, `hear` is told those before. Raises `Broken`."""
        lines = _Lines(hear)
        arguments = ", ".join(map(repr, (self._files, *given)))
        try:
            async with self._used(), asyncio.timeout(limit_s):
                await self._remote.run_code(f"{name}({arguments})", on_stdout=lines.hear, timeout=0)
        except (TimeoutError, ValueError) as error:
            self._alive = False
            raise Broken("The sandbox at E2B has not answered as it should.") from error
        return lines.last


class _Lines:
    """Lines of JSON out of pieces of text."""

    def __init__(self, hear: Callable[[Json], None] | None) -> None:
        self._hear = hear
        self._begun = ""
        self.last: Json = {}

    def hear(self, message: OutputMessage) -> None:
        *whole, self._begun = (self._begun + message.line).split("\n")
        for line in whole:
            said = json.loads(line)
            self.last = said if isinstance(said, dict) else {}
            if self._hear:
                self._hear(self.last)


class _Heard(HeardOutputs):
    """What the SDK tells, as outputs."""

    def text(self, message: OutputMessage) -> None:
        self.hear({"logs": message.line})

    def result(self, result: Result) -> None:
        if result.png:
            self.hear({"image": result.png.replace("\n", "")})
        elif result.text:
            self.hear({"logs": f"{result.text}\n"})

    def error(self, error: ExecutionError) -> None:
        self.hear({"logs": _COLOURS.sub("", error.traceback).rstrip("\n") + "\n"})


def _checked(path: str) -> str:
    if not is_path(path):
        raise ToolFailed(f"{path[:200]!r} is no path beneath {FILES}.")
    return path
