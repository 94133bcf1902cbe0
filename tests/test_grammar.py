"""The oracle itself: every legal stream is accepted, and every stream with one thing wrong is refused."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import streams
from tests.grammar import Grammar, check_events, check_stream, read_frames
from tests.schema import Illegal, check_error, check_response
from tests.streams import MAKERS, Json, numbered

#: Each part in so many pieces; no two pieces of an item are alike, so that a swap is always seen.
parts = st.lists(st.integers(0, 3), max_size=3).map(
    lambda sizes: [[f"<{part}.{at}>" for at in range(size)] for part, size in enumerate(sizes)]
)


@st.composite
def items(draw: st.DrawFn) -> list[Any]:
    drawn = draw(st.lists(st.tuples(st.sampled_from(MAKERS), parts), min_size=1, max_size=4))
    return [make(f"item_{at}", *told) for at, (make, told) in enumerate(drawn)]


legal = st.builds(streams.stream, items(), st.sampled_from(["completed", "incomplete"]))


def framed(events: list[Json]) -> bytes:
    frames = (f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    return "".join([*frames, "data: [DONE]\n\n"]).encode()


def refused(events: list[Json]) -> None:
    with pytest.raises(Illegal):
        check_events(events)


@given(legal)
def test_legal_streams_are_accepted(events: list[Json]) -> None:
    assert check_stream(framed(events)).over


@given(legal, st.data())
def test_a_stream_that_lost_an_event_is_refused(events: list[Json], data: st.DataObject) -> None:
    lost = data.draw(st.integers(0, len(events) - 1))
    refused(numbered(events[:lost] + events[lost + 1 :]))


@given(legal, st.data())
def test_a_stream_that_says_an_event_twice_is_refused(events: list[Json], data: st.DataObject) -> None:
    twice = data.draw(st.integers(0, len(events) - 1))
    refused(numbered(events[: twice + 1] + events[twice:]))


@given(legal, st.data())
def test_a_stream_with_two_events_swapped_is_refused(events: list[Json], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(events) - 2))
    refused(numbered([*events[:at], events[at + 1], events[at], *events[at + 2 :]]))


@given(legal, st.data())
def test_a_gap_in_the_numbers_is_refused(events: list[Json], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(events) - 1))
    refused([{**event, "sequence_number": n + (n >= at)} for n, event in enumerate(events)])


@given(legal, st.data())
def test_a_stream_that_stops_early_is_refused(events: list[Json], data: st.DataObject) -> None:
    refused(events[: data.draw(st.integers(0, len(events) - 1))])


@given(legal)
def test_anything_after_the_terminal_event_is_refused(events: list[Json]) -> None:
    refused(numbered([*events, events[-1]]))


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if not isinstance(value, dict | list):
        return [path]
    children = value.items() if isinstance(value, dict) else enumerate(value)
    return [leaf for key, child in children for leaf in leaves(child, (*path, key))]


#: Not held to one value by the grammar: what the request or the run decided freely.
FREE = {"service_tier", "safety_identifier", "prompt_cache_key", "usage", "completed_at", "model", "top_logprobs",
        "presence_penalty", "frequency_penalty"}  # fmt: skip


@given(legal, st.data())
@settings(max_examples=200)
def test_a_stream_with_one_value_changed_is_refused(events: list[Json], data: st.DataObject) -> None:
    changed = json.loads(json.dumps(events))
    at = data.draw(st.integers(1, len(events) - 1))
    paths = [path for path in leaves(changed[at]) if not FREE & set(path)]
    *path, key = data.draw(st.sampled_from(paths))
    place = changed[at]
    for step in path:
        place = place[step]
    place[key] = f"{place[key]}~" if isinstance(place[key], str) else ["not what it was"]
    refused(changed)


@given(legal, st.data())
@settings(max_examples=200)
def test_an_event_that_lost_a_required_key_is_refused(events: list[Json], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(events) - 1))
    key = data.draw(st.sampled_from(sorted(events[at])))
    refused([*events[:at], {k: v for k, v in events[at].items() if k != key}, *events[at + 1 :]])


@pytest.mark.parametrize("key", sorted(streams.response("completed")))
def test_a_response_that_lost_a_key_is_refused(key: str) -> None:
    whole = streams.response("completed")
    check_response(whole)
    with pytest.raises(Illegal):
        check_response({k: v for k, v in whole.items() if k != key})


def test_items_that_interleave_are_refused() -> None:
    events = streams.stream([streams.function_call("a", ["1"]), streams.function_call("b", ["2"])])
    first = next(n for n, e in enumerate(events) if e["type"] == "response.output_item.done")
    added = events.pop(first + 1)
    refused(numbered([*events[: first - 1], added, *events[first - 1 :]]))


def test_an_unknown_event_is_refused() -> None:
    events = streams.stream([streams.message("a", ["x"])])
    refused(numbered([*events[:2], {"type": "response.reasoning_part.added"}, *events[2:]]))


def test_an_error_then_failed_is_legal_and_so_is_queued() -> None:
    opening = streams.stream([])[:2]
    nested = {"type": "server_error", "code": None, "message": "It broke.", "param": None}
    error = {"type": "error", "error": nested, "code": None, "message": "It broke.", "param": None}
    failed = {"type": "response.failed", "response": streams.response("failed")}
    check_events(numbered([*opening, error, failed]))
    refused(numbered([*opening, error]))
    refused(numbered([*opening, {**error, "message": "Another."}, failed]))
    waiting = [{"type": f"response.{kind}", "response": streams.response("queued")} for kind in ("created", "queued")]
    check_events(numbered([*waiting, *streams.stream([])[1:]]))


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: raw.replace(b"\n", b"\r\n"),
        lambda raw: raw.removesuffix(b"data: [DONE]\n\n"),
        lambda raw: raw + b"data: {}\n\n",
        lambda raw: b"id: 7\n" + raw,
        lambda raw: raw.replace(b"event: response.created\n", b"", 1),
        lambda raw: raw.replace(b"event: response.created", b"event: message", 1),
        lambda raw: raw.replace(b"\n\nevent", b"\n\n\nevent", 1),
        lambda raw: raw.replace(b"data: {", b"data: {{", 1),
        lambda raw: raw[:-1],
    ],
)
def test_damaged_frames_are_refused(damage: Any) -> None:
    raw = framed(streams.stream([streams.message("a", ["x"])]))
    assert check_stream(b": keep-alive\n\n" + raw).over
    with pytest.raises(Illegal):
        check_stream(damage(raw))


@given(legal, st.data())
def test_the_beginning_of_a_legal_stream_is_legal_so_far(events: list[Json], data: st.DataObject) -> None:
    raw = framed(events)
    grammar = Grammar()
    for event in read_frames(raw[: data.draw(st.integers(0, len(raw)))], whole=False):
        grammar.feed(event)


def test_an_error_body_has_its_four_keys_and_no_others() -> None:
    check_error({"error": {"message": "No.", "type": "server_error", "param": None, "code": None}})
    for wrong in ({"detail": "No."}, {"error": {"message": "No.", "type": "x", "param": None}}):
        with pytest.raises(Illegal):
            check_error(wrong)
