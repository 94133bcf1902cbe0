"""`multipart/form-data` with one file in it, whose bytes are handed on as they come and never held."""

from collections import deque
from collections.abc import AsyncIterator

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from graph.errors import RequestError

#: Of all that is not the file: fields, and headers of parts.
_FIELD_BYTES = 64 << 10
_PARTS = 100
_BOUNDARY_BYTES = 200
_PIECE_BYTES = 1 << 20


def is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").lower().startswith("multipart/form-data")


async def form_of(request: Request, name: str = "file") -> "Form":
    """The form of a request, read up to its file, which stands in the field `name`. Raises `RequestError`."""
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 0 < len(boundary) <= _BOUNDARY_BYTES:
        raise RequestError("Expected a body of the type multipart/form-data, with a boundary.")
    form = Form(request.stream(), boundary, name)
    await form.begin()
    return form


class Form:
    """`fields` has those that stand before the file; those behind it are there when `chunks` has ended."""

    def __init__(self, body: AsyncIterator[bytes], boundary: bytes, name: str) -> None:
        self.fields: dict[str, str] = {}
        #: As the caller says it; not fit to be a path.
        self.filename = ""
        self.content_type = ""
        self._body = body
        self._name = name
        self._part = _Part()
        self._parts = 0
        self._field_bytes = 0
        self._pieces: deque[bytes] = deque()
        self._begun = self._whole = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part,
                "on_header_field": self._on_header_name,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers,
                "on_part_data": self._on_data,
                "on_part_end": self._on_part_end,
                "on_end": self._on_end,
            },
        )

    async def begin(self) -> None:
        """Read up to the file. Raises `RequestError` when there is none."""
        while not self._begun:
            if not await self._read_on():
                message = f"Missing required parameter: '{self._name}'."
                raise RequestError(message, param=self._name, code="missing_required_parameter")

    async def chunks(self) -> AsyncIterator[bytes]:
        """The file, to be read once. Raises `RequestError` when the body ends too soon."""
        more = True
        while more:
            while self._pieces:
                yield self._pieces.popleft()
            more = await self._read_on()

    async def _read_on(self) -> bool:
        """Take the next bytes of the body; False at its end."""
        try:
            chunk = await anext(self._body, None)
        except ClientDisconnect:
            raise RequestError("The connection was closed before the request body had come.") from None
        if chunk is None:
            if not self._whole:
                raise RequestError("The multipart body ends before its last boundary.")
            return False
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise RequestError(f"We could not parse the multipart body of your request: {error}.") from error
        return True

    # ------------------------------------------------------------ what the parser finds

    def _on_part(self) -> None:
        self._parts += 1
        if self._parts > _PARTS:
            raise RequestError(f"The form has more than {_PARTS} parts.")
        self._part = _Part()

    def _on_header_name(self, data: bytes, start: int, end: int) -> None:
        self._part.header += data[start:end].lower()

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._part.value += data[start:end]

    def _on_header_end(self) -> None:
        self._part.headers[bytes(self._part.header)] = bytes(self._part.value)
        self._part.header.clear()
        self._part.value.clear()

    def _on_headers(self) -> None:
        part = self._part
        _, options = parse_options_header(part.headers.get(b"content-disposition"))
        part.name = _text(options.get(b"name", b""))
        part.is_file = part.name == self._name
        if part.is_file and self._begun:
            raise RequestError("The form has more than one file.", param=self._name)
        if part.is_file:
            self._begun = True
            self.filename = _text(options.get(b"filename", b""))
            self.content_type = _text(part.headers.get(b"content-type", b""))

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._part.is_file:
            self._pieces.extend(data[at : min(at + _PIECE_BYTES, end)] for at in range(start, end, _PIECE_BYTES))
            return
        self._field_bytes += end - start
        if self._field_bytes > _FIELD_BYTES:
            raise RequestError(f"The fields of the form are larger than {_FIELD_BYTES} bytes together.")
        self._part.content += data[start:end]

    def _on_part_end(self) -> None:
        if not self._part.is_file:
            self.fields[self._part.name] = _text(bytes(self._part.content))

    def _on_end(self) -> None:
        self._whole = True


class _Part:
    """The part that is being read."""

    def __init__(self) -> None:
        self.name = ""
        self.is_file = False
        self.headers: dict[bytes, bytes] = {}
        self.header, self.value, self.content = bytearray(), bytearray(), bytearray()


def _text(said: bytes) -> str:
    """Whatever it is, it can be stored."""
    return said.decode(errors="replace").replace("\0", "")
