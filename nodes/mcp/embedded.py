"""Servers of tools that are within this process: requests name them by a connector id."""

from collections.abc import Callable
from typing import Protocol

from graph.errors import Json
from graph.ports import Function, Opening
from nodes.mcp.declaration import Declaration

#: Makes a function of a tool: what the model calls it, the tool as it is listed, and what was declared of its server.
Make = Callable[[str, Json, Declaration], Function]


class Embedded(Protocol):
    async def problem(self) -> str | None:
        """Why it cannot be used here, and what helps; None when it can."""
        ...

    def tools(self) -> list[Json]:
        """As `mcp_list_tools` shows them."""
        ...

    def opened(self, opening: Opening) -> Make:
        """For one run. What it makes shows its calls as `mcp_call` items; see `calling`."""
        ...
