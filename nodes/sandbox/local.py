"""Sandboxes of this machine: an isolation starts our runner, and this talks to it."""

import base64
import binascii
import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from graph.errors import ToolFailed
from nodes.sandbox.channel import GONE, Channel
from nodes.sandbox.heard import HeardOutputs, HeardStreams
from nodes.sandbox.port import (
    FILES,
    Broken,
    Changes,
    Commanded,
    Interpreter,
    Isolation,
    Made,
    Output,
    Ran,
    Room,
    Sandbox,
)
from nodes.sandbox.proxy import Exit, Exits

RUNNER = Path(__file__).parent / "runner"
_PIECE_BYTES = 256 << 10
#: Until a sandbox is ready, for files, and for what an interrupt takes: nothing healthy takes as long.
_OPEN_S, _FILE_S, _END_S = 20.0, 30.0, 10.0
#: Variables that are kept, and the time to gather them.
_SAVED_BYTES, _SAVE_S = 64 << 20, 5.0
_FAR = 1 << 40


class LocalSandboxes:
    """Fits `Sandboxes`. At most `limit` at once; `exits` opens what leads out of those that have a network."""

    def __init__(
        self, isolation: Isolation, interpreter: Interpreter, limit: int = 64, exits: Exits | None = None
    ) -> None:
        self.name = isolation.name
        self._isolation = isolation
        self._interpreter = interpreter
        self._limit = limit
        self._exits = exits or Exits()
        self._open: set[LocalSandbox] = set()
        self._opening = 0

    async def problem(self) -> str | None:
        if problem := await self._isolation.problem():
            return problem
        try:
            sandbox = await self.open(Room())
            try:
                ran = await sandbox.run_code("6 * 7", _OPEN_S, lambda _: None)
            finally:
                await sandbox.close()
        except Broken as broken:
            return str(broken)
        if [output.value.strip() for output in ran.outputs] != ["42"]:
            return f"A sandbox was opened, and Python in it does not work: {ran.stopped or ran.outputs}"
        return None

    async def open(self, room: Room) -> Sandbox:
        self._open = {sandbox for sandbox in self._open if sandbox.alive}
        if len(self._open) + self._opening >= self._limit:
            raise Broken(f"{self._limit} sandboxes are open, and no more may be; try again later.")
        self._opening += 1
        try:
            sandbox = await self._opened(room)
            self._open.add(sandbox)
        finally:
            self._opening -= 1
        return sandbox

    async def close(self) -> None:
        for sandbox in list(self._open):
            await sandbox.close()

    async def _opened(self, room: Room) -> "LocalSandbox":
        way_out = await self._exits.open(room.network) if room.network else None
        try:
            return await self._started(room, way_out)
        except BaseException:
            if way_out:
                await way_out.close()
            raise

    async def _started(self, room: Room, way_out: Exit | None) -> "LocalSandbox":
        program = [self._interpreter.executable, "-I", str(RUNNER), FILES]
        needs = [*self._interpreter.needs, str(RUNNER), *([way_out.directory] if way_out else [])]
        sandbox = LocalSandbox(Channel(await self._isolation.start(program, needs, room)), room, way_out)
        try:
            await sandbox.greet()
        except BaseException:
            await sandbox.close()
            raise
        return sandbox


class LocalSandbox:
    """Fits `Sandbox`."""

    def __init__(self, channel: Channel, room: Room, way_out: Exit | None = None) -> None:
        self._channel = channel
        self._room = room
        self._way_out = way_out

    @property
    def alive(self) -> bool:
        return self._channel.open

    async def greet(self) -> None:
        """Wait until it is ready. Raises `Broken`."""
        out = self._way_out
        await self._channel.ask("hello", _OPEN_S, {"exit": [out.socket, out.token, out.certificates] if out else None})

    async def run_code(self, code: str, timeout_s: float, listen: Callable[[Output], None]) -> Ran:
        if not self.alive:
            raise Broken(GONE)
        heard = HeardOutputs(listen)
        asked = {"code": _sendable(code), "timeout_s": timeout_s}
        try:
            end = await self._channel.ask("code", timeout_s + _END_S, asked, heard.hear)
        except Broken as broken:
            return Ran(heard.outputs(), str(broken))
        return Ran(heard.outputs(), _stopped(end, timeout_s, self._room))

    async def run_command(self, command: str, timeout_s: float, listen: Callable[[str, str], None]) -> Commanded:
        heard = HeardStreams(listen)
        asked = {"command": _sendable(command).replace("\0", ""), "timeout_s": timeout_s}
        end = await self._channel.ask("command", timeout_s + _END_S, asked, heard.hear)
        status = end.get("status")
        if isinstance(status, int) and status < 0:  # a signal, as shells tell it
            status = 128 - status
        return Commanded(heard.text("stdout"), heard.text("stderr"), status if isinstance(status, int) else None)

    async def put(self, path: str, chunks: AsyncIterator[bytes]) -> None:
        await self._write("files", _checked(path), chunks)

    async def get(self, path: str) -> AsyncIterator[bytes]:
        async for piece in self._read("files", _checked(path)):
            yield piece

    async def remove(self, path: str) -> None:
        await self._channel.ask("remove", _FILE_S, {"place": "files", "path": _checked(path)})

    async def changes(self) -> Changes:
        end = await self._channel.ask("changes", _OPEN_S, {"place": "files"})
        made = [Made(one[0], one[1]) for one in _listed(end.get("made")) if _is_made(one)]
        gone = [one for one in _listed(end.get("gone")) if isinstance(one, str) and is_path(one)]
        return Changes(made, gone)

    async def save(self) -> bytes | None:
        name = secrets.token_hex(8)
        asked = {"name": name, "limit": _SAVED_BYTES, "timeout_s": _SAVE_S}
        end = await self._channel.ask("save", _SAVE_S + _END_S, asked)
        done = end.get("done")
        saved = bytearray()
        if isinstance(done, dict) and done.get("size"):  # pyright: ignore[reportUnknownMemberType]
            async for piece in self._read("scratch", name):
                saved += piece
                if len(saved) > _SAVED_BYTES:
                    return None
        await self._channel.ask("remove", _FILE_S, {"place": "scratch", "path": name})
        return bytes(saved) or None

    async def load(self, saved: bytes) -> None:
        async def whole() -> AsyncIterator[bytes]:
            yield saved

        name = secrets.token_hex(8)
        await self._write("scratch", name, whole())
        await self._channel.ask("load", _SAVE_S + _END_S, {"name": name, "timeout_s": _SAVE_S})
        await self._channel.ask("remove", _FILE_S, {"place": "scratch", "path": name})

    async def close(self) -> None:
        await self._channel.close()
        if self._way_out:
            await self._way_out.close()

    async def _write(self, place: str, path: str, chunks: AsyncIterator[bytes]) -> None:
        offset = 0
        try:
            async for chunk in chunks:
                for at in range(0, len(chunk), _PIECE_BYTES):
                    piece = chunk[at : at + _PIECE_BYTES]
                    await self._piece(place, path, offset, piece)
                    offset += len(piece)
            await self._piece(place, path, offset, b"", last=True)
        except BaseException:
            self._channel.mention("drop", place=place, path=path)
            raise

    async def _piece(self, place: str, path: str, offset: int, piece: bytes, last: bool = False) -> None:
        where = {"place": place, "path": path, "offset": offset, "last": last}
        end = await self._channel.ask("write", _FILE_S, {**where, "data": base64.b64encode(piece).decode()})
        if "errno" in end:
            raise ToolFailed(f"The file {path} could not be written: {str(end.get('reason'))[:200]}.")

    async def _read(self, place: str, path: str) -> AsyncIterator[bytes]:
        """As long as it is at the first look, whatever happens to it meanwhile."""
        offset, size = 0, _FAR
        while offset < size:
            asked = {"place": place, "path": path, "offset": offset, "size": _PIECE_BYTES}
            end = await self._channel.ask("read", _FILE_S, asked)
            piece = _decoded(end.get("data"))[:_PIECE_BYTES]
            if "data" not in end:
                raise FileNotFoundError(path)
            if size == _FAR:
                size = end["size"] if isinstance(end.get("size"), int) else 0
            if not piece:
                return
            offset += len(piece)
            yield piece


def is_path(path: str) -> bool:
    """Whether it is a plain relative path: nothing in it leads elsewhere."""
    parts = path.split("/")
    return (
        path.isprintable()
        and len(path.encode(errors="replace")) < 1024
        and all(part not in ("", ".", "..") and len(part.encode(errors="replace")) < 256 for part in parts)
    )


def _checked(path: str) -> str:
    if not is_path(path):
        raise ToolFailed(f"{path[:200]!r} is no path beneath {FILES}.")
    return path


def _sendable(text: str) -> str:
    """Text that has half a character in it cannot be sent as it is."""
    return text.encode(errors="replace").decode()


def _listed(said: object) -> list[Any]:
    return said if isinstance(said, list) else []  # pyright: ignore[reportUnknownVariableType]


def _is_made(one: Any) -> bool:
    return (
        isinstance(one, list)
        and len(one) == 2  # pyright: ignore[reportUnknownArgumentType]
        and isinstance(one[0], str)
        and isinstance(one[1], int)
        and is_path(one[0])
    )


def _decoded(said: object) -> bytes:
    try:
        return base64.b64decode(said) if isinstance(said, str) else b""
    except binascii.Error:
        return b""


def _stopped(end: dict[str, Any], timeout_s: float, room: Room) -> str | None:
    """Why code did not come to its own end, and what became of the variables."""
    lost = bool(end.get("lost"))
    match end.get("why"):
        case "time":
            why = f"It ran longer than {timeout_s:g} s and was interrupted"
        case "interrupted":
            why = "It was interrupted"
        case _ if lost:
            return f"{_ended(end.get('ended'), room)}; the variables are lost, the files are not."
        case _:
            return None
    return f"{why}, did not heed that and was killed; the variables are lost, the files are not." if lost else f"{why}."


def _ended(status: object, room: Room) -> str:
    if status == -9:
        memory = f"{room.memory_bytes / 2**30:g} GiB"
        return f"The interpreter was killed, as happens when it needs more than the {memory} of memory there are"
    if isinstance(status, int) and status < 0:
        return f"The interpreter was ended by signal {-status}"
    return f"The interpreter ended itself (exit status {status if isinstance(status, int) else '?'})"
