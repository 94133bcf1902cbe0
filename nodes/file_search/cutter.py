"""The process that cuts texts into windows: started when one is wanted, ended by itself when none is."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, cast

import orjson

from graph.errors import Json
from graph.vector_stores import Chunking

_CUTTING = str(Path(__file__).with_name("cutting.py"))
#: Tokens of a window: what small embedding models read whole.
_WINDOW_TOKENS = 200
#: Characters that are cut at once.
PIECE_CHARS = 50_000
_LINE_BYTES = 64 * 2**20
_PATIENCE_S = 60.0
#: Of which one may find that the process has ended for want of work.
_ATTEMPTS = 3


class Cut(NamedTuple):
    """A window to be."""

    text: str
    words: Sequence[str]
    language: str


class Shape(NamedTuple):
    """How windows make chunks."""

    window_tokens: int
    chunk_windows: int
    shared_windows: int

    @classmethod
    def of(cls, chunking: Chunking) -> "Shape":
        windows = -(-chunking.tokens // _WINDOW_TOKENS)
        tokens = max(1, chunking.tokens // windows)
        return cls(tokens, windows, min(windows - 1, round(chunking.overlap / tokens)))


class CutterFailed(Exception):
    """The process ended before it had answered, again and again."""


class Cutter:
    def __init__(self) -> None:
        self._process: Process | None = None
        self._turn = asyncio.Lock()

    async def cut(self, text: str, tokens: int) -> Sequence[Cut]:
        """Of at most `PIECE_CHARS`. Raises `CutterFailed`."""
        return [Cut(*window) for window in (await self._told({"text": text, "tokens": tokens}))["windows"]]

    async def languages(self, windows: Sequence[str]) -> Sequence[str]:
        """Of windows that follow one another. Raises `CutterFailed`."""
        return (await self._told({"texts": windows}))["languages"]

    async def close(self) -> None:
        if self._process:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
            self._process = None

    async def _told(self, order: Json) -> Json:
        line = orjson.dumps(order) + b"\n"
        async with self._turn:
            for _ in range(_ATTEMPTS):
                if (said := await self._asked(line)) is not None:
                    return said
        raise CutterFailed("The process that cuts texts into windows ended several times.")

    async def _asked(self, order: bytes) -> Json | None:
        """None when it has gone, or takes for ever."""
        process = self._process = self._process or await _started()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                into, out = cast(asyncio.StreamWriter, process.stdin), cast(asyncio.StreamReader, process.stdout)
                if into.is_closing():  # uvloop's raises a RuntimeError when it is written to
                    raise BrokenPipeError
                into.write(order)
                await into.drain()
                if (line := await out.readline()).endswith(b"\n"):  # else it died in the midst of it
                    return orjson.loads(line)
        except (OSError, TimeoutError):
            pass
        except asyncio.CancelledError:
            await asyncio.shield(self.close())  # or its answer would be taken for another's
            raise
        await self.close()
        return None


async def _started() -> Process:
    line = [sys.executable, "-I", "-S", _CUTTING, str(os.getpid()), *_paths()]
    return await asyncio.create_subprocess_exec(
        *line, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env={}, cwd="/", start_new_session=True, limit=_LINE_BYTES
    )


def _paths() -> list[str]:
    return [str(Path(path).absolute()) for path in sys.path]


def pieces(text: str) -> Iterator[str]:
    """The text in parts that are cut by themselves, at ends of paragraphs or lines where there are any."""
    at = 0
    while at < len(text):
        end = at + PIECE_CHARS
        if end < len(text):
            breaks = (text.rfind(mark, at + PIECE_CHARS // 2, end) + len(mark) for mark in ("\n\n", "\n", " "))
            end = next((found for found in breaks if found > at + PIECE_CHARS // 2), end)
        yield text[at:end]
        at = end
