"""Client tools whose name and parameters the protocol fixes: shells, patches, a computer, a search for tools.

The same three translations as in `client_tools`.
"""

from collections.abc import Iterator
from typing import Any, cast

import orjson

from graph.errors import Json, ToolFailed
from graph.events import Emitter, OpenItem
from graph.offers import ChatCall, Offer, single

_STRINGS: Json = {"type": "array", "items": {"type": "string"}}


#: Of shells here and at the client's.
SHELL_PARAMETERS: Json = {
    "type": "object",
    "properties": {
        "commands": {**_STRINGS, "description": "Shell commands, run in this order."},
        "timeout_ms": {"type": "integer"},
        "max_output_length": {"type": "integer"},
    },
    "required": ["commands"],
}

_ACTION: Json = {
    "type": "object",
    "properties": {
        "type": {
            "type": "string",
            "enum": ["click", "double_click", "drag", "keypress", "move", "screenshot", "scroll", "type", "wait"],
        },
        **{key: {"type": "integer"} for key in ("x", "y", "scroll_x", "scroll_y")},
        "button": {"type": "string", "enum": ["left", "right", "wheel", "back", "forward"]},
        "keys": _STRINGS,
        "text": {"type": "string"},
        "path": {"type": "array", "items": {"type": "object"}},
    },
    "required": ["type"],
}
#: Of computers here and at the client's.
COMPUTER_PARAMETERS: Json = {
    "type": "object",
    "properties": {"actions": {"type": "array", "items": _ACTION, "minItems": 1}},
    "required": ["actions"],
}


class ShellTool:
    types = ("shell",)
    call = "shell_call"
    output = "shell_call_output"

    @staticmethod
    def offers(tool: Json) -> Iterator[Offer]:
        yield single("shell", "Run shell commands on the user's machine.", SHELL_PARAMETERS, ShellTool._say)

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
    types = ("computer", "computer_use_preview")
    call = "computer_call"
    output = "computer_call_output"

    @staticmethod
    def offers(tool: Json) -> Iterator[Offer]:
        preview = tool["type"] != "computer"
        size = f" The screen is {tool['display_width']}x{tool['display_height']}." if preview else ""

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

        yield single(
            "computer", f"Act on the user's computer; a screenshot comes back.{size}", COMPUTER_PARAMETERS, say
        )

    @staticmethod
    def replay(item: Json) -> ChatCall:
        actions: Any = item.get("actions") or [item.get("action")]
        opened = {"url": item["url"]} if item.get("url") else {}  # of a browser of ours
        return ChatCall(item["call_id"], "computer", orjson.dumps({**opened, "actions": actions}).decode())


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
        return ChatCall(
            item.get("call_id") or item.get("id") or "", "tool_search", orjson.dumps(item["arguments"]).decode()
        )
