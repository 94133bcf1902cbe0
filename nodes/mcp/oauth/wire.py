"""HTTP with authorization servers: https, one answer of bounded size, no redirect, and no private address.

An operator who configured a server on a private address may have its authorization server there too, and plain http.
"""

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlsplit

import httpx

from nodes.reach import OutOfReach, Reach, Unresolved, is_public

_ANSWER_BYTES = 1_000_000
_CONNECT_S = 5.0


class OAuthFailed(Exception):
    """One sentence, free of secrets, and fit for everyone's eyes."""


class Refused(OAuthFailed):
    """The authorization server said no; `code` is its own word for why."""

    def __init__(self, code: str) -> None:
        super().__init__(f"The authorization server refuses: {code}.")
        self.code = code


class Wire:
    """For one configured server: `urls` are its own and those that the operator wrote beside it."""

    def __init__(self, urls: Sequence[str], timeout_s: float) -> None:
        self._urls = urls
        self.timeout_s = timeout_s
        self._private: bool | None = None
        self._tls: ssl.SSLContext | None = None

    async def send(self, request: httpx.Request) -> httpx.Response:
        """The whole answer, whatever its status. Raises `OAuthFailed`."""
        host = request.url.host
        try:
            async with asyncio.timeout(self.timeout_s):
                addresses = await self._addresses(request.url)
                # Read from disk, which takes 100 ms.
                self._tls = self._tls or await asyncio.to_thread(httpx.create_ssl_context)
                async with httpx.AsyncHTTPTransport(verify=self._tls) as transport:
                    return await self._sent(transport, request, addresses)
        except OutOfReach:
            raise OAuthFailed(f"The address of {host} is private, and that of the MCP server is not.") from None
        except (httpx.HTTPError, httpx.InvalidURL, Unresolved):
            raise OAuthFailed(f"{host} could not be reached.") from None
        except TimeoutError:
            raise OAuthFailed(f"{host} did not answer within {self.timeout_s:g} s.") from None

    async def _sent(
        self, transport: httpx.AsyncHTTPTransport, request: httpx.Request, addresses: Sequence[str]
    ) -> httpx.Response:
        """To the first address that takes a connection."""
        *others, last = addresses
        for address in others:
            with suppress(httpx.ConnectError, httpx.ConnectTimeout):
                return await _whole(request, await transport.handle_async_request(self._pinned(request, address)))
        return await _whole(request, await transport.handle_async_request(self._pinned(request, last)))

    async def _addresses(self, url: httpx.URL) -> list[str]:
        if self._private is None:
            self._private = any([await _is_private(known) for known in self._urls])
        port = url.port or (443 if url.scheme == "https" else 80)
        addresses = await Reach(self._private, self._private).addresses(url.host, port)
        if url.scheme != "https" and any(map(is_public, addresses)):
            raise OAuthFailed(f"Authorization goes by https only; {url.host} was named with {url.scheme}.")
        return addresses

    def _pinned(self, request: httpx.Request, address: str) -> httpx.Request:
        """To the address that was checked; the names in TLS and headers stay the host's."""
        timeout = httpx.Timeout(self.timeout_s, connect=min(_CONNECT_S, self.timeout_s)).as_dict()
        return httpx.Request(
            request.method,
            request.url.copy_with(host=address),
            headers={**request.headers, "accept-encoding": "identity"},
            stream=request.stream,
            extensions={"timeout": timeout, "sni_hostname": request.url.host},
        )


async def _is_private(url: str) -> bool:
    parts = urlsplit(url)
    try:
        await Reach().addresses(parts.hostname or "", parts.port or 443)
    except OutOfReach:
        return True
    return False


async def _whole(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
    body = b""
    try:
        async for chunk in answer.aiter_raw():
            body += chunk
            if len(body) > _ANSWER_BYTES or "event-stream" in answer.headers.get("content-type", ""):
                break  # metadata and tokens are short; a stream is no answer to any of our questions
    finally:
        await answer.aclose()
    if len(body) > _ANSWER_BYTES:
        raise OAuthFailed(f"{request.url.host} answers with more than {_ANSWER_BYTES} bytes.")
    headers = [(name, value) for name, value in answer.headers.multi_items() if not name.startswith("content-")]
    return httpx.Response(answer.status_code, headers=headers, content=body, request=request)
