"""A client that follows a response wherever it can be had, and notices what it should never see."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import httpx2

from tests.process import Server

Json = dict[str, Any]
_DONE = b"data: [DONE]\n\n"


class Reader:
    """Streams in a thread of its own; when the stream breaks off it goes on after what it has, at the next server."""

    def __init__(self, servers: Sequence[Server], body: Json | None, patience_s: float = 1.0) -> None:
        """With `body` it asks for the response first, else `attach` names one."""
        self.frames: list[bytes] = []
        self.problems: list[str] = []
        self.response_id: str | None = None
        #: How often it has asked for a response, because no answer came.
        self.asked = 0
        self.reconnected = 0
        #: When it came to `[DONE]`, in monotonic seconds.
        self.over_at = 0.0
        self._servers = servers
        self._body = body
        self._plain = httpx2.Client(timeout=httpx2.Timeout(10, read=patience_s))
        self._over = threading.Event()
        self._grown = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def start(self, response_id: str | None = None) -> "Reader":
        self.response_id = response_id
        self._thread.start()
        return self

    def stop(self) -> None:
        self._stopped = True
        self._thread.join(15)
        self._plain.close()

    def over(self, limit_s: float) -> bool:
        """Whether it has come to `[DONE]`."""
        return self._over.wait(limit_s)

    def has(self, count: int, limit_s: float) -> bool:
        """Wait for so many events."""
        with self._grown:
            return self._grown.wait_for(lambda: len(self.frames) >= count, limit_s)

    @property
    def raw(self) -> bytes:
        return b"".join([*self.frames, _DONE])

    def _follow(self) -> None:
        turn = 0
        while not self._over.is_set() and not self._stopped:
            server = self._servers[turn % len(self._servers)]
            with contextlib.suppress(httpx2.TransportError, httpx2.StreamError):
                self._read(server)
            turn += 1
            time.sleep(0.05)

    def _read(self, server: Server) -> None:
        if self.response_id is None:
            self.asked += 1
            asking = self._plain.stream("POST", f"{server.url}/responses", json=self._body)
        else:
            self.reconnected += 1
            query = f"stream=true&starting_after={len(self.frames) - 1}" if self.frames else "stream=true"
            asking = self._plain.stream("GET", f"{server.url}/responses/{self.response_id}?{query}")
        with asking as answer:
            if answer.status_code == 200:
                self._take(answer.iter_bytes())
            else:
                answer.read()
                self._refused(answer)

    def _refused(self, answer: httpx2.Response) -> None:
        """503 is for who comes back later, and a request nobody answered may still hold the conversation."""
        if self.asked > 1 and "conversation_locked" in answer.text:
            return
        if answer.status_code != 503:
            self.problems.append(f"{answer.request.method} answered {answer.status_code}: {answer.text[:300]}")
            self._stopped = True
        elif "retry-after" not in answer.headers:
            self.problems.append("503 without Retry-After")

    def _take(self, chunks: Iterator[bytes]) -> None:
        rest = b""
        for chunk in chunks:
            *whole, rest = (rest + chunk).split(b"\n\n")
            for frame in whole:
                self._one(frame + b"\n\n")
            if self._over.is_set() or self._stopped:
                return

    def _one(self, frame: bytes) -> None:
        if frame.startswith(b":"):
            return
        if frame == _DONE:
            self.over_at = time.monotonic()
            self._over.set()
            return
        event: Json = json.loads(frame.partition(b"\ndata: ")[2])
        if event["sequence_number"] != len(self.frames):
            self.problems.append(f"event {event['sequence_number']} ({event['type']}) after {len(self.frames) - 1}")
            self._stopped = True
        if "response" in event:
            self.response_id = event["response"]["id"]
        with self._grown:
            self.frames.append(frame)
            self._grown.notify_all()
