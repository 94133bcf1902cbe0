"""The `tool_search` hosted tool: offers the model one function that finds the tools which wait to be found.

Source: CONTRACT of the Responses API, "tool_search".
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from graph.errors import Json, RequestError
from graph.ports import Function, Opening
from nodes.premises import Premises
from nodes.tool_search.function import SearchFunction

_NAME = "tool_search"


class ToolSearch:
    """Keeps nothing: what there is to be found is asked of each run."""

    kind = "tool_search"
    types: Sequence[str] = ("tool_search",)

    @classmethod
    def from_settings(cls, values: Mapping[str, Any], premises: Premises) -> Self:
        return cls()

    def check(self, tool: Json, param: str) -> Json:
        if tool.get("execution") not in (None, "server"):
            message = f"Invalid value: {str(tool['execution'])[:50]!r}. Supported values are: 'server', 'client'."
            raise RequestError(message, param=f"{param}.execution", code="invalid_value")
        if not isinstance(tool.get("description"), str | None):
            message = f"Invalid type for '{param}.description': expected a string."
            raise RequestError(message, param=f"{param}.description", code="invalid_type")
        shown = {key: tool.get(key) for key in ("description", "parameters")}
        return {"type": "tool_search", "execution": "server", **shown}

    async def open(self, tools: Sequence[Json], opening: Opening) -> Sequence[Function]:
        deferred = opening.deferred
        if not deferred:
            return ()
        name, number = _NAME, 1
        while name in opening.taken:
            number += 1
            name = f"{_NAME}_{number}"
        return [SearchFunction(name, tools[0].get("description") or "", deferred)]

    async def close(self) -> None:
        pass
