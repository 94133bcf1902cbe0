"""Where the bytes of a file or an image come from: the Files API, a URL, or the request itself."""

import asyncio
from base64 import b64decode
from dataclasses import dataclass
from urllib.parse import urlsplit

from graph.attachments import Attachment
from graph.errors import RequestError
from graph.files import Files
from nodes.documents.parsed import Document
from nodes.fetching import Fetcher, FetchFailed


@dataclass(slots=True)
class Allowance:
    """How many bytes one request may still bring."""

    limit_bytes: int
    used_bytes: int = 0

    @property
    def left_bytes(self) -> int:
        return self.limit_bytes - self.used_bytes

    def use(self, size_bytes: int, param: str) -> None:
        """Raises `RequestError` when it is used up."""
        self.used_bytes += size_bytes
        if self.left_bytes < 0:
            message = f"The files and images of one request may have {self.limit_bytes} bytes; these have more."
            raise RequestError(message, param=param, code="file_too_large")


class Sources:
    def __init__(self, files: Files, fetcher: Fetcher) -> None:
        self._files = files
        self._fetcher = fetcher

    async def of(self, owner: str, given: Attachment, allowance: Allowance) -> Document:
        """The bytes of an attachment. Raises `RequestError`."""
        part = given.part
        if id := part.get("file_id"):
            found = await self._kept(owner, id, f"{given.param}.file_id", allowance)
        elif url := part.get("file_url") or part.get("image_url"):
            field = "file_url" if part.get("file_url") else "image_url"
            found = await self._fetched(url, f"{given.param}.{field}", allowance)
        else:
            found = await self._sent(part["file_data"], f"{given.param}.file_data", allowance)
        return found._replace(filename=part.get("filename") or found.filename)

    async def _kept(self, owner: str, id: str, param: str, allowance: Allowance) -> Document:
        file = await self._files.find(owner, id)
        if file is None:
            raise RequestError(f"File with id '{id}' not found.", param=param, code="file_not_found")
        allowance.use(file.size_bytes, param)
        content = bytearray()
        async for chunk in self._files.read(owner, id):
            content += chunk
        return Document(bytes(content), file.filename)

    async def _fetched(self, url: str, param: str, allowance: Allowance) -> Document:
        try:
            fetched = await self._fetcher.fetch(url, max(1, allowance.left_bytes))
        except FetchFailed as failed:
            message = f"The URL at '{_host(url)}' cannot be used: it {failed.reason}"
            raise RequestError(message, param=param, code="invalid_value") from None
        allowance.use(len(fetched.content), param)
        return Document(fetched.content, fetched.filename, fetched.media_type, fetched.charset)

    async def _sent(self, data: str, param: str, allowance: Allowance) -> Document:
        media_type, encoded = "", data
        if data.startswith("data:"):
            head, _, encoded = data[5:].partition(",")
            media_type, *flags = head.split(";")
            if "base64" not in flags:
                raise RequestError(
                    f"Invalid '{param}': expected a data URL in base64.", param=param, code="invalid_value"
                )
        allowance.use(len(encoded) * 3 // 4, param)
        try:
            content = await asyncio.to_thread(b64decode, encoded, validate=True)
        except ValueError:
            raise RequestError(f"Invalid '{param}': not base64.", param=param, code="invalid_value") from None
        return Document(content, "", media_type)


def _host(url: str) -> str:
    """Of a URL so much as can be said again: what follows may be secret."""
    try:
        return urlsplit(url).hostname or "?"
    except ValueError:
        return "?"
