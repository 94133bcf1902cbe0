"""Background responses: queued, waited for, followed."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from time import monotonic_ns
from typing import Any

import orjson

from evals.bench.client import RESPONSES, Question, Wire, WrongAnswer

_TERMINAL = ("completed", "failed", "incomplete", "cancelled")
_NUMBER = b'"sequence_number":'
_FOLLOW_S = 300
_DELTA = b'"delta":" '


class Caller:
    """Some connections to one server, each with one request under way."""

    def __init__(self, port: int, at_once: int) -> None:
        self._free: asyncio.Queue[Wire] = asyncio.Queue()
        self._wires = [Wire(port) for _ in range(at_once)]
        for wire in self._wires:
            self._free.put_nowait(wire)

    async def queue(self, question: Question, count: int) -> list[str]:
        """Ids of that many background responses."""
        request = replace(question, more={**question.more, "background": True}).written(RESPONSES)
        answers = await asyncio.gather(*(self.send(request) for _ in range(count)))
        return [orjson.loads(answer)["id"] for answer in answers]

    async def read(self, id: str) -> dict[str, Any]:
        return orjson.loads(await self.send(_get(f"/v1/responses/{id}")))

    async def until_ended(self, ids: Sequence[str], every_s: float = 0.1) -> None:
        """Raises `WrongAnswer` when one does not complete. Asks seldom: while one is not done, only for that one."""
        for id in reversed(ids):
            if (response := await self._until(id, _TERMINAL, every_s))["status"] != "completed":
                raise WrongAnswer(f"{id} is {response['status']}: {response['error']}")

    async def until_begun(self, ids: Sequence[str]) -> None:
        for id in ids:
            await self._until(id, ("in_progress", *_TERMINAL), 0.1)

    async def _until(self, id: str, statuses: Sequence[str], every_s: float) -> dict[str, Any]:
        while True:
            if (response := await self.read(id))["status"] in statuses:
                return response
            await asyncio.sleep(every_s)

    async def send(self, request: bytes) -> bytes:
        wire = await self._free.get()
        try:
            return await wire.send(request)
        finally:
            self._free.put_nowait(wire)

    def close(self) -> None:
        for wire in self._wires:
            wire.close()


async def most_at_once(model: int) -> int:
    """How many answers the scripted model server at that port had under way at once since it was asked last."""
    wire = Wire(model)
    told = orjson.loads(await wire.send(_get("/v1/models")))
    wire.close()
    return told["most"]


class Follower(Wire):
    """Reads the events of one response, and how old its tokens are if the model says when it sent them."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.ages_ms: list[float] = []

    async def follow(self, id: str) -> bytes:
        """Every event until the last. Raises `WrongAnswer` unless they are numbered from 0 without a gap."""
        return self._checked(await self.send(_get(f"/v1/responses/{id}?stream=true"), _FOLLOW_S))

    async def ask(self, question: Question) -> bytes:
        """The same of a response that is made for it."""
        return self._checked(await self.send(question.written(RESPONSES), _FOLLOW_S))

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        now = monotonic_ns()
        for part in body.split(_DELTA)[1:]:
            sent, quote, _ = part.partition(b'"')
            if quote and sent.isdigit():
                self.ages_ms.append((now - int(sent)) / 1e6)

    def _checked(self, body: bytes) -> bytes:
        numbers = [int(part.split(b",", 1)[0].split(b"}", 1)[0]) for part in body.split(_NUMBER)[1:]]
        if numbers != list(range(len(numbers))) or RESPONSES.end not in body:
            raise WrongAnswer(f"Not every event, or no end: {body[-300:]!r}")
        return body


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode()
