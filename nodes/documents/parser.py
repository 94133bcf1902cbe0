"""A document's bytes → its text. What is more than text is read in a disposable process of its own."""

import asyncio
import os
import time
from dataclasses import dataclass
from typing import Protocol

import orjson

from nodes.documents.decoding import recoded
from nodes.documents.formats import text
from nodes.documents.known import Key, Known
from nodes.documents.parsed import Document, Page, Parsed, Unreadable
from nodes.documents.readers import KILLED, Readers
from nodes.documents.sniffing import format_of
from nodes.documents.turns import Turns

#: What the process kills itself by, if it still can.
_GRACE_S = 2.0
#: Of JSON, for a character of text.
_BYTES_A_CHAR = 6
#: Of text that is read here, sooner than a process starts. More of it would hold up everybody else.
_SHORT_BYTES = 2**18
_ALARM = -14
_TIME_IS_UP = (KILLED, _ALARM, -24)
#: What pages of the web are, as a rule.
_OF_THE_WEB = ("webpage",)
#: Formats that are encoded in one way or another.
_OF_TEXT = ("text", "html", "webpage")
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
        self._readers = Readers()
        self._warm = False

    async def warm(self) -> None:
        """Pages of the web will be read: let that begin at once then."""
        if not self._warm:
            self._warm = True
            await self._readers.warm(_OF_THE_WEB)

    async def close(self) -> None:
        await self._readers.close()

    async def parse(self, owner: str, document: Document, limit_chars: int, *, web: bool = False) -> Parsed:
        """See `Parser`. `web`: of HTML the main text alone, with the title as the mark of its only page."""
        format = format_of(document)
        if web and format == "html":
            format = "webpage"
        if format == "text" and len(document.content) <= _SHORT_BYTES:
            return await asyncio.to_thread(_plain, document, limit_chars)
        charset = document.charset if format in _OF_TEXT else ""
        key = await asyncio.to_thread(Key.of, document.content, format, charset, limit_chars)
        if known := self._known.get(key):
            return known
        async with self._turns.taken(owner):
            parsed = await self._read(key, document.content)
        if not any(page.text for page in parsed.pages):
            raise Unreadable(_TEXTLESS.get(format, "has no text."))
        self._known.put(key, parsed)
        return parsed

    async def _read(self, key: Key, content: bytes) -> Parsed:
        began = time.monotonic()
        said, status = await self._said(key, content)
        if status == KILLED and time.monotonic() - began < self._confines.seconds:  # and by nothing of ours
            said, status = await self._said(key, content)
        return self._parsed(said, status)

    async def _said(self, key: Key, content: bytes) -> tuple[bytes, int]:
        """And how the process ended."""
        order = {
            "format": key.format,
            "charset": key.charset,
            "chars": key.limit_chars,
            "memory_bytes": self._confines.memory_bytes,
            "seconds": self._confines.seconds,
        }
        try:
            async with asyncio.timeout(self._confines.seconds + _GRACE_S):
                return await self._readers.read(order, content, key.limit_chars * _BYTES_A_CHAR + 2**20)
        except TimeoutError:
            return b"", _ALARM

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


def _plain(document: Document, limit_chars: int) -> Parsed:
    (page,) = text.pages(recoded(document.content, document.charset))
    return Parsed([Page("", page.text[:limit_chars])], len(page.text))
