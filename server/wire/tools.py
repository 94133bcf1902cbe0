"""Tools a request may declare: the client's by shape, ours by their own check, all others refused by name.

Source: CONTRACT of the Responses API, "Tools" and "Echo normalisation".
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, Field, TypeAdapter

from graph.client_tools import BY_TYPE, is_clients
from graph.errors import Json, RequestError
from graph.ports import HostedTool
from graph.shape import schema_problem
from server.wire.items import Wire
from server.wire.problems import custom, read

Name = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,128}$")]


def _schema(value: Json | None) -> Json | None:
    problem = schema_problem(value) if value else None
    if problem:
        raise custom("invalid_function_parameters", f"Not a valid JSON Schema: {problem}")
    return value


Schema = Annotated[Json | None, AfterValidator(_schema)]


class FunctionTool(Wire):
    type: Literal["function"]
    name: Name
    description: str | None = None
    parameters: Schema = None
    strict: bool | None = None
    defer_loading: bool | None = None


class TextFormat(Wire):
    type: Literal["text"]


class GrammarFormat(Wire):
    type: Literal["grammar"]
    syntax: Literal["lark", "regex"]
    definition: str


class CustomTool(Wire):
    type: Literal["custom"]
    name: Name
    description: str | None = None
    format: Annotated[TextFormat | GrammarFormat, Field(discriminator="type")] | None = None
    defer_loading: bool | None = None


class NamespaceTool(Wire):
    type: Literal["namespace"]
    name: Name
    description: str | None = None
    tools: list[Annotated[FunctionTool | CustomTool, Field(discriminator="type")]]


class Environment(Wire):
    type: Literal["local"]


class ShellTool(Wire):
    type: Literal["shell"]
    environment: Environment | None = None


class ComputerPreviewTool(Wire):
    type: Literal["computer_use_preview"]
    display_width: int
    display_height: int
    environment: Literal["windows", "mac", "linux", "ubuntu", "browser"]
    executor: Literal["client", "server"] | None = None


class ComputerTool(Wire):
    type: Literal["computer"]
    executor: Literal["client", "server"] | None = None


class ToolSearchTool(Wire):
    type: Literal["tool_search"]
    execution: Literal["client"]
    description: str | None = None
    parameters: Schema = None


class FoundServer(Wire):
    type: Literal["mcp"]
    server_label: str
    allowed_tools: list[str] | None = None


class PlainTool(Wire):
    type: Literal["local_shell", "apply_patch"]


_CLIENT = TypeAdapter[Any](
    Annotated[
        FunctionTool
        | CustomTool
        | NamespaceTool
        | ShellTool
        | ComputerPreviewTool
        | ComputerTool
        | ToolSearchTool
        | PlainTool,
        Field(discriminator="type"),
    ]
)
_FOUND_SERVER = TypeAdapter(FoundServer)
#: Types OpenAI runs on its side and this server does not, or not yet.
_NOT_HERE = frozenset({"image_generation", "programmatic_tool_calling"})


def checked_tools(tools: Sequence[Any], hosted: Sequence[HostedTool], at: str = "tools") -> list[Json]:
    """The tools as `response.tools` shows them. Raises `RequestError` naming `tools[i]…`."""
    ours = {type: tool for tool in hosted for type in tool.types}
    return [_checked(tool, f"{at}[{index}]", ours) for index, tool in enumerate(tools)]


def check_deferred(tools: Sequence[Json]) -> None:
    """Tools that wait to be found and a search that finds them come together. Raises `RequestError`."""
    searches = [index for index, tool in enumerate(tools) if tool["type"] == "tool_search"]
    deferred = [index for index, tool in enumerate(tools) if _is_deferred(tool)]
    if deferred and not searches:
        message = "Invalid Value: 'tools.defer_loading'. Deferred tools require tools.tool_search."
        raise RequestError(message, param=f"tools[{deferred[0]}].defer_loading", code="invalid_value")
    searchable = deferred or any(tool["type"] == "namespace" for tool in tools)
    if not searchable and any(not is_clients(tools[index]) for index in searches):
        message = "Invalid Value: 'tools.tool_search'. tools.tool_search requires at least one deferred tool."
        raise RequestError(message, param=f"tools[{searches[0]}]", code="invalid_value")
    if len(searches) > 1:
        message = "Invalid Value: 'tools.tool_search'. There can be only one in a request."
        raise RequestError(message, param=f"tools[{searches[1]}]", code="invalid_value")


def _is_deferred(tool: Json) -> bool:
    return bool(tool.get("defer_loading")) or any(map(_is_deferred, tool.get("tools") or ()))


def found_tools(tools: Sequence[Any], at: str) -> list[Json]:
    """Tools of a `tool_search_output` in the input: the client's own, and of servers no more than names."""
    return [_found(tool, f"{at}[{index}]") for index, tool in enumerate(tools)]


def _found(tool: Any, param: str) -> Json:
    if not isinstance(tool, dict) or cast(Json, tool).get("type") != "mcp":
        return _checked(tool, param, {})
    read(_FOUND_SERVER, tool, at=param)
    return {key: cast(Json, tool).get(key) for key in ("type", "server_label", "allowed_tools")}


def _checked(tool: Any, param: str, ours: Mapping[str, HostedTool]) -> Json:
    if not isinstance(tool, dict):
        raise RequestError(f"Invalid type for '{param}': expected an object.", param=param, code="invalid_type")
    tool = cast(Json, tool)
    kind = tool.get("type")
    if isinstance(kind, dict | list):
        raise RequestError(
            f"Invalid type for '{param}.type': expected a string.", param=f"{param}.type", code="invalid_type"
        )
    if kind in ours and not is_clients(tool):
        return ours[kind].check(tool, param)
    if kind in BY_TYPE:
        _refuse_hosted_search(tool, param)
        read(_CLIENT, tool, at=param)
        return _echo(tool)
    if kind in _NOT_HERE:
        message = f"Tools of type '{kind}' do not run on this server. Remove {param}, or use one of {_supported(ours)}."
        raise RequestError(message, param=f"{param}.type", code="invalid_value")
    if kind is None:
        raise RequestError(
            f"Missing required parameter: '{param}.type'.", param=f"{param}.type", code="missing_required_parameter"
        )
    message = f"Invalid value: {str(kind)[:100]!r}. Supported values are: {_supported(ours)}."
    raise RequestError(message, param=f"{param}.type", code="invalid_value")


def _refuse_hosted_search(tool: Json, param: str) -> None:
    """Where there is none."""
    if tool["type"] == "tool_search" and tool.get("execution", "server") != "client":
        message = "A 'tool_search' that is executed on the server is not available; use execution 'client'."
        raise RequestError(message, param=f"{param}.execution", code="invalid_value")


def _supported(ours: Mapping[str, HostedTool]) -> str:
    return ", ".join(f"'{kind}'" for kind in (*BY_TYPE, *ours))


def _echo(tool: Json) -> Json:
    if tool["type"] == "namespace":
        return {**tool, "description": tool.get("description") or ""}
    if tool["type"] != "function":
        return tool
    strict = tool.get("strict")
    keys: Json = {"description": None, "parameters": None, **tool, "strict": True if strict is None else strict}
    return {"type": "function", "name": tool["name"], **keys}
