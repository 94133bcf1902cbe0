"""A WebSocket of a test, whose every message is held against the contract."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from openai.types.responses.responses_server_event import (
    ResponseSteerAcceptedEvent,
    ResponseSteerFailedEvent,
    ResponseSteerPendingEvent,
    ResponseWsError,
)
from pydantic import TypeAdapter
from websockets.sync.client import ClientConnection, connect

from tests.grammar import Grammar
from tests.process import Server
from tests.schema import Json, check_error, demand

LIMIT_S = 10.0
LAST = ("response.completed", "response.incomplete", "response.failed")
_STEERED = {
    "response.steer.accepted": TypeAdapter(ResponseSteerAcceptedEvent),
    "response.steer.pending": TypeAdapter(ResponseSteerPendingEvent),
    "response.steer.failed": TypeAdapter(ResponseSteerFailedEvent),
}
_ERROR = TypeAdapter(ResponseWsError)


class LaneGrammar(Grammar):
    """Accepts word of steering anywhere behind `created`, numbered like the other events."""

    def feed(self, event: Json) -> None:
        if event["type"] not in _STEERED:
            return super().feed(event)
        demand(bool(self.events), f"{event['type']} before created")
        demand(event["sequence_number"] == len(self.events), f"{event['type']} has number {event['sequence_number']}")
        self.events.append(event)


class Talk:
    """A connection, and what came over it."""

    def __init__(self, wire: ClientConnection) -> None:
        self.wire = wire
        #: Every response begun, in its order.
        self.responses: list[LaneGrammar] = []
        #: Every envelope heard.
        self.errors: list[Json] = []
        self._lanes: dict[str | None, LaneGrammar] = {}

    # ------------------------------------------------------------ out

    def create(self, **fields: Any) -> None:
        self.say({"type": "response.create", **fields})

    def steer(self, response_id: str, input: Any, **fields: Any) -> None:
        self.say({"type": "response.steer", "previous_response_id": response_id, "input": input, **fields})

    def say(self, message: Any) -> None:
        self.wire.send(json.dumps(message))

    # ------------------------------------------------------------ in

    def hear(self) -> Json:
        """The next event. Raises `Illegal` for one that cannot stand here."""
        raw = self.wire.recv(LIMIT_S)
        assert isinstance(raw, str), "a binary message"
        event: Json = json.loads(raw)
        lane = event.get("stream_id")
        plain = {key: value for key, value in event.items() if key != "stream_id"}
        if event["type"] == "error" and "status" in event:
            self._envelope(plain)
            self.errors.append(event)
        elif event["type"] == "response.steer.failed":
            demand(event["sequence_number"] == 0, "what belongs to no response is numbered from 0")
            told = {**event, "steer": {**event["steer"], "input": ""}}  # what is given back may be anything
            _STEERED[event["type"]].validate_python(told, strict=True)
        else:
            if event["type"] == "response.created":
                demand(lane not in self._lanes or self._lanes[lane].over, f"two responses at once in lane {lane}")
                self._lanes[lane] = LaneGrammar()
                self.responses.append(self._lanes[lane])
            demand(lane in self._lanes, f"{event['type']} in lane {lane}, which has no response")
            if adapter := _STEERED.get(event["type"]):
                adapter.validate_python(event, strict=True)
            self._lanes[lane].feed(plain)
        return event

    def until(self, *types: str, lane: str | None = None) -> Json:
        """Read on to an event of one of `types` in a lane."""
        while True:
            event = self.hear()
            if event["type"] in types and event.get("stream_id") == lane:
                return event

    def ended(self, lane: str | None = None) -> Json:
        """Read on to the end of the response of a lane; gives the response."""
        event = self.until(*LAST, "error", lane=lane)
        if event["type"] == "error":
            assert "status" not in event, event
            event = self.until("response.failed", lane=lane)
        return event["response"]

    def ask(self, **fields: Any) -> Json:
        """Create a response and read it to its end."""
        self.create(**fields)
        return self.ended(fields.get("stream_id"))

    def refused(self, lane: str | None = None) -> Json:
        """The next envelope of a lane, its `error` with its `status`."""
        event = self.until("error", lane=lane)
        return {**event["error"], "status": event["status"]}

    @staticmethod
    def _envelope(event: Json) -> None:
        _ERROR.validate_python(event, strict=True)
        demand(event.keys() == {"type", "status", "error"}, f"an envelope with {sorted(event)}")
        demand(bool(event["error"]["code"]), "an envelope without a code")
        demand(400 <= event["status"] < 600, f"an envelope of status {event['status']}")
        check_error({"error": {key: value for key, value in event["error"].items() if key != "headers"}})


@contextmanager
def talking(server: Server, **headers: str) -> Iterator[Talk]:
    """A conversation over a WebSocket; whatever was said in it was legal."""
    url = server.url.replace("http", "ws", 1) + "/responses"
    given = {"authorization": "Bearer any", **headers}
    with connect(url, additional_headers=given, max_size=None, compression=None, open_timeout=LIMIT_S) as wire:
        yield Talk(wire)
