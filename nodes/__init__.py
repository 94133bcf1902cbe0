"""The outside world, wrapped: models and tools."""

from collections.abc import Callable, Mapping

from graph.ports import HostedTool
from nodes.mcp import Mcp

#: Every kind of tool that runs here, one line a tool: its kind, and what builds it from its settings.
HOSTED_TOOLS: Mapping[str, Callable[..., HostedTool]] = {
    "mcp": Mcp,
}
