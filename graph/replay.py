"""The events of a response that another process began → an emitter that goes on with it.

What was said is not said again: numbers and items go on. One item at most is open in what readers have seen.
"""

from collections.abc import Callable, Sequence

import orjson

from graph.errors import Json
from graph.events import Emitter, OpenItem
from graph.offers import FunctionDraft
from graph.state import Item

_DATA = b"\ndata: "


def replay(emitter: Emitter, frames: Sequence[bytes]) -> None:
    """Bring a new emitter to where the frames end."""
    events = [orjson.loads(frame.partition(_DATA)[2]) for frame in frames]
    done: list[Item] = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    emitter.go_on(len(frames), done)
    added = [at for at, event in enumerate(events) if event["type"] == "response.output_item.added"]
    if len(added) > len(done):
        first = added[-1]
        _reopen(emitter.reopen(events[first]["item"]), events[first + 1 :])


def _reopen(shown: OpenItem, events: Sequence[Json]) -> None:
    """Tell an item what was said of it."""
    arguments: list[str] = []
    for event in events:
        kind = event["type"].removeprefix("response.")
        shown.was_told(kind, event)
        if kind == "function_call_arguments.delta":
            arguments.append(event["delta"])
        elif told := _TOLD.get(kind):
            told(shown, event)
        elif shown.part and kind == f"{shown.part.stem}.delta":
            shown.part.was_written(event["delta"], event.get("logprobs") or [])
    if shown.item["type"] == "function_call":
        FunctionDraft(shown, arguments)


def _part_added(shown: OpenItem, event: Json) -> None:
    shown.reopen_part(event["part"])


def _part_done(shown: OpenItem, event: Json) -> None:
    shown.item = {**shown.item, "content": [*shown.item["content"], event["part"]]}
    shown.part = None


def _noted(shown: OpenItem, event: Json) -> None:
    if shown.part:
        shown.part.was_noted(event["annotation"])


_TOLD: dict[str, Callable[[OpenItem, Json], None]] = {
    "content_part.added": _part_added,
    "content_part.done": _part_done,
    "output_text.annotation.added": _noted,
}
