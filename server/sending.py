"""Files on their way out: in pieces, and so that no browser takes them for pages of ours."""

from collections.abc import AsyncIterator
from urllib.parse import quote

from starlette.responses import StreamingResponse


def file_response(chunks: AsyncIterator[bytes], size_bytes: int, filename: str) -> StreamingResponse:
    """An answer that is a file, whatever is in it."""
    plain = "".join(letter if letter.isascii() and letter.isprintable() else "_" for letter in filename)
    plain = plain.replace("\\", "_").replace('"', "_")
    named = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='', errors='replace')}"
    headers = {
        "content-length": str(size_bytes),
        "content-disposition": named,
        "x-content-type-options": "nosniff",
    }
    return StreamingResponse(chunks, headers=headers, media_type="application/octet-stream")
