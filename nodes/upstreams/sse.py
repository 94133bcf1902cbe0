"""Server-sent events of a model server: bytes in, parsed chunks out.

Lines end at LF bytes only (a CR before it is JSON white space): text may hold U+2028, which other splitters cut at.
"""

from graph.errors import Json, UpstreamError
from graph.text import loads

#: The longest event that is believed; a picture in base64 fits.
LIMIT_BYTES = 64 * 1024 * 1024


class Frames:
    """Splits one body. A JSON document on one `data:` line is given out at once, one on several at the blank line."""

    __slots__ = ("_parts", "_size_bytes", "_torn", "ended", "upstream")

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        #: Whether `[DONE]` has come.
        self.ended = False
        self._parts: list[bytes] = []
        self._size_bytes = 0
        self._torn: list[bytes] = []

    def feed(self, packet: bytes) -> list[Json]:
        """The chunks that `packet` completes. Raises `UpstreamError` on what is no JSON object."""
        if self._parts:
            packet = self._joined(packet)
        elif b"\n" not in packet:
            return self._kept(packet)
        lines = packet.split(b"\n")
        if rest := lines.pop():
            self._kept(rest)
        chunks: list[Json] = []
        for line in lines:
            if line[:5] == b"data:":
                self._take(line[5:], chunks)
            elif self._torn and line in (b"", b"\r"):
                self._mend(chunks)
        return chunks

    def end(self) -> list[Json]:
        """The chunks of a last event without its blank line."""
        return self.feed(b"\n\n") if self._parts or self._torn else []

    def _kept(self, packet: bytes) -> list[Json]:
        if packet:
            self._size_bytes += len(packet)
            if self._size_bytes > LIMIT_BYTES:
                raise UpstreamError(f"The model server {self.upstream} sent an event of over {LIMIT_BYTES} bytes.")
            self._parts.append(packet)
        return []

    def _joined(self, packet: bytes) -> bytes:
        if b"\n" not in packet:
            self._kept(packet)
            return b""
        packet = b"".join((*self._parts, packet))
        self._parts.clear()
        self._size_bytes = 0
        return packet

    def _take(self, line: bytes, chunks: list[Json]) -> None:
        if self._torn:
            self._torn.append(line)
            return
        try:
            chunk = loads(line)
        except ValueError:
            if line.strip() == b"[DONE]":
                self.ended = True
            elif not self.ended:
                self._torn.append(line)
            return
        if not self.ended:
            self._give(chunk, chunks)

    def _mend(self, chunks: list[Json]) -> None:
        torn = b"\n".join(self._torn)
        self._torn.clear()
        if not torn.strip():
            return
        try:
            chunk = loads(torn)
        except ValueError as error:
            raise UpstreamError(f"The model server {self.upstream} sent an event that is not JSON: {error}.") from error
        self._give(chunk, chunks)

    def _give(self, chunk: object, chunks: list[Json]) -> None:
        if not isinstance(chunk, dict):
            raise UpstreamError(f"The model server {self.upstream} sent an event that is not a JSON object.")
        chunks.append(chunk)  # pyright: ignore[reportUnknownArgumentType] - the keys of a JSON object are text
