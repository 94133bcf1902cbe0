"""One request to a server, read to its end: streamed, waited for, or in the background."""

import asyncio
import hashlib
import json
import time
from dataclasses import dataclass, field
from typing import Any

from openai import APIStatusError, AsyncOpenAI

from evals.solving.shelf import gone
from evals.unfit import Unfit

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
        #: A response that is still being made.
        self._unfinished: str | None = None

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
                whole = await self.client.post("/responses", cast_to=object, body=body, options={"headers": headers})
                answered.response = _response(whole)
            if answered.response and answered.response.get("status") in _GOING_ON:
                answered.response = await self._ended(answered.response, body)
        except APIStatusError as error:
            answered.error = _told(error)
        answered.seconds = time.perf_counter() - since
        return answered

    async def stop(self) -> None:
        """Leave no response that goes on by itself: it is removed, and so a resumed run asks again."""
        if self._unfinished:
            await gone(self.client, f"/responses/{self._unfinished}")

    def _name(self, body: Json) -> str:
        whole = json.dumps([self._key, self._asked, body], sort_keys=True)
        return hashlib.sha256(whole.encode()).hexdigest()

    async def _streamed(self, body: Json, headers: dict[str, str], answered: Answered, since: float) -> None:
        rest = {name: value for name, value in body.items() if name not in (*_NAMED, "stream")}
        named = {name: body[name] for name in _NAMED if name in body}
        asked = self.client.responses.create(**named, stream=True, extra_body=rest, extra_headers=headers)
        expected = 0
        async with await asked as stream:
            async for event in stream:
                number = _number(event)
                answered.misnumbered += number != expected
                expected = (expected if number is None else number) + 1
                answered.events.append(event.type)
                if event.type == _TEXT and answered.first_text_s is None:
                    answered.first_text_s = time.perf_counter() - since
                if (response := getattr(event, "response", None)) is not None:
                    answered.response = response.to_dict(mode="json")
                    self._note(answered.response)

    def _note(self, response: Json) -> None:
        self._unfinished = response["id"] if response.get("status") in _GOING_ON else None

    async def _ended(self, response: Json, body: Json) -> Json:
        self._note(response)
        wait, asked = _LOOK_S, {"include": body.get("include") or []}
        while response.get("status") in _GOING_ON:
            await asyncio.sleep(wait)
            wait = min(wait * 1.5, _LOOK_AT_MOST_S)
            path = f"/responses/{response['id']}"
            response = _response(await self.client.get(path, cast_to=object, options={"params": asked}))
            self._note(response)
        return response


def _response(answer: object) -> Json:
    """Raises `Unfit` where it is none, as of a server that speaks something else."""
    if isinstance(answer, dict) and "id" in answer:
        return answer
    raise Unfit(f"The server answered with something that is no response: {str(answer)[:80]!r}.")


def _number(event: object) -> int | None:
    match event:
        case object(sequence_number=int(number)):
            return number
        case _:
            return None


def _told(error: APIStatusError) -> Json:
    said = error.body if isinstance(error.body, dict) else {}
    fields = {name: said.get(name) for name in ("message", "type", "param", "code")}
    return {"status": error.status_code, **fields, "message": fields["message"] or error.message}
