"""Recordings of responses that go on with one another, as one: what one holds is not said again by the next."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

Json = dict[str, Any]
CHAIN = "response.recording.chain"


def recordings_of(recording: Json) -> list[Json]:
    """The single recordings of a case's `recording`, each whole."""
    if recording.get("object") != CHAIN:
        return [recording]
    made = list[Json]()
    for one in recording["recordings"]:
        made.append(one if "history" in one else {**one, "history": _held_by(made[-1])})
    return made


def chained(recordings: Sequence[Json]) -> Json:
    """What a case holds of recordings, each the parent of the next."""
    if len(recordings) == 1:
        return recordings[0]
    shortened = [recordings[0]]
    for before, one in pairwise(recordings):
        repeats = one["history"] == _held_by(before)
        shortened.append({name: of for name, of in one.items() if not (repeats and name == "history")})
    return {"object": CHAIN, "recordings": shortened}


def chains(recordings: Iterable[Json]) -> list[list[Json]]:
    """Recordings in the order they were made, joined: by `previous_response_id`, or by their conversation.

    Where several go on with the same response, the first does and the others begin chains.
    """
    made = list[list[Json]]()
    ends = dict[str, list[Json]]()
    for recording in _parents_first(recordings):
        chain = ends.pop(_parent(recording) or "", None)
        if chain is None:
            chain = list[Json]()
            made.append(chain)
        chain.append(recording)
        ends[_conversation(recording) or recording["response"]["id"]] = chain
    return made


def _parents_first(recordings: Iterable[Json]) -> list[Json]:
    """By age, which is told in seconds: within one a parent may come behind its child."""
    waiting = {one["response"]["id"]: one for one in sorted(recordings, key=lambda one: one["response"]["created_at"])}
    placed = list[Json]()
    while waiting:
        line = [next(iter(waiting))]
        while (parent := waiting[line[-1]]["response"].get("previous_response_id")) in waiting:
            line.append(parent)
        placed += [waiting.pop(id) for id in reversed(line)]
    return placed


def _parent(recording: Json) -> str | None:
    """Where its chain's end is found."""
    return recording["response"].get("previous_response_id") or _conversation(recording)


def _conversation(recording: Json) -> str | None:
    return (recording["response"].get("conversation") or {}).get("id")


def _held_by(recording: Json) -> list[Json]:
    return [*recording["history"], *recording["input"], *recording["output"]]
