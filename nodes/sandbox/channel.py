"""What is said to a runner inside a sandbox, and what it says: lines of JSON, none of which is believed."""

import asyncio
import secrets
from asyncio.subprocess import Process
from collections.abc import Callable
from typing import Any

import orjson

from nodes.sandbox.port import Broken

Json = dict[str, Any]
Hear = Callable[[Json], None]

#: Of one frame, and of all that one call says: pictures, and text.
_FRAME_BYTES, _CALL_BYTES = 8 << 20, 48 << 20
_READ_BYTES = 1 << 18
GONE = "The sandbox has died, and its variables with it."


class Channel:
    """Calls of one runner, one after the other. A runner that breaks a rule is killed."""

    def __init__(self, process: Process) -> None:
        assert process.stdin and process.stdout  # that is how an isolation starts them  # noqa: S101
        self._process = process
        self._in, self._out = process.stdin, process.stdout
        self._begun = bytearray()
        self._turn = asyncio.Lock()
        self._why: str | None = None

    @property
    def open(self) -> bool:
        return self._why is None and self._process.returncode is None and not self._out.at_eof()

    async def ask(self, kind: str, limit_s: float, more: Json, hear: Hear | None = None) -> Json:
        """What a call comes to; `hear` is told what it says before. Cancelling it interrupts what it does.

        Raises `Broken`, also when it takes longer than `limit_s`.
        """
        async with self._turn:
            id = secrets.token_hex(16)
            try:
                async with asyncio.timeout(limit_s):
                    await self._say({"id": id, "ask": kind, **more})
                    return await self._answer(id, hear)
            except asyncio.CancelledError:
                self.mention("interrupt", id)
                raise
            except TimeoutError:
                raise self._broken(f"The sandbox has not answered within {limit_s:.0f} s and was ended.") from None

    def mention(self, kind: str, id: str = "", **more: Any) -> None:
        """Say something without waiting for an answer."""
        if self.open:
            self._in.write(orjson.dumps({"id": id, "ask": kind, **more}) + b"\n")

    async def close(self, why: str = "The sandbox is closed.") -> None:
        """Kill it, and wait until it is gone."""
        self._broken(why)
        await self._process.wait()

    async def _say(self, message: Json) -> None:
        if self._why is not None or self._process.returncode is not None:
            raise self._broken(GONE)
        try:
            self._in.write(orjson.dumps(message) + b"\n")
            await self._in.drain()
        except OSError:
            raise self._broken(GONE) from None

    async def _answer(self, id: str, hear: Hear | None) -> Json:
        """Frames of other calls are of ones that were cancelled, or forged."""
        heard_bytes = 0
        while True:
            line = await self._line()
            heard_bytes += len(line)
            if heard_bytes > _CALL_BYTES:
                raise self._broken("The sandbox said more than it may, and was ended.")
            frame = self._frame(line)
            if frame.get("id") != id:
                continue
            if isinstance(end := frame.get("end"), dict):
                return end  # pyright: ignore[reportUnknownVariableType]
            if hear:
                hear(frame)

    async def _line(self) -> bytes:
        searched = 0
        while (at := self._begun.find(b"\n", searched)) < 0:
            searched = len(self._begun)
            more = await self._out.read(_READ_BYTES)
            if not more:
                raise await self._gone()
            self._begun += more
            if len(self._begun) > _FRAME_BYTES:
                raise self._broken("The sandbox said more than it may, and was ended.")
        line = bytes(self._begun[:at])
        del self._begun[: at + 1]
        return line

    def _frame(self, line: bytes) -> Json:
        try:
            frame = orjson.loads(line)
        except orjson.JSONDecodeError:
            frame = None
        if not isinstance(frame, dict):
            raise self._broken("The sandbox did not speak as it should, and was ended.")
        return frame  # pyright: ignore[reportUnknownVariableType]

    async def _gone(self) -> Broken:
        """Why it has ended, as far as those know who watched it."""
        self._broken("")
        await self._process.wait()
        stopped: str | None = getattr(self._process, "stopped", None)
        return self._broken(f"{stopped} The sandbox was ended, and its variables with it." if stopped else GONE)

    def _broken(self, why: str) -> Broken:
        """End it; the first reason stays."""
        self._why = self._why or why
        if self._process.returncode is None:
            self._process.kill()
        return Broken(self._why)
