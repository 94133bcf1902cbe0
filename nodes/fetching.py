"""Fetching what a URL of a caller's, a page's or a model's leads to, and nothing it must not lead to.

Every host on the way is resolved once, checked, and connected to by the address that was checked. How much is read,
compressed or not, how long it takes and how often it leads elsewhere is limited. Proxies of the environment are not
used: they would resolve names again.
"""

import asyncio
import re
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote

import httpx2

from nodes.reach import OutOfReach, Reach, Unresolved

_REDIRECTS = (301, 302, 303, 307, 308)
_NOT_MODIFIED = 304
_VERSION_CHARS = 500
_PLAIN = ("", "identity")
_COMPRESSED = ("gzip", "x-gzip", "deflate")
_FILENAME = re.compile(r"""filename\*?=(?:UTF-8'')?"?([^";]+)""", re.IGNORECASE)
_CHARSET = re.compile(r"""charset\s*=\s*["']?([\w.:-]{2,30})""", re.IGNORECASE)
#: What says that nobody may keep an answer, or nobody but whom it was made for.
_NOT_KEPT = re.compile(r"\b(no-store|private)\b", re.IGNORECASE)
_UNPACK_BYTES = 2**18
#: Pieces between which nobody else has his turn; so many may be as small as they like, the rest must not be.
_AT_ONCE, _PIECES, _PIECE_BYTES = 16, 10_000, 64
_CONNECT_S = 5.0


class FetchFailed(Exception):
    """It could not be fetched. `reason` goes on behind the URL: "answered with HTTP status 404."."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Version(NamedTuple):
    """By which a server knows whether what it gave at a URL has changed since."""

    url: str
    etag: str = ""
    modified: str = ""

    @property
    def headers(self) -> dict[str, str]:
        named = {"if-none-match": self.etag, "if-modified-since": self.modified}
        return {name: value for name, value in named.items() if value}


class Fetched(NamedTuple):
    """What was found, and where in the end."""

    url: str
    content: bytes
    #: As the server says, in lower case, without parameters; may be empty.
    media_type: str
    #: As the server or the URL says; may be empty. Not safe as a path.
    filename: str
    #: As the server says; may be empty.
    charset: str = ""
    version: Version = Version("")
    #: Whether the server lets it be kept for others.
    may_keep: bool = True


class Unchanged(Exception):
    """It is still that of the version that was named."""

    def __init__(self, *, may_keep: bool) -> None:
        """See `Fetched.may_keep`."""
        super().__init__()
        self.may_keep = may_keep


@dataclass(frozen=True, slots=True)
class Extent:
    """How much one fetch may be."""

    size_bytes: int = 50 * 2**20
    seconds: float = 20.0
    redirects: int = 5


@dataclass(frozen=True, slots=True)
class _Errand:
    """What is the same for all requests of one fetch."""

    transport: httpx2.AsyncBaseTransport
    limit_bytes: int
    let: Callable[[str], Awaitable[None]] | None
    known: Version | None


class Fetcher:
    """Fetches by GET, without cookies and credentials; what is common to all fetches is here."""

    def __init__(self, reach: Reach, extent: Extent | None = None) -> None:
        self._reach = reach
        self._extent = extent or Extent()
        self._tls: ssl.SSLContext | None = None

    async def fetch(
        self,
        url: str,
        limit_bytes: int | None = None,
        *,
        let: Callable[[str], Awaitable[None]] | None = None,
        known: Version | None = None,
    ) -> Fetched:
        """All of it. Raises `FetchFailed`, also if it is larger than `limit_bytes`.

        `let` is asked of every URL on the way before anybody else is, and may raise `FetchFailed`, too. Raises
        `Unchanged` when all there is to be fetched is what is `known`.
        """
        limit = min(limit_bytes or self._extent.size_bytes, self._extent.size_bytes)
        # Read from disk, which takes 100 ms.
        self._tls = self._tls or await asyncio.to_thread(httpx2.create_ssl_context)
        try:
            async with asyncio.timeout(self._extent.seconds):
                async with httpx2.AsyncHTTPTransport(verify=self._tls) as transport:
                    return await self._followed(_Errand(transport, limit, let, known), httpx2.URL(url))
        except TimeoutError:
            raise FetchFailed(f"did not arrive within {self._extent.seconds:g} s.") from None
        except OutOfReach:
            raise FetchFailed("leads to an address that is not on the public internet.") from None
        except (httpx2.TransportError, Unresolved, OSError):
            raise FetchFailed("could not be reached.") from None
        except (httpx2.InvalidURL, UnicodeError, ValueError):
            raise FetchFailed("is no URL that can be fetched.") from None

    async def _followed(self, errand: _Errand, url: httpx2.URL) -> Fetched:
        for _ in range(self._extent.redirects + 1):
            if errand.let:
                await errand.let(str(url))
            answer = await self._asked(errand, url)
            try:
                location = answer.headers.get("location")
                if answer.status_code == _NOT_MODIFIED and errand.known:
                    raise Unchanged(may_keep=_may_keep(answer.headers))
                if answer.status_code not in _REDIRECTS or not location:
                    return await _whole(url, answer, errand.limit_bytes)
            finally:
                await answer.aclose()
            url = url.join(location)
        raise FetchFailed(f"leads on more than {self._extent.redirects} times.")

    async def _asked(self, errand: _Errand, url: httpx2.URL) -> httpx2.Response:
        """The beginning of the answer, from the first checked address that takes a connection."""
        if url.scheme not in ("http", "https") or not url.host:
            raise FetchFailed("leads to something that is not http or https.")
        if url.userinfo:
            raise FetchFailed("has credentials in it; those are not sent.")
        conditions = errand.known.headers if errand.known and errand.known.url == str(url) else {}
        *others, last = await self._reach.addresses(url.host, url.port or (443 if url.scheme == "https" else 80))
        for address in others:
            try:
                return await errand.transport.handle_async_request(_pinned(url, address, conditions))
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                continue
        return await errand.transport.handle_async_request(_pinned(url, last, conditions))


def _pinned(url: httpx2.URL, address: str, conditions: Mapping[str, str]) -> httpx2.Request:
    """To the address that was checked; the names in TLS and headers stay the host's."""
    headers = {"accept": "*/*", "accept-encoding": "gzip", "user-agent": "graphnexus", "connection": "close"}
    headers |= conditions
    request = httpx2.Request("GET", url, headers=headers)
    timeout = httpx2.Timeout(None, connect=_CONNECT_S).as_dict()  # the whole has a limit of its own
    extensions = {"timeout": timeout, "sni_hostname": url.host}
    return httpx2.Request("GET", url.copy_with(host=address), headers=request.headers, extensions=extensions)


async def _whole(url: httpx2.URL, answer: httpx2.Response, limit_bytes: int) -> Fetched:
    if answer.status_code != 200:
        raise FetchFailed(f"answered with HTTP status {answer.status_code}.")
    declared = answer.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit_bytes:
        raise FetchFailed(_too_large(limit_bytes))
    encoding = answer.headers.get("content-encoding", "").strip().lower()
    pieces = _paced(answer.aiter_raw(), limit_bytes)
    if encoding in _COMPRESSED:
        pieces = _paced(_unpacked(pieces), limit_bytes)
    elif encoding not in _PLAIN:
        raise FetchFailed("is compressed in a way that was not asked for.")
    content = bytearray()
    async for piece in pieces:
        content += piece
    return _found(url, answer.headers, bytes(content))


async def _paced(pieces: AsyncIterator[bytes], limit_bytes: int) -> AsyncIterator[bytes]:
    """The pieces, and others have their turn between them: thousands of them may be here at once."""
    count = size_bytes = 0
    async for piece in pieces:
        count += 1
        size_bytes += len(piece)
        if size_bytes > limit_bytes:
            raise FetchFailed(_too_large(limit_bytes))
        if count > _PIECES and size_bytes < count * _PIECE_BYTES:
            raise FetchFailed("comes in pieces that are too small.")
        if count % _AT_ONCE == 0:
            await asyncio.sleep(0)
        yield piece


def _found(url: httpx2.URL, headers: httpx2.Headers, content: bytes) -> Fetched:
    media_type, _, parameters = headers.get("content-type", "").partition(";")
    charset = _CHARSET.search(parameters)
    return Fetched(
        str(url),
        content,
        media_type.strip().lower(),
        _filename(url, headers.get("content-disposition", "")),
        charset[1].lower() if charset else "",
        Version(str(url), headers.get("etag", "")[:_VERSION_CHARS], headers.get("last-modified", "")[:_VERSION_CHARS]),
        _may_keep(headers),
    )


def _may_keep(headers: httpx2.Headers) -> bool:
    return not _NOT_KEPT.search(headers.get("cache-control", ""))


async def _unpacked(packed: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """In pieces of a bounded size, however much one of the packed pieces swells to."""
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib
    try:
        async for piece in packed:
            while piece and not unpacker.eof:
                yield unpacker.decompress(piece, _UNPACK_BYTES)
                piece = unpacker.unconsumed_tail
            if unpacker.eof:
                break
    except zlib.error:
        raise FetchFailed("is compressed, and damaged.") from None
    if not unpacker.eof:
        raise FetchFailed("is compressed, and ends too early.")


def _too_large(limit_bytes: int) -> str:
    return f"is larger than {limit_bytes} bytes."


def _filename(url: httpx2.URL, disposition: str) -> str:
    said = _FILENAME.search(disposition)
    named: Sequence[str] = unquote(said.group(1) if said else url.path).replace("\\", "/").split("/")
    return named[-1].strip()
