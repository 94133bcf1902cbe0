"""Tools the client runs: how each type is offered to a model that knows only functions, and how a call comes back.

One class a type, each with the three translations: declaration → functions, the model's call → item, and item → call
again when the conversation is replayed.
Source: CONTRACT of the Responses API, "Tools" and "Item bodies".
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import orjson

from graph.errors import Json
from graph.events import Emitter, OpenItem
from graph.fixed_tools import ApplyPatchTool, ComputerTool, LocalShellTool, ShellTool, ToolSearchTool
from graph.offers import ChatCall, FunctionDraft, Offer, WholeDraft, model_name


class FunctionTool:
    types = ("function",)
    call = "function_call"
    output = "function_call_output"

    @staticmethod
    def offers(tool: Json, namespace: str | None = None) -> Iterator[Offer]:
        name: str = tool["name"]
        # What openai-agents expects of a function that a hosted search has found.
        shown = namespace or (name if tool.get("defer_loading") else None)
        yield Offer(
            name=model_name(name, namespace),
            description=tool.get("description") or "",
            parameters=tool.get("parameters") or {"type": "object", "properties": {}},
            strict=tool.get("strict") or None,
            draft=lambda emitter, call_id: FunctionDraft(emitter.open(_call(call_id, name, shown))),
            deferred=bool(tool.get("defer_loading")),
        )

    @staticmethod
    def replay(item: Json) -> ChatCall:
        name = model_name(item["name"], item.get("namespace"))
        return ChatCall(item.get("call_id") or item.get("id") or "", name, item["arguments"])


def _call(call_id: str, name: str, namespace: str | None) -> Json:
    item: Json = {"type": "function_call", "status": "in_progress", "arguments": "", "call_id": call_id, "name": name}
    return item | ({"namespace": namespace} if namespace else {})


class CustomTool:
    types = ("custom",)
    call = "custom_tool_call"
    output = "custom_tool_call_output"

    @staticmethod
    def offers(tool: Json, namespace: str | None = None) -> Iterator[Offer]:
        name: str = tool["name"]
        description = tool.get("description") or ""
        shape: Json = tool.get("format") or {}
        if shape.get("type") == "grammar":
            description += f"\n\n`input` must match this {shape['syntax']} grammar:\n{shape['definition']}"

        def say(emitter: Emitter, call_id: str, arguments: str) -> OpenItem:
            item: Json = {
                "type": "custom_tool_call",
                "status": "in_progress",
                "call_id": call_id,
                "name": name,
                "input": "",
            }
            shown = emitter.open(item | ({"namespace": namespace} if namespace else {}))
            text = _raw_input(arguments)
            if text:
                shown.event("custom_tool_call_input.delta", delta=text)
            shown.event("custom_tool_call_input.done", input=text)
            shown.close(input=text)
            return shown

        yield Offer(
            name=model_name(name, namespace),
            description=description.strip(),
            parameters={
                "type": "object",
                "properties": {"input": {"type": "string", "description": "The tool's input, verbatim."}},
                "required": ["input"],
            },
            draft=lambda emitter, call_id: WholeDraft(lambda arguments: say(emitter, call_id, arguments)),
            deferred=bool(tool.get("defer_loading")),
        )

    @staticmethod
    def replay(item: Json) -> ChatCall:
        arguments = orjson.dumps({"input": item["input"]}).decode()
        return ChatCall(item["call_id"], model_name(item["name"], item.get("namespace")), arguments)


def _raw_input(arguments: str) -> str:
    """The `input` of `{"input": …}`; models that write the bare text are taken at their word."""
    try:
        value: Any = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return arguments
    if isinstance(value, dict) and isinstance(value.get("input"), str):
        return cast(str, value["input"])
    return value if isinstance(value, str) else arguments


class NamespaceTool:
    types = ("namespace",)

    @staticmethod
    def offers(tool: Json) -> Iterator[Offer]:
        for member in tool["tools"]:
            kind = CustomTool if member["type"] == "custom" else FunctionTool
            yield from kind.offers(member, tool["name"])


#: Every type of tool a client runs.
CLIENT_TOOLS = (
    FunctionTool, CustomTool, NamespaceTool, ShellTool, LocalShellTool, ApplyPatchTool, ComputerTool, ToolSearchTool,
)  # fmt: skip
BY_TYPE = {type: tool for tool in CLIENT_TOOLS for type in tool.types}
#: Call item type → how it is said again to the model; output item types are what answers it.
_CALLED = (FunctionTool, CustomTool, ShellTool, LocalShellTool, ApplyPatchTool, ComputerTool, ToolSearchTool)
#: Environments of a shell that runs on the server.
_HERE = ("container_auto", "container_reference")
REPLAY: dict[str, Callable[[Json], ChatCall]] = {tool.call: tool.replay for tool in _CALLED}
OUTPUTS = {tool.output: tool.call for tool in _CALLED}


def is_clients(tool: Json) -> bool:
    """Whether the client runs a declared tool. A search for tools runs here unless it says otherwise, a shell only in
    a container, a computer only if the server is named."""
    match tool["type"]:
        case "tool_search":
            return tool.get("execution") == "client"
        case "shell":
            where: Any = tool.get("environment")
            return not (isinstance(where, dict) and cast(Json, where).get("type") in _HERE)
        case "computer" | "computer_use_preview":
            return tool.get("executor") != "server"
        case kind:
            return kind in BY_TYPE


def offers_of(tools: Sequence[Json]) -> Iterator[Offer]:
    """What the client's own tools let the model call; hosted ones are passed over."""
    for tool in tools:
        if is_clients(tool):
            yield from BY_TYPE[tool["type"]].offers(tool)
