"""Files on their way out: in pieces, and so that no browser takes them for pages of ours."""

from collections.abc import AsyncGenerator, AsyncIterator
from urllib.parse import quote

from starlette.responses import StreamingResponse


async def file_response(chunks: AsyncIterator[bytes], size_bytes: int, filename: str) -> StreamingResponse:
    """An answer that is a file, whatever is in it. Raises what the first chunk raises, while there can be an error."""
    first = await anext(chunks, b"")
    plain = "".join(letter if letter.isascii() and letter.isprintable() else "_" for letter in filename)
    plain = plain.replace("\\", "_").replace('"', "_")
    named = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='', errors='replace')}"
    headers = {
        "content-length": str(size_bytes),
        "content-disposition": named,
        "x-content-type-options": "nosniff",
    }
    return StreamingResponse(_all(first, chunks), headers=headers, media_type="application/octet-stream")


async def _all(first: bytes, rest: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk
