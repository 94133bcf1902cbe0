"""A `browser` tool as callers declare it. It is an extension of ours: what it may say is what an `mcp` tool may."""

from graph.errors import Json, RequestError
from nodes.browser.function import KIND
from nodes.mcp import declaration
from nodes.mcp.declaration import Declaration
from nodes.mcp.target import Target

_SAID = ("allowed_tools", "require_approval")


def checked(tool: Json, param: str) -> Json:
    """The declaration with its defaults. Raises `RequestError` at or below `param`."""
    for name in ("server_url", "connector_id", "tunnel_id", "authorization", "headers", "server_label"):
        if tool.get(name) is not None:
            message = f"Unsupported parameter: a 'browser' has no '{name}'."
            raise RequestError(message, param=f"{param}.{name}", code="unsupported_parameter")
    declaration.check(_as_server(tool), param)
    return {"type": KIND, "allowed_tools": tool.get("allowed_tools"), "require_approval": _wish(tool)}


def declared(tool: Json) -> Declaration:
    """What is kept of one that was checked."""
    return declaration.declared(_as_server(tool), Target(trusted=True))


def _as_server(tool: Json) -> Json:
    said = {name: tool[name] for name in _SAID if tool.get(name) is not None}
    return {"type": "mcp", "server_label": KIND, **said, "require_approval": _wish(tool)}


def _wish(tool: Json) -> str | Json:
    """Who asks for a browser wants it used; servers of others are another matter."""
    return tool.get("require_approval") or "never"
