"""The `mcp` tool: functions of MCP servers, listed and called from here."""

from nodes.mcp.limits import Limits
from nodes.mcp.tool import Mcp

__all__ = ["Limits", "Mcp"]
