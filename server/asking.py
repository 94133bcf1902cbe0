"""A body of `POST /responses` → what the runner is asked to do."""

from collections.abc import Sequence
from typing import Any, cast

from graph.ask import Ask
from graph.client_tools import BY_TYPE
from graph.errors import Json, NotFound, RequestError
from graph.ports import HostedTool
from server.house import House
from server.replaying import as_it_was, history_of, tools_as_recorded
from server.wire.items import item_type
from server.wire.problems import read
from server.wire.request import CREATE_RESPONSE, STRICT_CREATE_RESPONSE
from server.wire.tools import check_deferred, checked_tools, found_tools

#: Fields that are kept with a response: those it echoes, and those that steer the run.
_KEPT = (
    "model", "instructions", "max_output_tokens", "max_tool_calls", "parallel_tool_calls", "reasoning",
    "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "user", "service_tier", "store", "temperature",
    "top_p", "presence_penalty", "frequency_penalty", "top_logprobs", "text", "tool_choice", "truncation", "metadata",
    "include", "context_management", "background",
)  # fmt: skip


async def ask_of(body: Any, owner: str, house: House) -> Ask:
    """Validate, normalise, split secrets off. Raises `RequestError`."""
    if house.strict:
        read(STRICT_CREATE_RESPONSE, body)
    else:
        read(CREATE_RESPONSE, body)
    given: Json = {key: value for key, value in body.items() if value is not None}
    if "replay" in given:
        return await _replayed(given, owner, house)
    _refuse_combinations(given)
    tools = checked_tools(given.get("tools", ()), house.tools)
    check_deferred(tools)
    _check_choice(given.get("tool_choice"), tools, house.tools)
    return Ask(
        owner=owner,
        request=_as_kept(given, tools),
        input=typed_items(given.get("input", []), "input"),
        declared=given.get("tools", ()),
        previous_response_id=given.get("previous_response_id"),
        conversation=await conversation_of(given, owner, house),
        stored=given.get("store", True),
        background=given.get("background", False),
        resumable=_is_resumable(given, house),
    )


async def _replayed(given: Json, owner: str, house: House) -> Ask:
    body, replay = as_it_was(given, _KEPT)
    declared: list[Json] = body.get("tools", [])
    as_recorded = replay.results == "recorded" and "tools" not in given
    tools = tools_as_recorded(declared) if as_recorded else checked_tools(declared, house.tools)
    check_deferred(tools)
    _check_choice(body.get("tool_choice"), tools, house.tools)
    history = await history_of(replay, owner, house)
    return Ask(owner, _as_kept(body, tools), [], declared, stored=False, history=history, replay=replay)


def _as_kept(given: Json, tools: Sequence[Json]) -> Json:
    """The request as it is kept with its response."""
    request = {key: given[key] for key in _KEPT if key in given}
    return {**request, "tools": tools} if tools else request


def _is_resumable(given: Json, house: House) -> bool:
    """Whether a response made here keeps its events, and lives on without its reader."""
    kept = given.get("store", True) and not given.get("background")
    return bool(kept and given.get("stream") and house.resumable_streams)


def typed_items(given: str | list[Json], at: str) -> str | list[Json]:
    """Input items with the type spelled out, and the tools some of them bring checked; these are the client's own."""
    if isinstance(given, str):
        return given
    typed: list[Json] = [{**item, "type": item_type(item)} for item in given]
    for index, item in enumerate(typed):
        if item["type"] == "tool_search_output":
            item["tools"] = found_tools(item["tools"], f"{at}[{index}].tools")
        elif item["type"] == "additional_tools":
            item["tools"] = checked_tools(item["tools"], (), f"{at}[{index}].tools")
    return typed


async def conversation_of(given: Json, owner: str, house: House) -> str | None:
    """The conversation's id. Raises `NotFound` unless it is the caller's."""
    conversation = given.get("conversation")
    if conversation is None:
        return None
    id: str = conversation if isinstance(conversation, str) else conversation["id"]
    if not id.startswith("conv"):
        message = f"Invalid 'conversation': '{id[:100]}'. Expected an ID that begins with 'conv'."
        raise RequestError(message, param="conversation", code="invalid_value")
    if await house.store.conversations.find(owner, id) is None:
        raise NotFound(f"Conversation with id '{id}' not found.", param="conversation")
    return id


def _refuse_combinations(given: Json) -> None:
    if "previous_response_id" in given and "conversation" in given:
        raise RequestError(
            "Mutually exclusive parameters: ensure you are only providing one of: 'previous_response_id' or "
            "'conversation'.",
            param="previous_response_id",
            code="mutually_exclusive_parameters",
        )
    if not {"input", "previous_response_id", "conversation", "prompt"} & given.keys():
        raise RequestError("Missing required parameter: 'input'.", param="input", code="missing_required_parameter")
    if "stream_options" in given and not given.get("stream"):
        raise RequestError("'stream_options' is only allowed when 'stream' is true.", param="stream_options")
    if "prompt" in given:
        raise RequestError("This server keeps no prompt templates; send 'instructions' and 'input'.", param="prompt")


def _check_choice(choice: Any, tools: Sequence[Json], hosted: Sequence[HostedTool]) -> None:
    """A choice among tools that are not there would force the impossible."""
    if isinstance(choice, dict):
        chosen = cast(list[Json], choice["tools"] if choice["type"] == "allowed_tools" else [choice])
        for one in chosen:
            if not any(_is_meant(one, tool) for tool in _flat(tools)):
                name = one.get("name") or one.get("server_label") or one["type"]
                raise RequestError(f"Tool choice '{name}' not found in 'tools' parameter.", param="tool_choice")
    elif choice == "required" and not tools:
        raise RequestError("Tool choice 'required' must be specified with 'tools' parameter.", param="tool_choice")


def _flat(tools: Sequence[Json]) -> list[Json]:
    members = [member for tool in tools if tool["type"] == "namespace" for member in tool["tools"]]
    return [*tools, *members]


def _is_meant(choice: Json, tool: Json) -> bool:
    kind: str = choice["type"]
    same_kind = tool["type"] == kind or (kind in BY_TYPE and BY_TYPE.get(tool["type"]) is BY_TYPE[kind])
    keys = ("server_label",) if kind == "mcp" else ("name",)
    return same_kind and all(choice.get(key) in (None, tool.get(key)) for key in keys)
