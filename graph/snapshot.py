"""The response object, every key of it, made from a record, the request and the output.

Source: CONTRACT of the Responses API, "Response object": all keys always there, null where empty.
"""

from typing import Any

from graph.errors import Json
from graph.state import Entry, Record

_TEXT: Json = {"format": {"type": "text"}, "verbosity": "medium"}


def output_of(entries: list[Entry]) -> list[Json]:
    """Output items in the order in which they appeared on the wire."""
    return [entry["item"] for entry in sorted(entries, key=lambda entry: entry.get("at", 0))]


def snapshot(record: Record, request: Json, output: list[Json]) -> Json:
    ended = record["status"] not in ("queued", "in_progress")

    def sent(key: str, default: object = None) -> object:
        value = request.get(key)
        return default if value is None else value

    return {
        "id": record["id"],
        "object": "response",
        "created_at": record["created_at"],
        "completed_at": record["completed_at"],
        "status": record["status"],
        "background": record["background"],
        "error": record["error"],
        "incomplete_details": record["incomplete_details"],
        "instructions": sent("instructions"),
        "max_output_tokens": sent("max_output_tokens"),
        "max_tool_calls": sent("max_tool_calls"),
        "model": record["model"],
        "output": output,
        "parallel_tool_calls": sent("parallel_tool_calls", True),
        "previous_response_id": record["previous_response_id"],
        "conversation": {"id": record["conversation"]} if record["conversation"] else None,
        "reasoning": {"effort": None, "summary": None, **(request.get("reasoning") or {})},
        "safety_identifier": sent("safety_identifier"),
        "prompt_cache_key": sent("prompt_cache_key"),
        "prompt_cache_retention": sent("prompt_cache_retention"),
        "prompt": sent("prompt"),
        "user": sent("user"),
        "service_tier": "default" if ended else sent("service_tier", "auto"),
        "store": sent("store", True),
        "temperature": sent("temperature", 1.0),
        "top_p": sent("top_p", 1.0),
        "presence_penalty": sent("presence_penalty", 0.0),
        "frequency_penalty": sent("frequency_penalty", 0.0),
        "top_logprobs": sent("top_logprobs", 0),
        "text": _TEXT | (request.get("text") or {}),
        "tool_choice": sent("tool_choice", "auto"),
        "tools": sent("tools", []),
        "truncation": sent("truncation", "disabled"),
        "usage": record["usage"],
        "metadata": sent("metadata", {}),
    }


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
