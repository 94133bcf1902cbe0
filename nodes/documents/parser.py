"""A document's bytes → its text. What is more than text is read in a disposable process of its own."""

import asyncio
import os
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import orjson

from nodes.documents.formats import text
from nodes.documents.known import Key, Known
from nodes.documents.parsed import Document, Page, Parsed, Unreadable
from nodes.documents.sniffing import format_of
from nodes.documents.turns import Turns

_READING = str(Path(__file__).with_name("reading.py"))
#: What the process kills itself by, if it still can.
_GRACE_S = 2.0
#: Of JSON, for a character of text.
_BYTES_A_CHAR = 6
#: Of text that is read here, sooner than a process starts. More of it would hold up everybody else.
_SHORT_BYTES = 2**18
_KILLED = -9
_TIME_IS_UP = (_KILLED, -14, -24)
_TEXTLESS = {
    "pdf": "has no text; it may be a scan. Send its pages as images ('input_image').",
    "zipped": "has no text.",
}


class Parser(Protocol):
    async def parse(self, owner: str, document: Document, limit_chars: int) -> Parsed:
        """At most `limit_chars` of its text. Raises `Unreadable`. No owner can have all who read."""
        ...


@dataclass(frozen=True, slots=True)
class Confines:
    """What reading one document may cost."""

    seconds: float = 20.0
    memory_bytes: int = 512 * 2**20


class Documents:
    """Reads documents, one process each, as many at once as there are processors."""

    def __init__(self, confines: Confines | None = None) -> None:
        self._confines = confines or Confines()
        self._turns = Turns(os.cpu_count() or 1)
        self._known = Known()

    async def parse(self, owner: str, document: Document, limit_chars: int, *, web: bool = False) -> Parsed:
        """See `Parser`. `web`: of HTML the main text alone, with the title as the mark of its only page."""
        format = format_of(document)
        if web and format == "html":
            format = "webpage"
        if format == "text" and len(document.content) <= _SHORT_BYTES:
            return await asyncio.to_thread(_plain, document.content, limit_chars)
        key = await asyncio.to_thread(Key.of, document.content, format, limit_chars)
        if known := self._known.get(key):
            return known
        async with self._turns.taken(owner):
            parsed = await self._read(format, document.content, limit_chars)
        if not any(page.text for page in parsed.pages):
            raise Unreadable(_TEXTLESS.get(format, "has no text."))
        self._known.put(key, parsed)
        return parsed

    async def _read(self, format: str, content: bytes, limit_chars: int) -> Parsed:
        began = time.monotonic()
        said, status = await self._said(format, content, limit_chars)
        if status == _KILLED and time.monotonic() - began < self._confines.seconds:  # and by nothing of ours
            said, status = await self._said(format, content, limit_chars)
        return self._parsed(said, status)

    async def _said(self, format: str, content: bytes, limit_chars: int) -> tuple[bytes, int]:
        """And how the process ended."""
        order = {
            "format": format,
            "chars": limit_chars,
            "memory_bytes": self._confines.memory_bytes,
            "seconds": self._confines.seconds,
            "parent": os.getpid(),
        }
        async with _started(orjson.dumps(order).decode()) as process:
            try:
                async with asyncio.timeout(self._confines.seconds + _GRACE_S):
                    said = await _asked(process, content, limit_chars * _BYTES_A_CHAR + 2**20)
                    status = await process.wait()
                    return said, status
            except TimeoutError:
                return b"", -14

    def _parsed(self, said: bytes, status: int) -> Parsed:
        """Raises `Unreadable` for a process that did not come to its end, too."""
        if status in _TIME_IS_UP:
            raise Unreadable(f"takes more than {self._confines.seconds:g} s to read.", damaged=True)
        try:
            answer = orjson.loads(said)
        except orjson.JSONDecodeError:
            limit = self._confines.memory_bytes >> 20
            reason = f"is damaged, or needs more than {limit} MB of memory to read."
            raise Unreadable(reason, damaged=True) from None
        if "reason" in answer:
            code = answer["code"] or "unsupported_file"
            raise Unreadable(answer["reason"], code, damaged=answer["damaged"])
        return Parsed([Page(mark, text) for mark, text in answer["pages"]], answer["chars"])


def _plain(content: bytes, limit_chars: int) -> Parsed:
    (page,) = text.pages(content)
    return Parsed([Page("", page.text[:limit_chars])], len(page.text))


@asynccontextmanager
async def _started(order: str) -> AsyncGenerator[Process]:
    """A process that is gone when this is left."""
    process = await asyncio.create_subprocess_exec(
        *_line(order), stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env={}, cwd="/", start_new_session=True
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _line(order: str) -> Sequence[str]:
    """`-I -S`: without looking around, which takes longer than all the rest."""
    return [sys.executable, "-I", "-S", _READING, order, *(str(Path(path).absolute()) for path in sys.path)]


async def _asked(process: Process, content: bytes, limit_bytes: int) -> bytes:
    """What it says to a document, up to a limit; what it does not want to hear is not told."""
    output = cast(asyncio.StreamReader, process.stdout)  # it was asked to be a pipe
    async with asyncio.TaskGroup() as tasks:
        telling = tasks.create_task(_tell(process, content))
        said = bytearray()
        while len(said) <= limit_bytes and (piece := await output.read(2**16)):
            said += piece
        telling.cancel()
    return bytes(said)


async def _tell(process: Process, content: bytes) -> None:
    into = cast(asyncio.StreamWriter, process.stdin)
    with suppress(BrokenPipeError, ConnectionResetError):
        into.write(content)
        await into.drain()
        into.close()
