"""The grammar of a response stream: accepts a legal sequence of events and nothing else.

`Grammar.feed` takes one event at a time and raises `Illegal`; `Grammar.end` demands that the stream is over.
`read_frames` does the same for the bytes under it. Source: contract, sections 7.1 to 7.3.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from tests.bodies import Body, check_zero
from tests.schema import Illegal, Json, check_event, check_item, demand

__all__ = ["Grammar", "Illegal", "check_stream", "read_frames"]

LIFECYCLE = re.compile(r"response\.(created|queued|in_progress|completed|incomplete|failed|cancelled)$")
TERMINAL = {"completed", "incomplete", "failed", "cancelled"}
#: Echoes of the request: the same in every snapshot of one response.
CONSTANT = [
    "id",
    "object",
    "created_at",
    "background",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "parallel_tool_calls",
    "previous_response_id",
    "reasoning",
    "store",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_p",
    "truncation",
    "metadata",
]


class Grammar:
    """Holds one stream against the grammar."""

    def __init__(self) -> None:
        self.events: list[Json] = []
        self._stage = "nothing"
        self._first: Json = {}
        self._done: list[Json] = []
        self._open: Body | None = None

    @property
    def over(self) -> bool:
        return self._stage in TERMINAL

    def feed(self, event: Json) -> None:
        """Raises `Illegal` when `event` cannot stand here."""
        check_event(event)
        at, kind = len(self.events), event["type"]
        demand(event["sequence_number"] == at, f"event {at} ({kind}) has number {event['sequence_number']}")
        demand(not self.over, f"{kind} after {self._stage}")
        if match := LIFECYCLE.match(kind):
            self._lifecycle(match[1], event["response"])
        elif kind == "error":
            self._error(event)
        else:
            self._item_event(kind, event)
        self.events.append(event)

    def end(self) -> None:
        """Raises `Illegal` unless the terminal event has been seen."""
        demand(self.over, f"the stream ends after {self._stage}")

    def _lifecycle(self, stage: str, response: Json) -> None:
        follows = {"created": {"nothing"}, "queued": {"created"}, "in_progress": {"created", "queued"}}
        ended = {"cancelled": {"queued", "in_progress"}, "failed": {"in_progress", "error"}}
        before = {**follows, **ended}.get(stage, {"in_progress"})
        demand(self._stage in before, f"{stage} after {self._stage}")
        demand(self._open is None, f"{stage} while an item is open")
        self._first = self._first or response
        for key in CONSTANT:
            demand(response[key] == self._first[key], f"{key} changed in {stage}")
        expected = self._first["status"] if stage == "created" else stage
        demand(response["status"] == expected, f"status {response['status']} in {stage}")
        if stage in TERMINAL:
            demand(response["output"] == self._done, "the terminal output is not the list of done items")
        else:
            demand(response["output"] == [] and response["usage"] is None, f"{stage} has output or usage")
            demand(response["status"] in ("queued", "in_progress"), f"{stage} is {response['status']}")
        self._stage = stage

    def _error(self, event: Json) -> None:
        demand(self._stage in ("in_progress", "queued"), f"error after {self._stage}")
        demand(self._open is None, "error while an item is open")
        demand({"code", "message", "param"} <= event.keys(), "error without its flat keys")
        nested = event.get("error") or {}
        demand({"type", "code", "message", "param"} <= nested.keys(), "error without its nested keys")
        same = all(nested[key] == event[key] for key in ("code", "message", "param"))
        demand(same, "the flat and the nested error differ")
        self._stage = "error"

    def _item_event(self, kind: str, event: Json) -> None:
        demand(self._stage == "in_progress", f"{kind} after {self._stage}")
        demand(event["output_index"] == len(self._done), f"{kind} at {event['output_index']}, not {len(self._done)}")
        if kind == "response.output_item.added":
            demand(self._open is None, f"an item is added while {self._open and self._open.id} is open")
            self._add(event["item"])
            return
        demand(self._open is not None, f"{kind} while no item is open")
        assert self._open
        if kind == "response.output_item.done":
            check_item(event["item"])
            self._open.close(event["item"])
            self._done.append(event["item"])
            self._open = None
        else:
            self._open.feed(kind, event)

    def _add(self, item: Json) -> None:
        if item.get("type") != "web_search_call":  # its `action` comes only with `done`
            check_item(item)
        check_zero(item)
        demand(all(item["id"] != done["id"] for done in self._done), f"{item['id']} is added twice")
        self._open = Body(item)


# ---------------------------------------------------------------- frames


def _frame(raw: bytes) -> Iterator[Json]:
    lines = raw.split(b"\n")
    if all(line.startswith(b":") for line in lines):
        return
    demand(len(lines) == 2, f"a frame of {len(lines)} lines: {raw[:200]!r}")
    name, text = lines
    demand(name.startswith(b"event: ") and text.startswith(b"data: "), f"not event and data: {raw[:200]!r}")
    try:
        event = json.loads(text[len(b"data: ") :].decode())
    except ValueError as error:
        raise Illegal(f"data is not JSON in UTF-8: {text[:200]!r}") from error
    demand(event.get("type") == name[len(b"event: ") :].decode(), f"event line and type differ: {raw[:200]!r}")
    yield event


def read_frames(raw: bytes, whole: bool = True) -> Iterator[Json]:
    """The events in `raw`; `whole`: it must end with `[DONE]`, else it may end in the middle of a frame.

    Raises `Illegal` for anything but `event:` and `data:` lines ended by LF, comments, and the final `[DONE]`.
    """
    demand(b"\r" not in raw, "a carriage return in the framing")
    *frames, rest = raw.split(b"\n\n")
    if whole:
        demand(rest == b"" and bool(frames) and frames[-1] == b"data: [DONE]", f"no [DONE] at the end: {raw[-80:]!r}")
    done = frames.index(b"data: [DONE]") if b"data: [DONE]" in frames else len(frames)
    demand(done >= len(frames) - 1, "frames after [DONE]")
    for frame in frames[:done]:
        yield from _frame(frame)


def check_events(events: Iterable[Any], whole: bool = True) -> Grammar:
    grammar = Grammar()
    for event in events:
        grammar.feed(event)
    if whole:
        grammar.end()
    return grammar


def check_stream(raw: bytes, whole: bool = True) -> Grammar:
    """Bytes as they came over the socket; returns the grammar with its events."""
    return check_events(read_frames(raw, whole), whole)


def check_resumed(raw: bytes, after: int, whole: bool = True) -> list[Json]:
    """The events of a stream that was taken up behind number `after`: the next numbers, up to the last event."""
    events = list(read_frames(raw, whole))
    for at, event in enumerate(events, after + 1):
        check_event(event)
        demand(event["sequence_number"] == at, f"{event['type']} has number {event['sequence_number']}, not {at}")
    ends = [at for at, event in enumerate(events) if event["type"].removeprefix("response.") in TERMINAL]
    demand(ends in ([], [len(events) - 1]) and (not whole or bool(ends) or not events), f"terminal events at {ends}")
    return events
