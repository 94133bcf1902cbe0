"""`multipart/form-data` read as it comes: fields are short and kept, files handed on piece by piece, never held."""

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from graph.errors import RequestError

#: Of a field that is no file, of all parts, and of one header of a part; the fields of a form are held until its end.
_FIELD_BYTES, _PARTS, _HEADER_BYTES = 64 << 10, 100, 8 << 10
_WRONG = "The body of the request is no valid 'multipart/form-data'"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a form; its pieces can be read once, before the next part is asked for."""

    name: str
    #: None: it is a field.
    filename: str | None
    media_type: str | None
    pieces: AsyncIterator[bytes]

    async def text(self) -> str:
        """Of a field. Raises `RequestError` when it is too long, or no UTF-8."""
        content = bytearray()
        async for piece in self.pieces:
            content += piece
            if len(content) > _FIELD_BYTES:
                message = f"Invalid '{self.name[:100]}': too long."
                raise RequestError(message, param=self.name[:100], code="string_above_max_length")
        try:
            return content.decode().replace("\0", "")
        except UnicodeDecodeError:
            message = f"Invalid '{self.name[:100]}': expected UTF-8."
            raise RequestError(message, param=self.name[:100], code="invalid_value") from None


class Form:
    """A form with one file. `fields` has those before the file; those behind it are there when `chunks` has ended."""

    def __init__(self, fields: dict[str, str], file: Part, rest: AsyncIterator[Part]) -> None:
        self.fields = fields
        #: As the caller says it; not fit to be a path.
        self.filename = file.filename or ""
        self.content_type = file.media_type or ""
        self._file = file
        self._rest = rest

    async def chunks(self) -> AsyncGenerator[bytes]:
        """The file, to be read once. Raises `RequestError` when the body ends too soon, or is wrong after it."""
        async for piece in self._file.pieces:
            yield piece
        async for part in self._rest:
            if part.name == self._file.name:
                raise RequestError("The form has more than one file.", param=self._file.name)
            await _take(part, self.fields)


def is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").lower().startswith("multipart/form-data")


async def form_of(request: Request, name: str = "file") -> Form:
    """The form of a request, read up to its file, which stands in the field `name`. Raises `RequestError`."""
    fields: dict[str, str] = {}
    parts = parts_of(request)
    async for part in parts:
        if part.name == name:
            return Form(fields, part, parts)
        await _take(part, fields)
    message = f"Missing required parameter: '{name}'."
    raise RequestError(message, param=name, code="missing_required_parameter")


async def _take(part: Part, fields: dict[str, str]) -> None:
    """Raises `RequestError`: two answers to one question are none."""
    if part.name in fields:
        raise RequestError(f"Duplicate parameter: '{part.name[:100]}'.", param=part.name[:100], code="invalid_value")
    fields[part.name] = await part.text()


async def parts_of(request: Request, most: int = _PARTS) -> AsyncGenerator[Part]:
    """The parts of a form in their order, so many at most; what of a part was not read is passed over. Raises
    `RequestError`."""
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise RequestError("The body must be 'multipart/form-data' with a boundary.", code="invalid_type")
    feed = _Feed(request, options[b"boundary"])
    count = 0
    while (headers := await feed.next_part()) is not None:
        count += 1
        if count > most:
            raise RequestError(f"A form may have at most {most} parts.")
        yield _part(headers, feed)
    await feed.pass_over()


def _part(headers: dict[bytes, bytes], feed: "_Feed") -> Part:
    _, options = parse_options_header(headers.get(b"content-disposition", b""))
    name, filename = options.get(b"name"), options.get(b"filename")
    if name is None:
        raise RequestError(f"{_WRONG}: a part has no name.")
    return Part(
        _text(name),
        None if filename is None else _text(filename),
        headers.get(b"content-type", b"").decode(errors="replace") or None,
        feed.pieces(),
    )


def _text(said: bytes) -> str:
    """Whatever it is, it can be stored."""
    return said.decode(errors="replace").replace("\0", "")


class _Feed:
    """Feeds the parser, and queues what it finds: (what, content)."""

    def __init__(self, request: Request, boundary: bytes) -> None:
        self._stream = request.stream()
        self._found: deque[tuple[str, bytes]] = deque()
        self._ended = False
        callbacks: Any = {f"on_{what}": self._noted(what) for what in ("headers_finished", "part_end", "end")}
        callbacks |= {f"on_{what}": self._heard(what) for what in ("header_field", "header_value", "part_data")}
        callbacks["on_header_end"] = self._noted("header_end")
        self._parser = MultipartParser(boundary, callbacks, max_header_size=_HEADER_BYTES)

    def _noted(self, what: str) -> Any:
        return lambda: self._found.append((what, b""))

    def _heard(self, what: str) -> Any:
        def hear(content: bytes, start: int, end: int) -> None:
            self._found.append((what, content[start:end]))

        return hear

    async def next_part(self) -> dict[bytes, bytes] | None:
        """The headers of the next part; None when there is none."""
        headers: dict[bytes, bytes] = {}
        name, value = b"", b""
        while True:
            what, content = await self._next()
            match what:
                case "header_field":
                    name += content
                case "header_value":
                    value += content
                case "header_end":
                    headers[name.lower()] = value
                    name, value = b"", b""
                case "headers_finished":
                    return headers
                case "end":
                    return None
                case _:
                    pass  # the rest of a part that nobody has read

    async def pieces(self) -> AsyncGenerator[bytes]:
        while True:
            what, content = await self._next()
            if what == "part_end":
                return
            if what == "part_data":
                yield content

    async def pass_over(self) -> None:
        """Read what follows the last boundary, so that the connection can be used again."""
        with suppress(ClientDisconnect):
            async for _ in self._stream:
                pass

    async def _next(self) -> tuple[str, bytes]:
        while not self._found:
            await self._feed()
        return self._found.popleft()

    async def _feed(self) -> None:
        if self._ended:
            raise RequestError(f"{_WRONG}: it ends in the middle.")
        try:
            chunk = await anext(self._stream, b"")
            self._ended = not chunk
            self._parser.write(chunk)
        except ClientDisconnect:
            raise RequestError("The connection was closed before the request body had come.") from None
        except FormParserError as error:
            raise RequestError(f"{_WRONG}: {str(error)[:200]}.") from None
