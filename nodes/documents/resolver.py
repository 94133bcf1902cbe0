"""What a model is told of the files and images a request brings: text of documents, data of images."""

import asyncio
import mimetypes
import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from graph.attachments import Attachment
from graph.errors import Json, RequestError
from nodes.documents.parsed import Document, Parsed, Unreadable
from nodes.documents.parser import Parser
from nodes.documents.sniffing import image_type
from nodes.documents.sources import Allowance, Sources

_IMAGE_BYTES = 20 * 2**20
#: Of one request: that are fetched and read at the same time, and in all.
_AT_ONCE = 8
_MOST = 1500
_NAME_CHARS = 200
_UNSHOWN = re.compile(r"[\x00-\x1f\x7f-\x9f<>\"\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
_END = re.compile(r"<(/\s*file)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Telling:
    """How much a model is told, and in which way."""

    #: `text`: what is written in a file; `pass`: the file itself, to model servers that read files.
    files: Literal["text", "pass"] = "text"
    #: `pass`: the model server fetches what a URL leads to; `fetch`: we do.
    image_urls: Literal["pass", "fetch"] = "pass"
    #: Bytes of all files and images of a request.
    limit_bytes: int = 50 * 2**20
    #: Characters of a file from which on it is searched, where it can be; then so much of its beginning is told.
    search_chars: int = 200_000
    beginning_chars: int = 4_000
    #: Characters of one file, and of all of a request.
    file_chars: int = 500_000
    limit_chars: int = 1_000_000


class LongFiles(Protocol):
    """Where kept files that are too long to be told become searchable; what a request itself brings is not kept."""

    async def searchable(self, owner: str, file_id: str, filename: str) -> Json | None:
        """The tool that finds what is in it; None when it cannot be searched."""
        ...


class Resolver:
    """Fits `graph.attachments.Attachments`."""

    def __init__(
        self, sources: Sources, parser: Parser, telling: Telling | None = None, long: LongFiles | None = None
    ) -> None:
        self._long = long
        self._sources = sources
        self._parser = parser
        self._telling = telling or Telling()

    async def resolve(self, owner: str, given: Sequence[Attachment]) -> list[list[Json] | None]:
        """See `Attachments`. Also raises when there are more than can be told of."""
        if len(given) > _MOST:
            message = f"One request may bring {_MOST} files and images; this one brings {len(given)}."
            raise RequestError(message, param="input", code="invalid_value")
        allowance, turns = Allowance(self._telling.limit_bytes), asyncio.Semaphore(_AT_ONCE)

        async def found(one: Attachment) -> "Json | _Read | None":
            async with turns:
                return await self._found(owner, one, allowance)

        try:
            async with asyncio.TaskGroup() as tasks:
                finding = [tasks.create_task(found(one)) for one in given]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return self._within_limit([task.result() for task in finding])

    def _within_limit(self, found: "Sequence[Json | _Read | None]") -> list[list[Json] | None]:
        left, told = self._telling.limit_chars, list[list[Json] | None]()
        for one in found:
            if isinstance(one, _Read):
                cut = one.parsed.cut(left)
                left -= cut.held
                tool = {"tool": one.tool} if one.tool else {}
                told.append([{"type": "input_text", "text": _fenced(one.name, cut, bool(tool)), **tool}])
            else:
                told.append(None if one is None else [one])
        return told

    async def _found(self, owner: str, given: Attachment, allowance: Allowance) -> "Json | _Read | None":
        part = given.part
        if part.get("type") != "input_file":
            if (url := part.get("image_url")) and (url.startswith("data:") or self._telling.image_urls == "pass"):
                return None
            try:
                return await _image(given, await self._sources.of(owner, given, allowance))
            except RequestError as error:
                if given.shown and error.code == "file_not_found":
                    return {"type": "input_text", "text": "[This screenshot is not kept any more.]"}
                raise
        if self._telling.files == "pass":
            if part.get("file_data"):
                return None
            return await _file(await self._sources.of(owner, given, allowance))
        return await self._text(owner, given, await self._sources.of(owner, given, allowance))

    async def _text(self, owner: str, given: Attachment, document: Document) -> "_Read":
        name = _shown(document.filename)
        limit = min(self._telling.file_chars, self._telling.limit_chars)
        try:
            parsed = await self._parser.parse(owner, document, limit)
        except Unreadable as unreadable:
            message = f"The file '{name}' {unreadable.reason}"
            raise RequestError(message, param=_place(given), code=unreadable.code) from None
        file_id = given.part.get("file_id")
        if self._long is None or not file_id or parsed.chars <= self._telling.search_chars:
            return _Read(name, parsed)
        tool = await self._long.searchable(owner, file_id, document.filename)
        return _Read(name, parsed.cut(self._telling.beginning_chars), tool) if tool else _Read(name, parsed)


@dataclass(frozen=True, slots=True)
class _Read:
    name: str
    parsed: Parsed
    #: What finds the rest of it.
    tool: Json | None = None


def _fenced(name: str, parsed: Parsed, searched: bool) -> str:
    """The text as data: nothing in it looks like the end of the file."""
    text = _END.sub(r"<\\\1", parsed.text)
    note = f"\n[{name}: cut after {parsed.held} of {parsed.chars} characters]" if parsed.held < parsed.chars else ""
    note += f"\n[What else is in {name} can be found with the tool file_search.]" if searched else ""
    return f'<file name="{name}">\n{text}\n</file>{note}'


def _shown(filename: str) -> str:
    return _UNSHOWN.sub(" ", filename)[:_NAME_CHARS].strip() or "file"


async def _image(given: Attachment, document: Document) -> Json:
    kind = image_type(document.content)
    if kind is None:
        message = "The file is no image of a kind that models take: PNG, JPEG, GIF or WebP."
        raise RequestError(message, param=_place(given), code="unsupported_file")
    if len(document.content) > _IMAGE_BYTES:
        message = f"The image has {len(document.content)} bytes; at most {_IMAGE_BYTES} are taken."
        raise RequestError(message, param=_place(given), code="image_file_too_large")
    told = {"type": "input_image", "image_url": await asyncio.to_thread(_data_url, kind, document.content)}
    return told | ({"detail": given.part["detail"]} if given.part.get("detail") else {})


async def _file(document: Document) -> Json:
    guessed = mimetypes.guess_type(document.filename)[0] or "application/octet-stream"
    data = await asyncio.to_thread(_data_url, document.media_type or guessed, document.content)
    return {"type": "input_file", "filename": _shown(document.filename), "file_data": data}


def _data_url(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{b64encode(content).decode()}"


def _place(given: Attachment) -> str:
    """The field that the bytes came from."""
    fields = ("file_id", "file_url", "image_url", "file_data")
    return f"{given.param}.{next(field for field in fields if given.part.get(field))}"
