"""Watches the wire under the openai client and holds everything that comes over it against the contract."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2

from tests.grammar import Grammar, check_resumed, check_stream
from tests.schema import Illegal, Json, check_error, check_response, demand


class Heard:
    """One answer of the server, as bytes."""

    def __init__(self, request: httpx2.Request, response: httpx2.Response) -> None:
        self.what = f"{request.method} {request.url.path}"
        self.status = response.status_code
        self.headers = response.headers
        self.raw = bytearray()
        #: The number behind which a stream was taken up.
        self.after = request.url.params.get("starting_after")
        #: The body was read to its end.
        self.whole = False

    @property
    def streamed(self) -> bool:
        return self.headers.get("content-type", "").startswith("text/event-stream")

    def grammar(self) -> Grammar:
        return check_stream(bytes(self.raw), self.whole)

    def events(self) -> list[Json]:
        """Of a stream, also one that was taken up again."""
        if self.after is None:
            return self.grammar().events
        return check_resumed(bytes(self.raw), int(self.after), self.whole)

    def check(self) -> None:
        """Raises `Illegal` for a stream, a response or an error that breaks the contract."""
        try:
            self._check()
        except (Illegal, ValueError, KeyError, TypeError) as error:
            raise Illegal(f"{self.what} answered {self.status}: {error!r}\n{bytes(self.raw[-2000:])!r}") from error

    def _check(self) -> None:
        demand(bool(self.headers.get("x-request-id")), "no x-request-id")
        if self.streamed:
            demand(self.status == 200, "a stream with an error status")
            self.events()
        elif self.whole and self.status >= 400:
            check_error(json.loads(self.raw))
        elif self.whole and self.raw and self.headers.get("content-type", "").startswith("application/json"):
            body = json.loads(self.raw)
            if isinstance(body, dict) and body.get("object") == "response" and "deleted" not in body:
                check_response(body)


class Recorder:
    """Every answer heard since `clear`."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []

    def clear(self) -> None:
        self.heard.clear()

    def check(self) -> None:
        for heard in self.heard:
            heard.check()

    @property
    def last(self) -> Heard:
        return self.heard[-1]

    def note(self, request: httpx2.Request, response: httpx2.Response) -> Heard:
        self.heard.append(Heard(request, response))
        return self.heard[-1]


class _Tee(httpx2.SyncByteStream):
    def __init__(self, stream: Any, heard: Heard) -> None:
        self._stream, self._heard = stream, heard

    def __iter__(self) -> Iterator[bytes]:
        for raw in self._stream:
            self._heard.raw += raw
            yield raw
        self._heard.whole = True

    def close(self) -> None:
        self._stream.close()


class _AsyncTee(httpx2.AsyncByteStream):
    def __init__(self, stream: Any, heard: Heard) -> None:
        self._stream, self._heard = stream, heard

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for raw in self._stream:
            self._heard.raw += raw
            yield raw
        self._heard.whole = True

    async def aclose(self) -> None:
        await self._stream.aclose()


class RecordingTransport(httpx2.HTTPTransport):
    def __init__(self, recorder: Recorder) -> None:
        super().__init__(verify=False)  # all is on loopback; reading certificates would cost each test 20 ms
        self._recorder = recorder

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        response = super().handle_request(request)
        response.stream = _Tee(response.stream, self._recorder.note(request, response))
        return response


class AsyncRecordingTransport(httpx2.AsyncHTTPTransport):
    def __init__(self, recorder: Recorder) -> None:
        super().__init__(verify=False)  # all is on loopback; reading certificates would cost each test 20 ms
        self._recorder = recorder

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await super().handle_async_request(request)
        response.stream = _AsyncTee(response.stream, self._recorder.note(request, response))
        return response
