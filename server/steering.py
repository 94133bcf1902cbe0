"""Steering: what a user adds while a response is being made.

It is queued, the response ends at once or as it would, and a successor goes on from it with what was added.
Source: OpenAI's guide "Mid-turn steering" and CONTRACT of the Responses API, "WebSocket mode".
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graph.client_tools import OUTPUTS
from graph.errors import Json, RequestError
from graph.events import Emitter
from graph.ids import new_id
from graph.input import message
from graph.log import EventLog
from server.wire.message import STEER
from server.wire.problems import read

#: Submissions that may wait for one successor.
_LIMIT = 16
_ANSWERS = {call: output for output, call in OUTPUTS.items()}


@dataclass(frozen=True, slots=True)
class Submission:
    id: str
    #: As the client named it.
    response_id: str
    stream_id: str | None
    #: As it was sent.
    given: Any
    #: As items of an input.
    items: Sequence[Json]
    size_bytes: int

    def named(self) -> Json:
        return {"steer": {"id": self.id, "previous_response_id": self.response_id}}


class Steering:
    """What was accepted and has not become part of a response. Lost with its connection."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._queued: dict[str, list[Submission]] = {}

    def submit(self, response_id: str, stream_id: str | None, said: Json, size_bytes: int) -> Submission:
        """Queue what was said for the successor of a response. Raises `RequestError`."""
        queued = self._queued.get(response_id, [])
        total = sum(one.size_bytes for each in self._queued.values() for one in each)
        if len(queued) >= _LIMIT or total + size_bytes > self._limit_bytes:
            raise RequestError("Too much steering input is pending.", code="too_many_pending_steers")
        id, given = f"steer_{secrets.token_hex(16)}", said["input"]
        submission = Submission(id, said["previous_response_id"], stream_id, given, _items_of(given), size_bytes)
        self._queued[response_id] = [*queued, submission]
        return submission

    def queued(self, response_id: str | None) -> Sequence[Submission]:
        return self._queued.get(response_id or "", ())

    def take(self, response_id: str | None, stream_id: str | None) -> Sequence[Submission]:
        """What was queued for the successor of a response, if this is its lane."""
        if any(one.stream_id != stream_id for one in self.queued(response_id)):
            return ()
        return self._queued.pop(response_id or "", ())


def check(said: Json) -> None:
    """Raises `RequestError` for what no steering can be."""
    try:
        read(STEER, said)
    except RequestError as error:
        raise RequestError(error.message, param=error.param, code="invalid_input") from None


def failed(said: Json, error: RequestError, id: str | None = None) -> bytes:
    """The frame that gives back what was not applied. It belongs to no response, so it is the first of its own."""
    steer = {key: said.get(key) for key in ("input", "previous_response_id")} | ({"id": id} if id else {})
    told = {"type": "invalid_request_error", "code": error.code, "message": error.message}
    return Emitter(EventLog(), new_id).steer("failed", {"error": told, "steer": steer})


def given_back(submission: Submission, why: str) -> bytes:
    """The same for what had been accepted."""
    said = {"input": submission.given, "previous_response_id": submission.response_id}
    return failed(said, RequestError(why, code="successor_creation_failed"), submission.id)


def required_input(output: Sequence[Json]) -> list[Json]:
    """Stubs of what the client has to say before a response can be continued."""
    return [stub for item in output if (stub := _stub(item))]


def _stub(item: Json) -> Json | None:
    kind: str = item["type"]
    if kind == "mcp_approval_request":
        return {"type": "mcp_approval_response", "approval_request_id": item["id"]}
    if kind not in _ANSWERS or item.get("status") == "incomplete":
        return None
    if kind == "tool_search_call" and item.get("execution") != "client":
        return None
    stub: Json = {"type": _ANSWERS[kind], "call_id": item["call_id"]}
    if kind == "function_call":
        stub["name"] = item["name"]
    return stub | ({"execution": "client"} if kind == "tool_search_call" else {})


def _items_of(given: Any) -> list[Json]:
    if isinstance(given, str):
        return [message(given)]
    return [{"type": "message", "role": "user", "content": one["content"]} for one in given]
