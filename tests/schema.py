"""Is this JSON what `openai.types.responses` says it is? Strictly, and with every key the contract names."""

from typing import Any, get_args

from openai.types import responses as types
from openai.types.responses.response_error import ResponseError
from pydantic import TypeAdapter, ValidationError

Json = dict[str, Any]


class Illegal(AssertionError):
    """What was seen breaks the contract; the message says where."""


#: Keys every response carries, in every lifecycle event too. Source: contract, "Response object".
RESPONSE_KEYS = frozenset(
    [
        "id",
        "object",
        "created_at",
        "completed_at",
        "status",
        "background",
        "error",
        "incomplete_details",
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "model",
        "output",
        "parallel_tool_calls",
        "previous_response_id",
        "reasoning",
        "safety_identifier",
        "prompt_cache_key",
        "service_tier",
        "store",
        "temperature",
        "top_p",
        "presence_penalty",
        "frequency_penalty",
        "top_logprobs",
        "text",
        "tool_choice",
        "tools",
        "truncation",
        "usage",
        "metadata",
    ]
)
#: Of those, the ones that may be null.
NULLABLE = frozenset(
    [
        "completed_at",
        "error",
        "incomplete_details",
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "previous_response_id",
        "safety_identifier",
        "prompt_cache_key",
        "usage",
    ]
)
STATUSES = frozenset(["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"])
INCOMPLETE = frozenset(["max_output_tokens", "content_filter", "max_messages", "steered"])
ERROR_CODES = frozenset(get_args(ResponseError.model_fields["code"].annotation)) | {"misalignment_policy_violation"}
USAGE_KEYS = {"input_tokens", "input_tokens_details", "output_tokens", "output_tokens_details", "total_tokens"}


def _by_type(union: Any) -> dict[str, TypeAdapter[Any]]:
    """Members of an annotated union by the literals of their `type`."""
    members = get_args(get_args(union)[0])
    return {
        name: TypeAdapter(member) for member in members for name in get_args(member.model_fields["type"].annotation)
    }


EVENTS = _by_type(types.ResponseStreamEvent)
ITEMS = _by_type(types.ResponseOutputItem)
RESPONSE = TypeAdapter(types.Response)
#: On OpenAI's wire, though in no published schema: name to the keys beside `type` and `sequence_number`.
UNPUBLISHED = {
    "response.apply_patch_call_operation_diff.delta": {"item_id", "output_index", "delta"},
    "response.apply_patch_call_operation_diff.done": {"item_id", "output_index", "diff"},
    "response.cancelled": {"response"},
    "response.reasoning.delta": {"item_id", "output_index", "content_index", "delta"},
    "response.reasoning.done": {"item_id", "output_index", "content_index", "text"},
}
#: Types of tools, and a connector, that are extensions of ours.
OURS = frozenset({"browser", "connector_browser"})
#: Why a replayed run stops short, which is an extension of ours, too.
UNRECORDED = "unrecorded_call"


def demand(claim: bool, otherwise: str) -> None:
    if not claim:
        raise Illegal(otherwise)


def _conform(adapter: TypeAdapter[Any], value: Any, what: str) -> None:
    try:
        adapter.validate_python(value, strict=True)
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:4])
        raise Illegal(f"{what} does not fit its type: {found}") from error


def check_event(event: Json) -> None:
    kind = event.get("type", "")
    demand(type(event.get("sequence_number")) is int, f"{kind}: no sequence_number")
    if keys := UNPUBLISHED.get(kind):
        demand(keys <= event.keys(), f"{kind} lacks {keys - event.keys()}")
    else:
        demand(kind in EVENTS, f"unknown event {kind!r}")
        told = event | {"response": _published(event["response"])} if "response" in event else _acting(event)
        _conform(EVENTS[kind], told, kind)
    if "response" in event:
        check_response(event["response"])


def _acting(event: Json) -> Json:
    """The client's types want the action of a web search at once; on OpenAI's wire it comes with `done`."""
    item = event.get("item") or {}
    if event["type"] != "response.output_item.added" or item.get("type") != "web_search_call":
        return event
    return event | {"item": {"action": {"type": "open_page", "url": ""}} | item}


def check_item(item: Json) -> None:
    kind = item.get("type", "")
    demand(kind in ITEMS, f"unknown item {kind!r}")
    demand(bool(item.get("id")), f"{kind} without id")
    _conform(ITEMS[kind], item, kind)


def check_response(response: Json) -> None:
    missing = RESPONSE_KEYS - response.keys()
    demand(not missing, f"response lacks {sorted(missing)}")
    empty = {key for key in RESPONSE_KEYS - NULLABLE if response[key] is None}
    demand(not empty, f"response has null in {sorted(empty)}")
    _conform(RESPONSE, _published(response), "response")
    demand(response["object"] == "response" and response["id"].startswith("resp_"), "not a response")
    demand(response["status"] in STATUSES, f"status {response['status']!r}")
    for item in response["output"]:
        check_item(item)
    _check_status(response)
    _check_usage(response["usage"])


def _published(response: Json) -> Json:
    """Without what is ours alone: the client's types know neither the tool `browser` nor its connector."""
    theirs = [tool for tool in response["tools"] if tool["type"] not in OURS and tool.get("connector_id") not in OURS]
    choice = response["tool_choice"]
    ours = isinstance(choice, dict) and choice["type"] in OURS
    unrecorded = response["incomplete_details"] == {"reason": UNRECORDED}
    return (
        response
        | {"tools": theirs}
        | ({"tool_choice": "auto"} if ours else {})
        | ({"incomplete_details": {"reason": "steered"}} if unrecorded else {})
    )


def _check_status(response: Json) -> None:
    status = response["status"]
    demand((response["completed_at"] is not None) == (status == "completed"), f"completed_at of a {status} response")
    demand((response["error"] is not None) == (status == "failed"), f"error of a {status} response")
    demand((response["incomplete_details"] is not None) == (status == "incomplete"), f"incomplete_details of {status}")
    if error := response["error"]:
        demand(error["code"] in ERROR_CODES and bool(error["message"]), f"response.error is {error}")
    if details := response["incomplete_details"]:
        demand(details["reason"] in {*INCOMPLETE, UNRECORDED}, f"incomplete_details are {details}")
    if status in ("completed", "incomplete"):
        demand(response["usage"] is not None, f"no usage in a {status} response")


def _check_usage(usage: Json | None) -> None:
    if usage is None:
        return
    demand(usage.keys() >= USAGE_KEYS, f"usage lacks {USAGE_KEYS - usage.keys()}")
    demand({"cached_tokens", "cache_write_tokens"} <= usage["input_tokens_details"].keys(), "input_tokens_details")
    demand(usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"], f"usage does not add up: {usage}")


def check_error(body: Json) -> None:
    """An HTTP error body: `{"error": {message, type, param, code}}` and nothing else."""
    demand(body.keys() == {"error"}, f"error body has keys {sorted(body)}")
    error = body["error"]
    demand(error.keys() == {"message", "type", "param", "code"}, f"error has keys {sorted(error)}")
    demand(isinstance(error["message"], str) and bool(error["message"]), "error without message")
    demand(isinstance(error["type"], str), f"error type is {error['type']!r}")
    demand(isinstance(error["param"], str | None) and isinstance(error["code"], str | None), f"error is {error}")
