"""The `shell` hosted tool: lets the model run commands in the container of the conversation.

A shell without an environment, or with a local one, is the client's own (`graph.fixed_tools`).
Source: CONTRACT of the Responses API, "shell".
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from graph.errors import Json, RequestError
from graph.ports import Function, Opening
from nodes.container.containers import Containers
from nodes.container.declaration import checked
from nodes.container.offering import offered
from nodes.container.telling import Limits
from nodes.premises import Premises
from nodes.shell.function import NAME, ShellFunction, described


class Shell:
    """Keeps nothing: containers do."""

    kind = NAME
    types: Sequence[str] = ("shell",)

    def __init__(self, containers: Containers, limits: Limits) -> None:
        self._containers = containers
        self._limits = limits

    @classmethod
    def from_settings(cls, values: Mapping[str, Any], premises: Premises) -> Self:
        """`values` are the settings that begin with `shell_`."""
        return cls(premises.containers, Limits(premises.containers.call_timeout_s))

    def check(self, tool: Json, param: str) -> Json:
        environment = checked(tool.get("environment"), f"{param}.environment")
        kind = environment if isinstance(environment, str) else environment["type"]
        if kind not in ("container_auto", "container_reference"):
            message = (
                f"Invalid value: '{kind}'. Supported values are: 'local', 'container_auto', 'container_reference'."
            )
            raise RequestError(message, param=f"{param}.environment.type", code="invalid_value")
        return {"type": self.kind, "environment": environment}

    async def open(self, tools: Sequence[Json], opening: Opening) -> Sequence[Function]:
        name, id, enter, told = await offered(self._containers, tools, opening, NAME, "environment")
        return [ShellFunction(name, described(told), id, enter, self._limits, untrusted=bool(told.online))]

    async def close(self) -> None:
        pass
