"""One request to a server, read to its end: streamed, waited for, or in the background."""

import asyncio
import hashlib
import json
import time
from dataclasses import dataclass, field
from typing import Any

from openai import APIStatusError, AsyncOpenAI

Json = dict[str, Any]

_GOING_ON = ("queued", "in_progress")
#: Seconds between two looks at a background response: at first, and at most.
_LOOK_S, _LOOK_AT_MOST_S = 0.05, 2.0
_TEXT = "response.output_text.delta"
#: What the client's method takes by name; the rest of a body goes beside it.
_NAMED = ("model", "input")


@dataclass(slots=True)
class Answered:
    response: Json | None = None
    error: Json | None = None
    events: list[str] = field(default_factory=list[str])
    misnumbered: int = 0
    seconds: float = 0
    first_text_s: float | None = None


class Questions:
    """Asks a server; each question bears a key, so that the same one again gets the same answer."""

    def __init__(self, client: AsyncOpenAI, key: str) -> None:
        """`key`: of the case's attempt; questions add what they ask."""
        self.client = client
        self._key = key
        self._asked = 0

    async def ask(self, body: Json) -> Answered:
        """What the server refuses is in the answer. Raises `APIError` when it cannot be reached, or says nonsense."""
        answered, since = Answered(), time.perf_counter()
        self._asked += 1
        kept = body.get("store") is not False and "replay" not in body
        headers = {"Idempotency-Key": self._name(body)} if kept else {}
        try:
            if body.get("stream"):
                await self._streamed(body, headers, answered, since)
            else:
                answered.response = await self._whole(body, headers)
            if answered.response and answered.response.get("status") in _GOING_ON:
                answered.response = await self._ended(answered.response)
        except APIStatusError as error:
            answered.error = _told(error)
        answered.seconds = time.perf_counter() - since
        return answered

    def _name(self, body: Json) -> str:
        whole = json.dumps([self._key, self._asked, body], sort_keys=True)
        return hashlib.sha256(whole.encode()).hexdigest()

    async def _whole(self, body: Json, headers: dict[str, str]) -> Json:
        return await self.client.post("/responses", cast_to=object, body=body, options={"headers": headers})  # type: ignore[return-value]

    async def _streamed(self, body: Json, headers: dict[str, str], answered: Answered, since: float) -> None:
        rest = {name: value for name, value in body.items() if name not in (*_NAMED, "stream")}
        stream = await self.client.responses.create(
            **{name: body[name] for name in _NAMED if name in body},
            stream=True,
            extra_body=rest,
            extra_headers=headers,
        )
        async for event in stream:
            answered.misnumbered += event.sequence_number != len(answered.events)
            answered.events.append(event.type)
            if event.type == _TEXT and answered.first_text_s is None:
                answered.first_text_s = time.perf_counter() - since
            if (response := getattr(event, "response", None)) is not None:
                answered.response = response.to_dict(mode="json")

    async def _ended(self, response: Json) -> Json:
        wait = _LOOK_S
        while response.get("status") in _GOING_ON:
            await asyncio.sleep(wait)
            wait = min(wait * 1.5, _LOOK_AT_MOST_S)
            response = await self.client.get(f"/responses/{response['id']}", cast_to=object)  # type: ignore[assignment]
        return response


def _told(error: APIStatusError) -> Json:
    said = error.body if isinstance(error.body, dict) else {}
    fields = {name: said.get(name) for name in ("message", "type", "param", "code")}
    return {"status": error.status_code, **fields, "message": fields["message"] or error.message}
