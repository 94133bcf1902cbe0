"""Input items: the least that each must have. Further fields are kept as they came.

Source: CONTRACT of the Responses API, "Input items". Clients send `response.output` back as it was,
so every output item is an input item too.
"""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from graph.errors import Json
from server.wire.parts import Content, Image, Wire


class Message(Wire):
    type: Literal["message"] | None = "message"
    role: Literal["user", "assistant", "system", "developer"]
    content: Content
    phase: Literal["commentary", "final_answer"] | None = None


class FunctionCall(Wire):
    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: str
    namespace: str | None = None


class CallOutput(Wire):
    """Of a function or a custom tool."""

    call_id: str
    output: Content


class CustomToolCall(Wire):
    call_id: str
    name: str
    input: str
    namespace: str | None = None


class ShellAction(Wire):
    commands: list[str]


class ShellCall(Wire):
    call_id: str
    action: ShellAction


class ShellCallOutput(Wire):
    call_id: str
    output: list[Json]


class LocalShellAction(Wire):
    command: list[str]


class LocalShellCall(Wire):
    call_id: str
    action: LocalShellAction


class LocalShellCallOutput(Wire):
    id: str
    output: str


class PatchOperation(Wire):
    type: Literal["create_file", "update_file", "delete_file"]
    path: str
    diff: str | None = None


class ApplyPatchCall(Wire):
    call_id: str
    operation: PatchOperation


class ApplyPatchCallOutput(Wire):
    call_id: str
    status: Literal["completed", "failed"]
    output: str | None = None


class ComputerCall(Wire):
    call_id: str
    action: Json | None = None
    actions: list[Json] | None = None


class ComputerCallOutput(Wire):
    call_id: str
    output: Image


class ReasoningText(Wire):
    text: str


class Reasoning(Wire):
    summary: list[Json]
    content: list[ReasoningText] | None = None
    encrypted_content: str | None = None


class Compaction(Wire):
    encrypted_content: str = Field(max_length=20_971_520)


class ToolSearchCall(Wire):
    call_id: str | None = None
    arguments: Any


class Tools(Wire):
    """Items that bring tools: `tool_search_output`, `additional_tools`."""

    call_id: str | None = None
    tools: list[Json]


class McpCall(Wire):
    id: str
    name: str
    server_label: str
    arguments: str
    output: str | None = None


class McpListTools(Wire):
    server_label: str
    tools: list[Json]


class ItemReference(Wire):
    id: str


class ApprovalRequest(Wire):
    id: str
    server_label: str
    name: str
    arguments: str


class ApprovalResponse(Wire):
    id: str | None = None
    approval_request_id: str
    approve: bool
    reason: str | None = None
    #: Ours: what the server may be told should it ask for something during the call.
    values: Json | None = None


class Kept(Wire):
    """An item that is kept and given back, and of which the model is told nothing."""

    id: str | None = None


_TYPES: dict[str, type[Wire]] = {
    "message": Message,
    "item_reference": ItemReference,
    "function_call": FunctionCall,
    "function_call_output": CallOutput,
    "custom_tool_call": CustomToolCall,
    "custom_tool_call_output": CallOutput,
    "shell_call": ShellCall,
    "shell_call_output": ShellCallOutput,
    "local_shell_call": LocalShellCall,
    "local_shell_call_output": LocalShellCallOutput,
    "apply_patch_call": ApplyPatchCall,
    "apply_patch_call_output": ApplyPatchCallOutput,
    "computer_call": ComputerCall,
    "computer_call_output": ComputerCallOutput,
    "reasoning": Reasoning,
    "compaction": Compaction,
    "tool_search_call": ToolSearchCall,
    "tool_search_output": Tools,
    "additional_tools": Tools,
    "mcp_call": McpCall,
    "mcp_list_tools": McpListTools,
    "mcp_approval_request": ApprovalRequest,
    "mcp_approval_response": ApprovalResponse,
    "web_search_call": Kept,
    "file_search_call": Kept,
    "code_interpreter_call": Kept,
    "image_generation_call": Kept,
    "configuration_update": Kept,
    "program": Kept,
    "program_output": Kept,
}


def item_type(item: Any) -> str | None:
    """An item's type; messages and references may leave it out."""
    if not isinstance(item, dict):
        return None
    given: Any = item.get("type")  # pyright: ignore[reportUnknownVariableType]  # JSON
    if given is None:
        return "message" if "role" in item else "item_reference"
    return given if isinstance(given, str) else None


def _alternatives() -> Any:
    """The union of all items, told apart by `item_type`."""
    union: Any = None
    for name, model in _TYPES.items():
        member: Any = Annotated[model, Tag(name)]
        union = member if union is None else union | member
    return union


ITEM_TYPES = tuple(_TYPES)
InputItem = Annotated[_alternatives(), Discriminator(item_type)]
