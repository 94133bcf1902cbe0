"""Tools the client runs: how each type is offered to a model that knows only functions, and how a call comes back.

One class a type, each with the three translations: declaration → functions, the model's call → item, and item → call
again when the conversation is replayed.
Source: CONTRACT of the Responses API, "Tools" and "Item bodies".
"""

from collections.abc import Callable, Iterator
from typing import Any, cast

import orjson

from graph.errors import Json, ToolFailed
from graph.events import Emitter, OpenItem
from graph.offers import ChatCall, FunctionDraft, Offer, WholeDraft, model_name, single


class FunctionTool:
    types = ("function",)
    call = "function_call"
    output = "function_call_output"

    @staticmethod
    def offers(tool: Json, namespace: str | None = None) -> Iterator[Offer]:
        name: str = tool["name"]
        yield Offer(
            name=model_name(name, namespace),
            description=tool.get("description") or "",
            parameters=tool.get("parameters") or {"type": "object", "properties": {}},
            strict=tool.get("strict") or None,
            draft=lambda emitter, call_id: FunctionDraft(emitter, call_id, name, namespace),
        )

    @staticmethod
    def replay(item: Json) -> ChatCall:
        name = model_name(item["name"], item.get("namespace"))
        return ChatCall(item.get("call_id") or item.get("id") or "", name, item["arguments"])


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


_STRINGS: Json = {"type": "array", "items": {"type": "string"}}


class ShellTool:
    types = ("shell",)
    call = "shell_call"
    output = "shell_call_output"

    @staticmethod
    def offers(tool: Json) -> Iterator[Offer]:
        parameters: Json = {
            "type": "object",
            "properties": {
                "commands": {**_STRINGS, "description": "Shell commands, run in this order."},
                "timeout_ms": {"type": "integer"},
                "max_output_length": {"type": "integer"},
            },
            "required": ["commands"],
        }
        yield single("shell", "Run shell commands on the user's machine.", parameters, ShellTool._say)

    @staticmethod
    def _say(emitter: Emitter, call_id: str, arguments: Json) -> OpenItem:
        commands: Any = arguments.get("commands")
        if not isinstance(commands, list) or not all(isinstance(c, str) for c in commands):  # pyright: ignore[reportUnknownVariableType]
            raise ToolFailed("`commands` must be a list of strings.")
        limits = {key: arguments.get(key) for key in ("timeout_ms", "max_output_length")}
        action: Json = {"commands": [], **limits}
        shown = emitter.open({"type": "shell_call", "status": "in_progress", "call_id": call_id, "action": action})
        say = emitter.say
        for index, command in enumerate(cast(list[str], commands)):
            place = {"output_index": shown.index, "command_index": index}
            say(shown.index, "response.shell_call_command.added", {"command": "", **place})
            say(shown.index, "response.shell_call_command.delta", {"delta": command, **place})
            say(shown.index, "response.shell_call_command.done", {"command": command, **place})
        shown.close(action={**action, "commands": commands})
        return shown

    @staticmethod
    def replay(item: Json) -> ChatCall:
        action = {key: value for key, value in item["action"].items() if value is not None}
        return ChatCall(item["call_id"], "shell", orjson.dumps(action).decode())


class LocalShellTool:
    types = ("local_shell",)
    call = "local_shell_call"
    output = "local_shell_call_output"

    @staticmethod
    def offers(tool: Json) -> Iterator[Offer]:
        parameters: Json = {
            "type": "object",
            "properties": {
                "command": {**_STRINGS, "description": "The program and its arguments."},
                "working_directory": {"type": "string"},
                "env": {"type": "object", "additionalProperties": {"type": "string"}},
                "timeout_ms": {"type": "integer"},
            },
            "required": ["command"],
        }
        yield single("local_shell", "Run one command on the user's machine.", parameters, LocalShellTool._say)

    @staticmethod
    def _say(emitter: Emitter, call_id: str, arguments: Json) -> OpenItem:
        command = arguments.get("command")
        if isinstance(command, str):
            command = ["sh", "-c", command]
        if not isinstance(command, list):
            raise ToolFailed("`command` must be a list of strings.")
        action: Json = {"type": "exec", "env": {}, **arguments, "command": command}
        shown = emitter.open(
            {"type": "local_shell_call", "status": "in_progress", "call_id": call_id, "action": action}
        )
        shown.close()
        return shown

    @staticmethod
    def replay(item: Json) -> ChatCall:
        action = {key: value for key, value in item["action"].items() if key != "type" and value}
        return ChatCall(item.get("call_id") or item["id"], "local_shell", orjson.dumps(action).decode())


class ApplyPatchTool:
    types = ("apply_patch",)
    call = "apply_patch_call"
    output = "apply_patch_call_output"

    @staticmethod
    def offers(tool: Json) -> Iterator[Offer]:
        parameters: Json = {
            "type": "object",
            "properties": {
                "type": {"type": "string", "enum": ["create_file", "update_file", "delete_file"]},
                "path": {"type": "string"},
                "diff": {"type": "string", "description": "V4A diff; not for delete_file."},
            },
            "required": ["type", "path"],
        }
        yield single("apply_patch", "Create, update or delete one file of the user.", parameters, ApplyPatchTool._say)

    @staticmethod
    def _say(emitter: Emitter, call_id: str, arguments: Json) -> OpenItem:
        kind, path = arguments.get("type"), arguments.get("path")
        if kind not in ("create_file", "update_file", "delete_file") or not isinstance(path, str):
            raise ToolFailed("`type` must be create_file, update_file or delete_file, and `path` a string.")
        operation: Json = {"type": kind, "path": path}
        diff = "" if kind == "delete_file" else str(arguments.get("diff") or "")
        started = operation if kind == "delete_file" else {**operation, "diff": ""}
        item: Json = {"type": "apply_patch_call", "status": "in_progress", "call_id": call_id, "operation": started}
        shown = emitter.open(item)
        if kind != "delete_file":
            shown.event("apply_patch_call_operation_diff.delta", delta=diff)
            shown.event("apply_patch_call_operation_diff.done", diff=diff)
            operation["diff"] = diff
        shown.close(operation=operation)
        return shown

    @staticmethod
    def replay(item: Json) -> ChatCall:
        return ChatCall(item["call_id"], "apply_patch", orjson.dumps(item["operation"]).decode())


class ComputerTool:
    types = ("computer", "computer_use_preview", "computer_use")
    call = "computer_call"
    output = "computer_call_output"

    @staticmethod
    def offers(tool: Json) -> Iterator[Offer]:
        preview = tool["type"] != "computer"
        size = f" The screen is {tool['display_width']}x{tool['display_height']}." if tool.get("display_width") else ""
        kinds = ["click", "double_click", "drag", "keypress", "move", "screenshot", "scroll", "type", "wait"]
        numbers = {key: {"type": "integer"} for key in ("x", "y", "scroll_x", "scroll_y")}
        action: Json = {
            "type": "object",
            "properties": {
                "type": {"type": "string", "enum": kinds},
                **numbers,
                "button": {"type": "string", "enum": ["left", "right", "wheel", "back", "forward"]},
                "keys": _STRINGS,
                "text": {"type": "string"},
                "path": {"type": "array", "items": {"type": "object"}},
            },
            "required": ["type"],
        }
        parameters: Json = {
            "type": "object",
            "properties": {"actions": {"type": "array", "items": action, "minItems": 1}},
            "required": ["actions"],
        }

        def say(emitter: Emitter, call_id: str, arguments: Json) -> OpenItem:
            actions: Any = arguments.get("actions")
            if not isinstance(actions, list) or not actions:
                raise ToolFailed("`actions` must be a list with at least one action.")
            done: Json = {"action": actions[0]} if preview else {"actions": actions}
            item: Json = {
                "type": "computer_call",
                "status": "in_progress",
                "call_id": call_id,
                "pending_safety_checks": [],
            }
            shown = emitter.open(item | done)
            shown.close()
            return shown

        yield single("computer", f"Act on the user's computer; a screenshot comes back.{size}", parameters, say)

    @staticmethod
    def replay(item: Json) -> ChatCall:
        actions: Any = item.get("actions") or [item.get("action")]
        return ChatCall(item["call_id"], "computer", orjson.dumps({"actions": actions}).decode())


class ToolSearchTool:
    types = ("tool_search",)
    call = "tool_search_call"
    output = "tool_search_output"

    @staticmethod
    def offers(tool: Json) -> Iterator[Offer]:
        query: Json = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
        description = tool.get("description") or "Find further tools by what they are for."
        yield single("tool_search", description, tool.get("parameters") or query, ToolSearchTool._say)

    @staticmethod
    def _say(emitter: Emitter, call_id: str, arguments: Json) -> OpenItem:
        item: Json = {"type": "tool_search_call", "status": "in_progress", "call_id": call_id, "execution": "client"}
        shown = emitter.open({**item, "arguments": arguments})
        shown.close()
        return shown

    @staticmethod
    def replay(item: Json) -> ChatCall:
        return ChatCall(item.get("call_id") or "", "tool_search", orjson.dumps(item["arguments"]).decode())


#: Every type of tool a client runs.
CLIENT_TOOLS = (
    FunctionTool, CustomTool, NamespaceTool, ShellTool, LocalShellTool, ApplyPatchTool, ComputerTool, ToolSearchTool,
)  # fmt: skip
BY_TYPE = {type: tool for tool in CLIENT_TOOLS for type in tool.types}
#: Call item type → how it is said again to the model; output item types are what answers it.
_CALLED = (FunctionTool, CustomTool, ShellTool, LocalShellTool, ApplyPatchTool, ComputerTool, ToolSearchTool)
REPLAY: dict[str, Callable[[Json], ChatCall]] = {tool.call: tool.replay for tool in _CALLED}
OUTPUTS = {tool.output: tool.call for tool in _CALLED}


def offers_of(tools: list[Json]) -> Iterator[Offer]:
    """What the client's own tools let the model call; hosted types are passed over."""
    searching = any(tool["type"] == "tool_search" for tool in tools)
    for tool in tools:
        deferred = searching and tool.get("defer_loading")
        if tool["type"] in BY_TYPE and not deferred:
            yield from BY_TYPE[tool["type"]].offers(tool)
