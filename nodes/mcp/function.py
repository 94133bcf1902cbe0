"""One tool of an MCP server, as the model sees it and calls it."""

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import orjson

from graph.errors import Json, ToolFailed
from graph.ports import Outcome, Shown, unheard
from nodes.mcp import calling
from nodes.mcp.declaration import Declaration
from nodes.mcp.failure import ServerFailed
from nodes.mcp.limits import Limits
from nodes.mcp.result import Result, result_of

#: Asks the server: the tool's own name, its arguments and the call's item in, a `CallToolResult` out. Raises
#: `ServerFailed`.
Ask = Callable[[str, Json, Shown], Awaitable[Json]]
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_NAME_CHARS = 64


@dataclass(slots=True)
class McpFunction:
    """`listed` is the tool as `mcp_list_tools` shows it."""

    name: str
    listed: Json
    server: Declaration
    ask: Ask
    limits: Limits
    kind: str = "mcp"
    description: str = field(init=False)
    parameters: Json = field(init=False)
    repeatable: bool = field(init=False)
    origin: tuple[str, str] = field(init=False)
    known_as: str = field(init=False)
    about: str = field(init=False)
    wants_approval: bool | None = field(init=False)
    deferred: bool = field(init=False)
    untrusted: bool = field(init=False)
    #: A caller who says nothing is asked. Source: CONTRACT of the Responses API, "mcp".
    cautious: bool = True
    #: Item id → the arguments as the model wrote them, from `announce` to `run`.
    _written: dict[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        self.description = self.listed.get("description") or ""
        self.parameters = self.listed["input_schema"]
        self.repeatable = is_read_only(self.listed)
        self.deferred = self.server.deferred
        self.origin = (self.server.label, self.listed["name"])
        self.known_as = self.server.known_as or self.server.label
        self.about = self.server.description or ""
        self.untrusted = self.server.untrusted
        self.wants_approval = self.server.approval.wanted(self.listed["name"], self.repeatable)

    def item(self) -> Json:
        return calling.begun(self.server.label, self.listed["name"])

    def writing(self, shown: Shown) -> Callable[[str], None]:
        return unheard

    def announce(self, shown: Shown, arguments: str) -> None:
        self._written[shown.id] = arguments
        calling.announced(shown, arguments)

    async def run(self, arguments: Json, shown: Shown) -> Outcome:
        written = self._written.pop(shown.id, None)
        fields: Json = {"arguments": orjson.dumps(arguments).decode() if written is None else written}
        try:
            answer = await self.ask(self.listed["name"], arguments, shown)
        except ServerFailed as failure:
            shown.phase("failed")
            error = self._redacted_error(failure.error)
            raise ToolFailed(error["message"], {**fields, "status": "failed", "error": error}) from None
        result = self._redacted(result_of(answer, self.limits))
        if result.failed:
            shown.phase("failed")
            raise self._execution_failed(result, fields)
        shown.phase("completed")
        fields |= {"status": "completed", "output": result.output(self.limits.output_chars)}
        return Outcome(fields, result.reply(self.limits))

    def failed(self, message: str, arguments: str, *, interrupted: bool = False) -> Json:
        return calling.unexecuted(message, arguments, interrupted=interrupted)

    def _execution_failed(self, result: Result, fields: Json) -> ToolFailed:
        error = calling.execution_failed(result.output(self.limits.output_chars))
        message = result.output(self.limits.reply_chars) or "The tool failed and did not say why."
        return ToolFailed(message, {**fields, "status": "failed", "error": error})

    def _redacted(self, result: Result) -> Result:
        for part in result.parts:
            for name in ("text", "note"):
                if part.get(name):
                    part[name] = self.server.target.redacted(part[name])
        return result

    def _redacted_error(self, error: Json) -> Json:
        return {**error, "message": self.server.target.redacted(str(error["message"]))[:2000]}


def model_names(tools: Sequence[tuple[str, str]], taken: Collection[str]) -> list[str]:
    """Names for the model, of (label, tool name): the tool's own where it is fit and nobody else has it."""
    own = Counter([*taken, *(name for _, name in tools)])
    names: dict[str, None] = dict.fromkeys(taken)
    for label, name in tools:
        wanted = name if _NAME.fullmatch(name) and own[name] == 1 else _fit(f"{label}__{name}")
        number = 1
        while wanted in names:
            number += 1
            wanted = f"{_fit(f'{label}__{name}')[: _NAME_CHARS - 5]}_{number}"
        names[wanted] = None
    return list(names)[len(taken) :]


def _fit(name: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:_NAME_CHARS]


def is_listed_tool(tool: Any) -> bool:
    """Whether a tool in an `mcp_list_tools` item of the context can be used as it is."""
    if not isinstance(tool, dict):
        return False
    fields = cast(Json, tool)
    return isinstance(fields.get("name"), str) and isinstance(fields.get("input_schema"), dict)


def is_read_only(tool: Json) -> bool:
    annotations = tool.get("annotations")
    return isinstance(annotations, dict) and cast(Json, annotations).get("read_only") is True
