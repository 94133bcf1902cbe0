"""An emitter that goes on with what another has said: wherever that one stopped, the stream as a whole is legal."""

import json
from typing import Any

from hypothesis import given, settings

from graph.client_tools import offers_of
from graph.events import Emitter
from graph.ids import item_ids
from graph.log import EventLog
from graph.policy import Guard
from graph.replay import replay
from graph.snapshot import snapshot, usage_of
from graph.state import Record
from graph.text import clean
from graph.turn import Turn
from tests.grammar import check_events
from tests.test_scripts import TOOLS, turns

Json = dict[str, Any]
ID = "resp_" + "0" * 48


def record(status: str) -> Record:
    ended = status == "completed"
    return {
        "id": ID, "owner": "local", "status": status, "model": "m", "created_at": 1,
        "completed_at": 2 if ended else None, "previous_response_id": None, "conversation": None, "background": True,
        "error": None, "incomplete_details": None, "usage": usage_of(None) if ended else None, "input_at": 0,
        "output_at": 1, "hosted_calls": 0, "turns": 0,
    }  # fmt: skip


def emitter() -> Emitter:
    log = EventLog(kept=True)
    log.release()
    return Emitter(log, item_ids(ID))


def frames(of: Emitter) -> list[bytes]:
    return of.log.unkept()[1]


def told(deltas: list[Json]) -> tuple[list[bytes], list[int]]:
    """The frames of one turn, and their number after each of its chunks: where a process may die."""
    first = emitter()
    for status in ("queued", "in_progress"):
        first.lifecycle("created" if status == "queued" else status, snapshot(record(status), {}, []))
    turn = Turn(first, {offer.name: offer for offer in offers_of(TOOLS)}, {}, Guard("local"), 0)
    ends = [len(frames(first))]
    for delta in deltas:
        turn.feed(clean({"choices": [delta]}))
        ends.append(len(frames(first)))
    turn.end()
    return frames(first), [*ends, len(frames(first))]


@given(turns.map(list))
@settings(max_examples=200, deadline=None, database=None)
def test_a_stream_goes_on_wherever_it_was_left(deltas: list[Json]) -> None:
    whole, ends = told(deltas)
    for end in sorted(set(ends)):
        second = emitter()
        replay(second, whole[:end])
        left = second.abandon()
        assert len(left) <= 1, "readers have seen one open item at most"
        shown = second.open({"type": "message", "status": "in_progress", "role": "assistant", "content": []})
        part = shown.open_part({"type": "output_text"})
        part.write("Again.")
        shown.close()
        done = [second.done[at] for at in sorted(second.done)]
        second.lifecycle("completed", snapshot(record("completed"), {}, done))
        events = [json.loads(frame.partition(b"\ndata: ")[2]) for frame in [*whole[:end], *frames(second)]]
        check_events(events)
        for item in left:
            assert said_of(events, item.id) == said_in(item.item), "what was said of an item is in the item"


def said_of(events: list[Json], id: str) -> str:
    deltas = [event for event in events if event["type"].endswith(".delta") and event.get("item_id") == id]
    return "".join(event["delta"] for event in deltas)


def said_in(item: Json) -> str:
    parts = "".join(part.get("text") or part.get("refusal") or "" for part in item.get("content") or [])
    return parts or item.get("arguments") or ""


def test_an_emitter_goes_on_from_nothing() -> None:
    fresh = emitter()
    replay(fresh, [])
    assert (fresh.next_index, fresh.opened, fresh.done) == (0, [], {})
