"""The bodies a caller may send. They validate and hold; `server/responses.py` takes it from there.

Source: CONTRACT of the Responses API, "`POST /responses` request". `null` is the same as leaving a field out.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter

from graph.errors import Json
from graph.shape import schema_problem
from server.wire.items import InputItem, Wire
from server.wire.problems import custom
from server.wire.recording import ReplayGiven

Text = Annotated[str, Field(max_length=10_485_760)]
Input = Text | Annotated[list[InputItem], Field(max_length=20_000)]


def _metadata(value: dict[str, str] | None) -> dict[str, str] | None:
    if value and len(value) > 16:
        raise custom("object_above_max_properties", "too many properties. Expected at most 16 pairs.")
    return value


Metadata = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]] | None, AfterValidator(_metadata)
]


class TextFormat(Wire):
    type: Literal["text"]


class JsonObjectFormat(Wire):
    type: Literal["json_object"]


def _schema(value: Json) -> Json:
    if problem := schema_problem(value):
        raise custom("invalid_json_schema", f"Not a valid JSON Schema: {problem}")
    return value


class JsonSchemaFormat(Wire):
    type: Literal["json_schema"]
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    schema_: Annotated[Json, AfterValidator(_schema), Field(alias="schema")]
    strict: bool | None = None
    description: str | None = None


class TextOptions(Wire):
    format: Annotated[TextFormat | JsonObjectFormat | JsonSchemaFormat, Field(discriminator="type")] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class ReasoningOptions(Wire):
    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None
    context: Literal["auto", "current_turn", "all_turns"] | None = None


class Compact(Wire):
    type: Literal["compaction"]
    compact_threshold: Annotated[int, Field(ge=1000)] | None = None


class StreamOptions(Wire):
    include_obfuscation: bool | None = None


class ConversationId(Wire):
    id: str


class NamedChoice(Wire):
    type: Literal["function", "custom"]
    name: str


class McpChoice(Wire):
    type: Literal["mcp"]
    server_label: str
    name: str | None = None


class HostedChoice(Wire):
    type: Literal[
        "file_search", "web_search", "web_search_preview", "web_search_preview_2025_03_11", "computer", "computer_use",
        "computer_use_preview", "image_generation", "code_interpreter", "apply_patch", "shell", "local_shell",
        "programmatic_tool_calling", "browser",
    ]  # fmt: skip


OneTool = NamedChoice | McpChoice | HostedChoice


class AllowedTools(Wire):
    type: Literal["allowed_tools"]
    mode: Literal["auto", "required"]
    tools: Annotated[list[Annotated[OneTool, Field(discriminator="type")]], Field(min_length=1, max_length=128)]


Choice = Literal["none", "auto", "required"] | Annotated[OneTool | AllowedTools, Field(discriminator="type")]
Include = Literal[
    "file_search_call.results", "web_search_call.action.sources", "web_search_call.results",
    "code_interpreter_call.outputs", "message.output_text.logprobs", "reasoning.encrypted_content",
    "message.input_image.image_url", "computer_call_output.output.image_url",
]  # fmt: skip
Penalty = Annotated[float, Field(ge=-2, le=2)]


class Context(Wire):
    """What a prompt is made of: shared by create, `input_tokens` and `compact`."""

    model: Annotated[str, Field(min_length=1, max_length=256)]
    input: Input | None = None
    instructions: str | None = None
    previous_response_id: str | None = None


class CountTokens(Context):
    conversation: str | ConversationId | None = None
    tools: list[Json] | None = None
    tool_choice: Choice | None = None
    text: TextOptions | None = None
    reasoning: ReasoningOptions | None = None
    parallel_tool_calls: bool | None = None
    truncation: Literal["auto", "disabled"] | None = None


class CreateResponse(CountTokens):
    #: Ours: a recorded run to be made again.
    replay: ReplayGiven | None = None
    store: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    background: bool | None = None
    max_tool_calls: Annotated[int, Field(ge=1)] | None = None
    max_output_tokens: Annotated[int, Field(ge=16)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    include: list[Include] | None = None
    metadata: Metadata = None
    context_management: Annotated[list[Compact], Field(min_length=1)] | None = None
    prompt: Json | None = None
    prompt_cache_key: Annotated[str, Field(max_length=1024)] | None = None
    prompt_cache_retention: Literal["in_memory", "in-memory", "24h"] | None = None
    safety_identifier: Annotated[str, Field(max_length=128)] | None = None
    user: Annotated[str, Field(max_length=1024)] | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"] | None = None


class StrictCreateResponse(CreateResponse):
    """For a server that refuses what the API does not have."""

    model_config = ConfigDict(extra="forbid", strict=True)

    # Fields OpenAI has and we accept without effect.
    background_options: Any = None
    prompt_cache_options: Any = None
    moderation: Any = None
    access_programs: Any = None
    image: Any = None


class CreateConversation(Wire):
    items: Annotated[list[InputItem], Field(max_length=20)] | None = None
    metadata: Metadata = None


class UpdateConversation(Wire):
    metadata: Metadata


class AddItems(Wire):
    items: Annotated[list[InputItem], Field(min_length=1, max_length=20)]


CREATE_RESPONSE = TypeAdapter(CreateResponse)
STRICT_CREATE_RESPONSE = TypeAdapter(StrictCreateResponse)
COUNT_TOKENS = TypeAdapter(CountTokens)
COMPACT = TypeAdapter(Context)
CREATE_CONVERSATION = TypeAdapter(CreateConversation)
UPDATE_CONVERSATION = TypeAdapter(UpdateConversation)
ADD_ITEMS = TypeAdapter(AddItems)
