"""The hosted `tool_search` tool: tools with `defer_loading` are found by what they are for."""

from nodes.tool_search.tool import ToolSearch

__all__ = ["ToolSearch"]
