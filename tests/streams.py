"""Makes legal streams out of a list of items, for tests of the grammar."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

Json = dict[str, Any]
Told = Iterator[tuple[str, Json]]
USAGE = {
    "input_tokens": 3,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens": 4,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 7,
}


def response(status: str, output: Sequence[Json] = ()) -> Json:
    ended = status in ("completed", "incomplete")
    return {
        "id": "resp_1", "object": "response", "created_at": 5, "completed_at": 6 if status == "completed" else None,
        "status": status, "background": False, "incomplete_details": None, "instructions": None,
        "error": {"code": "server_error", "message": "It broke."} if status == "failed" else None,
        "max_output_tokens": None, "max_tool_calls": None, "model": "m", "output": list(output),
        "parallel_tool_calls": True, "previous_response_id": None, "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None, "prompt_cache_key": None, "service_tier": "auto", "store": True,
        "temperature": 1.0, "top_p": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0, "top_logprobs": 0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"}, "tool_choice": "auto", "tools": [],
        "truncation": "disabled", "usage": USAGE if ended else None, "metadata": {},
    } | ({"incomplete_details": {"reason": "max_output_tokens"}} if status == "incomplete" else {})  # fmt: skip


def _deltas(stem: str, pieces: Sequence[str], done_key: str, **fields: Any) -> Told:
    for piece in pieces:
        yield f"{stem}.delta", {"delta": piece, **fields}
    yield f"{stem}.done", {done_key: "".join(pieces), **fields}


def _part(stem: str, part: Json, key: str, pieces: Sequence[str], **fields: Any) -> Told:
    yield "content_part.added", {"part": {**part, key: ""}, "content_index": fields["content_index"]}
    yield from _deltas(stem, pieces, key, **fields)
    yield "content_part.done", {"part": {**part, key: "".join(pieces)}, "content_index": fields["content_index"]}


def message(id: str, *parts: Sequence[str]) -> tuple[Json, Json, list[tuple[str, Json]]]:
    """A message of text parts, the last one a refusal when there are several."""
    told: list[tuple[str, Json]] = []
    for at, pieces in enumerate(parts):
        if at and at == len(parts) - 1:
            told += _part("refusal", {"type": "refusal"}, "refusal", pieces, content_index=at)
        else:
            blank = {"type": "output_text", "annotations": [], "logprobs": []}
            told += _part("output_text", blank, "text", pieces, content_index=at, logprobs=[])
    content = [fields["part"] for kind, fields in told if kind == "content_part.done"]
    whole = {"id": id, "type": "message", "role": "assistant", "status": "completed", "content": content}
    return {**whole, "status": "in_progress", "content": []}, whole, told


def reasoning(id: str, *parts: Sequence[str]) -> tuple[Json, Json, list[tuple[str, Json]]]:
    told: list[tuple[str, Json]] = []
    for at, pieces in enumerate(parts):
        told += _part("reasoning_text", {"type": "reasoning_text"}, "text", pieces, content_index=at)
    content = [fields["part"] for kind, fields in told if kind == "content_part.done"]
    whole = {"id": id, "type": "reasoning", "summary": [], "content": content}
    return {"id": id, "type": "reasoning", "summary": []}, whole, told


def summary(id: str, *parts: Sequence[str]) -> tuple[Json, Json, list[tuple[str, Json]]]:
    told: list[tuple[str, Json]] = []
    for at, pieces in enumerate(parts):
        index, text = {"summary_index": at}, "".join(pieces)
        told.append(("reasoning_summary_part.added", {"part": {"type": "summary_text", "text": ""}, **index}))
        told += _deltas("reasoning_summary_text", pieces, "text", **index)
        told.append(("reasoning_summary_part.done", {"part": {"type": "summary_text", "text": text}, **index}))
    gist = [fields["part"] for kind, fields in told if kind == "reasoning_summary_part.done"]
    blank = {"id": id, "type": "reasoning", "summary": []}
    return blank, {**blank, "summary": gist}, told


def function_call(id: str, *parts: Sequence[str]) -> tuple[Json, Json, list[tuple[str, Json]]]:
    pieces = [piece for part in parts for piece in part]
    whole = {"id": id, "type": "function_call", "call_id": f"call_{id}", "name": "f", "arguments": "".join(pieces),
             "status": "completed"}  # fmt: skip
    told = list(_deltas("function_call_arguments", pieces, "arguments"))
    return {**whole, "arguments": "", "status": "in_progress"}, whole, told


def custom_tool_call(id: str, *parts: Sequence[str]) -> tuple[Json, Json, list[tuple[str, Json]]]:
    pieces = [piece for part in parts for piece in part]
    whole = {"id": id, "type": "custom_tool_call", "call_id": f"call_{id}", "name": "c", "input": "".join(pieces)}
    return {**whole, "input": ""}, whole, list(_deltas("custom_tool_call_input", pieces, "input"))


def mcp_list_tools(id: str, *parts: Sequence[str]) -> tuple[Json, Json, list[tuple[str, Json]]]:
    blank: Json = {"id": id, "type": "mcp_list_tools", "server_label": "s", "tools": []}
    tools = [{"name": json.dumps(part), "input_schema": {}} for part in parts]
    return blank, {**blank, "tools": tools}, [("mcp_list_tools.in_progress", {}), ("mcp_list_tools.completed", {})]


def mcp_call(id: str, *parts: Sequence[str]) -> tuple[Json, Json, list[tuple[str, Json]]]:
    text = "".join(piece for part in parts for piece in part) + "{}"
    whole = {"id": id, "type": "mcp_call", "server_label": "s", "name": "t", "arguments": text, "output": "42",
             "error": None, "status": "completed", "approval_request_id": None}  # fmt: skip
    told = [("mcp_call.in_progress", {}), *_deltas("mcp_call_arguments", [text], "arguments")]
    zero = {"arguments": "", "output": None, "status": "in_progress"}
    return {**whole, **zero}, whole, [*told, ("mcp_call.completed", {})]


def mcp_approval_request(id: str, *parts: Sequence[str]) -> tuple[Json, Json, list[tuple[str, Json]]]:
    whole = {"id": id, "type": "mcp_approval_request", "server_label": "s", "name": "t", "arguments": "{}"}
    return whole, whole, []


def shell_call(id: str, *parts: Sequence[str]) -> tuple[Json, Json, list[tuple[str, Json]]]:
    told: list[tuple[str, Json]] = []
    for at, pieces in enumerate(parts):
        told.append(("shell_call_command.added", {"command": "", "command_index": at}))
        told += _deltas("shell_call_command", pieces, "command", command_index=at)
    whole = {"id": id, "type": "shell_call", "call_id": f"call_{id}", "status": "completed",
             "environment": {"type": "local"}, "action": {"commands": ["".join(part) for part in parts]}}  # fmt: skip
    return {**whole, "status": "in_progress", "action": {"commands": []}}, whole, told


def apply_patch_call(id: str, *parts: Sequence[str]) -> tuple[Json, Json, list[tuple[str, Json]]]:
    pieces = [piece for part in parts for piece in part]
    operation = {"type": "create_file", "path": "a.txt", "diff": "".join(pieces)}
    whole = {"id": id, "type": "apply_patch_call", "call_id": f"call_{id}", "status": "completed",
             "operation": operation}  # fmt: skip
    zero = {"status": "in_progress", "operation": {**operation, "diff": ""}}
    return {**whole, **zero}, whole, list(_deltas("apply_patch_call_operation_diff", pieces, "diff"))


def computer_call(id: str, *parts: Sequence[str]) -> tuple[Json, Json, list[tuple[str, Json]]]:
    whole = {"id": id, "type": "computer_call", "call_id": f"call_{id}", "status": "completed",
             "pending_safety_checks": [], "actions": [{"type": "screenshot"}]}  # fmt: skip
    return {**whole, "status": "in_progress"}, whole, []


def local_shell_call(id: str, *parts: Sequence[str]) -> tuple[Json, Json, list[tuple[str, Json]]]:
    action: Json = {"type": "exec", "command": ["ls"], "env": {}}
    whole = {"id": id, "type": "local_shell_call", "call_id": f"call_{id}", "status": "completed", "action": action}
    return {**whole, "status": "in_progress"}, whole, []


def tool_search_call(id: str, *parts: Sequence[str]) -> tuple[Json, Json, list[tuple[str, Json]]]:
    whole = {"id": id, "type": "tool_search_call", "call_id": f"call_{id}", "status": "completed",
             "execution": "client", "arguments": {"q": "x"}}  # fmt: skip
    return {**whole, "status": "in_progress", "arguments": {}}, whole, []


def tool_search_output(id: str, *parts: Sequence[str]) -> tuple[Json, Json, list[tuple[str, Json]]]:
    whole = {"id": id, "type": "tool_search_output", "call_id": None, "status": "completed", "execution": "server",
             "tools": [{"type": "mcp", "server_label": "s", "allowed_tools": ["t"]}]}  # fmt: skip
    return {**whole, "status": "in_progress"}, whole, []


def compaction(id: str, *parts: Sequence[str]) -> tuple[Json, Json, list[tuple[str, Json]]]:
    whole = {"id": id, "type": "compaction", "encrypted_content": "gAAA"}
    return whole, whole, []


Maker = Callable[..., tuple[Json, Json, list[tuple[str, Json]]]]
MAKERS: list[Maker] = [
    message, reasoning, summary, function_call, custom_tool_call, mcp_list_tools, mcp_call, mcp_approval_request,
    shell_call, apply_patch_call, computer_call, local_shell_call, tool_search_call, tool_search_output,
    compaction,
]  # fmt: skip


def numbered(events: list[Json]) -> list[Json]:
    return [{**event, "sequence_number": at} for at, event in enumerate(events)]


def stream(items: Sequence[tuple[Json, Json, list[tuple[str, Json]]]], ending: str = "completed") -> list[Json]:
    """A legal stream that shows `items` one after the other."""
    events: list[Json] = [
        {"type": f"response.{s}", "response": response("in_progress")} for s in ("created", "in_progress")
    ]
    for at, (added, done, told) in enumerate(items):
        events.append({"type": "response.output_item.added", "output_index": at, "item": added})
        for kind, fields in told:
            own = {} if "shell_call_command" in kind else {"item_id": added["id"]}
            events.append({"type": f"response.{kind}", "output_index": at, **own, **fields})
        events.append({"type": "response.output_item.done", "output_index": at, "item": done})
    finished = [done for _, done, _ in items]
    events.append({"type": f"response.{ending}", "response": response(ending, finished)})
    return numbered(events)
