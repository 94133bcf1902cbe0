"""The response object, every key of it, made from a record, the request and the output.

Source: CONTRACT of the Responses API, "Response object": all keys always there, null where empty.
"""

from collections.abc import Collection
from typing import Any

from graph.errors import Json
from graph.including import revealed
from graph.state import Entry, Record

_TEXT: Json = {"format": {"type": "text"}, "verbosity": "medium"}


def output_of(entries: list[Entry], include: Collection[str] = ()) -> list[Json]:
    """Output items in the order in which they appeared on the wire, with what else of them is asked for."""
    return [revealed(entry, include) for entry in sorted(entries, key=lambda entry: entry.get("at", 0))]


#: What a response says of fields that its request left out.
_DEFAULTS: Json = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "parallel_tool_calls": True,
    "safety_identifier": None,
    "prompt_cache_key": None,
    "prompt_cache_retention": None,
    "prompt": None,
    "user": None,
    "service_tier": "auto",
    "store": True,
    "temperature": 1.0,
    "top_p": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "top_logprobs": 0,
    "tool_choice": "auto",
    "tools": [],
    "truncation": "disabled",
    "metadata": {},
}
#: Facts of the record that a response shows as they are.
_SHOWN = (
    "id", "created_at", "completed_at", "status", "background", "error", "incomplete_details", "model",
    "previous_response_id", "usage",
)  # fmt: skip


def snapshot(record: Record, request: Json, output: list[Json]) -> Json:
    """The response as it stands."""
    response: Json = {"object": "response", "output": output, **_DEFAULTS}
    response |= {key: request[key] for key in _DEFAULTS if request.get(key) is not None}
    response |= {key: record[key] for key in _SHOWN}
    response["conversation"] = {"id": record["conversation"]} if record["conversation"] else None
    response["reasoning"] = {"effort": None, "summary": None, **(request.get("reasoning") or {})}
    response["text"] = _TEXT | (request.get("text") or {})
    if record["status"] not in ("queued", "in_progress"):
        response["service_tier"] = "default"
    return response


def usage_of(chat: Json | None) -> Json:
    """Chat Completions usage as the contract has it; zeros where the model server reports none."""
    chat = chat or {}
    prompt: Json = chat.get("prompt_tokens_details") or {}
    completion: Json = chat.get("completion_tokens_details") or {}
    input_tokens: int = chat.get("prompt_tokens") or 0
    output_tokens: int = chat.get("completion_tokens") or 0
    return {
        "input_tokens": input_tokens,
        "input_tokens_details": {"cached_tokens": prompt.get("cached_tokens") or 0, "cache_write_tokens": 0},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": completion.get("reasoning_tokens") or 0},
        "total_tokens": input_tokens + output_tokens,
    }


def add_usage(total: Json | None, more: Json) -> Json:
    """Summed over the model calls of a response."""
    if total is None:
        return more
    return {key: _sum(total[key], value) for key, value in more.items()}


def _sum(a: Any, b: Any) -> Any:
    return add_usage(a, b) if isinstance(b, dict) else a + b  # pyright: ignore[reportUnknownArgumentType]  # JSON
