"""What the model did in each of its turns: of a recording, and of the answer to a replay."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
#: Items the model has not made, or whose words are nobody's business.
_NOT_ITS = frozenset({"mcp_list_tools", "reasoning", "compaction"})
#: How types of items end that a hosted call has brought along.
_BROUGHT = "_output"
#: What calls come to: part of the same step, and told apart from what was asked for.
_RESULTS = ("output", "outputs", "results", "result", "error")
#: Fields that are others each time, or say nothing of what was asked for.
_PASSING = frozenset({
    "id", "type", "status", "call_id", "container_id", "approval_request_id", "created_by", "environment",
    "pending_safety_checks", "acknowledged_safety_checks", "background", "encrypted_content", *_RESULTS,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Act:
    """A call the model asked for, or all it said in a turn."""

    #: Type of its item.
    kind: str
    #: Of the function, behind its server or namespace; else the type, less `_call`.
    name: str
    #: A text, or arguments as JSON.
    asked: Any
    #: What it came to, where the item tells.
    result: Any = None

    @property
    def key(self) -> tuple[str, str, str]:
        """Equal where the same was asked for, as JSON is equal."""
        return self.kind, self.name, canonical(self.asked)


@dataclass(frozen=True, slots=True)
class ModelTurn:
    #: What a replay calls it; numbers may have gaps.
    number: int
    acts: tuple[Act, ...]


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def recorded_turns(recording: Json) -> list[ModelTurn]:
    items: list[Json] = recording["response"]["output"]
    return [ModelTurn(step["turn"], acts_of([items[at] for at in step["output"]])) for step in _asked_steps(recording)]


def asked_for(recording: Json) -> list[Json]:
    """Items that the model's turns have brought: none of calls that the input approved."""
    items: list[Json] = recording["response"]["output"]
    return [items[at] for step in _asked_steps(recording) for at in step["output"]]


def _asked_steps(recording: Json) -> list[Json]:
    return [step for step in recording["steps"] if step["node"] == "call_model"]


def made_turns(response: Json) -> list[tuple[Act, ...]]:
    """Of the answer to a replay, which says whose turn each item is."""
    turns: list[int] = response["replay"]["turns"]
    items: list[Json] = response["output"]
    return [
        acts_of([item for item, of in zip(items, turns, strict=True) if of == turn])
        for turn in range(max([-1, *turns]) + 1)
    ]


def acts_of(items: Sequence[Json]) -> tuple[Act, ...]:
    """Calls in their order; what was said, in one piece, is the first."""
    said = "\n".join(text for item in items if item["type"] == "message" for text in _texts(item))
    brought = {item.get("call_id"): _result(item) for item in items if item["type"].endswith(_BROUGHT)}
    its = [item for item in items if item["type"] not in ("message", *_NOT_ITS) and not item["type"].endswith(_BROUGHT)]
    calls = [_call(item, brought.get(item.get("call_id"))) for item in its]
    return (Act("message", "message", said), *calls) if said else tuple(calls)


def _texts(message: Json) -> list[str]:
    return [part.get("text") or part.get("refusal") or "" for part in message.get("content") or ()]


def _call(item: Json, brought: Json | None) -> Act:
    kind: str = item["type"]
    of = item.get("server_label") or item.get("namespace")
    name = item.get("name") or kind.removesuffix("_call")
    return Act(kind, f"{of}.{name}" if of else name, _asked(item), brought or _result(item))


def _result(item: Json) -> Json | None:
    return {field: item[field] for field in _RESULTS if item.get(field) is not None} or None


def _asked(item: Json) -> Any:
    if isinstance(arguments := item.get("arguments"), str):
        return parsed(arguments)
    if "input" in item:
        return item["input"]
    asked = {name: value for name, value in item.items() if name not in _PASSING and value is not None}
    return {name: without_sources(value) for name, value in asked.items()}


def without_sources(value: Any) -> Any:
    """A search without what it has found, which stands beside what was looked for."""
    return {name: one for name, one in value.items() if name != "sources"} if isinstance(value, dict) else value


def parsed(text: str) -> Any:
    """A text that is JSON as what it says."""
    try:
        return json.loads(text or "{}")
    except ValueError:
        return text
