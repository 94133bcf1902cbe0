"""Input items and their content parts: the least that each must have. Further fields are kept as they came.

Source: CONTRACT of the Responses API, "Input items" and "Content parts". Clients send `response.output` back as it was,
so every output item is an input item too.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag

from graph.errors import Json
from server.wire.problems import custom


class Wire(BaseModel):
    """What every model of the wire is: strict about types, open to fields it does not know."""

    model_config = ConfigDict(extra="allow", strict=True)


# ---------------------------------------------------------------- content


class InputText(Wire):
    type: Literal["input_text"]
    text: str


class OutputText(Wire):
    type: Literal["output_text"]
    text: str


class Refusal(Wire):
    type: Literal["refusal"]
    refusal: str


def _image_url(url: str | None) -> str | None:
    if url is None or not url.startswith(("http://", "https://", "data:image/")):
        message = (
            "Expected a fully qualified URL or a data URL of an image in 'image_url'; files are not kept here yet."
        )
        raise custom("invalid_value", message)
    return url


class InputImage(Wire):
    type: Literal["input_image"]
    image_url: Annotated[
        str | None, AfterValidator(_image_url), Field(max_length=20_971_520, validate_default=True)
    ] = None
    detail: Literal["low", "high", "auto", "original"] | None = None


def _file_data(value: str | None) -> str | None:
    if value is None:
        message = "Expected the file itself in 'file_data'; file ids and URLs are not fetched here yet."
        raise custom("invalid_value", message)
    return value


class InputFile(Wire):
    type: Literal["input_file"]
    file_data: Annotated[
        str | None, AfterValidator(_file_data), Field(max_length=73_400_320, validate_default=True)
    ] = None
    filename: str | None = None


class AudioData(Wire):
    data: str
    format: Literal["mp3", "wav"]


class InputAudio(Wire):
    type: Literal["input_audio"]
    input_audio: AudioData


Part = Annotated[InputText | OutputText | Refusal | InputImage | InputFile | InputAudio, Field(discriminator="type")]
Content = str | list[Part]


# ---------------------------------------------------------------- items


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


class Screenshot(Wire):
    image_url: Annotated[str | None, AfterValidator(_image_url), Field(validate_default=True)] = None


class ComputerCallOutput(Wire):
    call_id: str
    output: Screenshot


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
