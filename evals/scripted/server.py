"""The server of a scripted model, which misbehaves where its name asks for it.

`scripted` answers at once. `scripted-429` and `-503` fail the first time they are asked something, `-slow` takes its
time, `-bytes` sends a few bytes at a time, `-no-usage` counts nothing, `-thinking` writes its thoughts into the text as
`<think>`.
"""

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from evals.scripted.script import Reply, Script, reply
from evals.scripted.wire import chunks, whole

Json = dict[str, Any]

FAULTS = ("429", "503", "slow", "bytes", "no-usage", "thinking")
#: Those that fail once, as HTTP statuses.
_STATUS = {"429": 429, "503": 503}
_SLOW_S, _BYTES = 0.02, 7
#: Seconds after which a question that was failed is one that was never asked.
_AGAIN_S = 10.0


class ScriptedModel:
    def __init__(self, script: Script) -> None:
        self._script = script
        #: When each question was failed, and how many were.
        self._failed = dict[str, float]()
        self._count = 0

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/models", self._models),
                Route("/v1/chat/completions", self._answer, methods=["POST"]),
                Route("/health", self._health),
            ]
        )

    async def _health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok", "failed": self._count})

    @property
    def _names(self) -> list[str]:
        name = self._script.name
        return [name, *(f"{name}-{fault}" for fault in FAULTS)]

    async def _models(self, request: Request) -> Response:
        listed = [{"id": name, "object": "model", "created": 0, "owned_by": "evals"} for name in self._names]
        return JSONResponse({"object": "list", "data": listed})

    async def _answer(self, request: Request) -> Response:
        body = await request.json()
        if body.get("model") not in self._names:
            return _refusal(404, f"The model {str(body.get('model'))[:100]!r} does not exist.", "model_not_found")
        fault = self._fault(str(body.get("model")))
        if fault in _STATUS and self._is_first(fault, body):
            return _refusal(_STATUS[fault], "The scripted model is busy.", None)
        said = reply(self._script, body)
        if fault == "thinking":
            said = said._replace(text=f"<think>{said.thought or 'Let me see.'}</think>{said.text}", thought="")
        if fault == "slow":
            await asyncio.sleep(_SLOW_S)
        if not body.get("stream"):
            answer = whole(body, said)
            return JSONResponse({**answer, "usage": None} if fault == "no-usage" else answer)
        return StreamingResponse(_frames(body, said, fault), media_type="text/event-stream")

    def _fault(self, model: str) -> str:
        return next((fault for fault in FAULTS if model.endswith(f"-{fault}")), "")

    def _is_first(self, fault: str, body: Json) -> bool:
        key = hashlib.sha256(json.dumps([fault, body.get("messages")], sort_keys=True).encode()).hexdigest()
        now = time.monotonic()
        if now - self._failed.get(key, -_AGAIN_S) < _AGAIN_S:
            return False
        self._failed[key] = now
        self._count += 1
        return True


def _refusal(status: int, message: str, code: str | None) -> Response:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return JSONResponse({"error": error}, status, {"retry-after": "0"})


async def _frames(body: Json, said: Reply, fault: str) -> AsyncIterator[bytes]:
    for chunk in chunks(body, said):
        if fault == "no-usage" and not chunk["choices"]:
            continue
        frame = f"data: {json.dumps(chunk)}\n\n".encode()
        if fault == "slow":
            await asyncio.sleep(_SLOW_S)
        if fault == "bytes":
            for at in range(0, len(frame), _BYTES):
                yield frame[at : at + _BYTES]
                await asyncio.sleep(0)
        else:
            yield frame
    yield b"data: [DONE]\n\n"
