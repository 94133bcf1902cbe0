"""The outside world, wrapped: models and tools."""

from collections.abc import Callable, Mapping
from typing import Any

from graph.ports import HostedTool
from nodes.browser.computer.tool import Computer
from nodes.browser.tool import Browser
from nodes.code_interpreter import CodeInterpreter
from nodes.file_search.tool import FileSearch
from nodes.mcp import Mcp
from nodes.premises import Premises
from nodes.shell import Shell
from nodes.tool_search import ToolSearch
from nodes.web_search.tool import WebSearch

#: Every kind of tool that runs here, one line a tool: its kind, and what builds it. That is given the settings that
#: begin with the kind, and what there is to know of the server.
HOSTED_TOOLS: Mapping[str, Callable[[Mapping[str, Any], Premises], HostedTool]] = {
    "mcp": Mcp.from_settings,
    "code_interpreter": CodeInterpreter.from_settings,
    "shell": Shell.from_settings,
    "file_search": FileSearch.from_settings,
    "web_search": WebSearch.from_settings,
    "browser": Browser.from_settings,
    "computer": Computer.from_settings,
    # The last: it finds tools of those before.
    "tool_search": ToolSearch.from_settings,
}
