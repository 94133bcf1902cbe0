"""The `code_interpreter` hosted tool: lets the model run Python in the container of the conversation.

Source: CONTRACT of the Responses API, "code_interpreter".
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from graph.errors import Json, RequestError
from graph.ports import Function, Opening
from nodes.code_interpreter.function import NAME, CodeFunction, described
from nodes.container.containers import Containers
from nodes.container.declaration import checked
from nodes.container.offering import offered
from nodes.container.telling import Limits
from nodes.premises import Premises


class CodeInterpreter:
    """Keeps nothing: containers do."""

    kind = "code_interpreter"
    types: Sequence[str] = ("code_interpreter",)

    def __init__(self, containers: Containers, limits: Limits) -> None:
        self._containers = containers
        self._limits = limits

    @classmethod
    def from_settings(cls, values: Mapping[str, Any], premises: Premises) -> Self:
        """`values` are the settings that begin with `code_interpreter_`."""
        return cls(premises.containers, Limits(premises.containers.call_timeout_s))

    def check(self, tool: Json, param: str) -> Json:
        container = checked(tool.get("container"), f"{param}.container")
        if not isinstance(container, str) and container["type"] != "auto":
            message = f"Invalid value: '{container['type']}'. Supported values are: 'auto'."
            raise RequestError(message, param=f"{param}.container.type", code="invalid_value")
        return {"type": self.kind, "container": container}

    async def open(self, tools: Sequence[Json], opening: Opening) -> Sequence[Function]:
        name, id, enter, told = await offered(self._containers, tools, opening, NAME, "container")
        return [CodeFunction(name, described(told), id, enter, self._limits, untrusted=bool(told.online))]

    async def close(self) -> None:
        pass
