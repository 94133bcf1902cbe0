"""Items of type `mcp_call`, and what is said of them while they are made.

Source: CONTRACT of the Responses API, "mcp".
"""

from graph.errors import Json
from graph.ports import Shown

#: JSON-RPC's codes for arguments that cannot be used, and for what is nobody's fault.
INVALID_PARAMS, INTERNAL_ERROR = -32602, -32603


def begun(label: str, name: str) -> Json:
    """The item with its zero values."""
    return {
        "type": "mcp_call",
        "status": "in_progress",
        "approval_request_id": None,
        "arguments": "",
        "error": None,
        "name": name,
        "output": None,
        "server_label": label,
    }


def announced(shown: Shown, arguments: str) -> None:
    """What comes before execution, unless it was said."""
    if shown.begun:
        return
    shown.phase("in_progress")
    shown.event("mcp_call_arguments.delta", delta=arguments)
    shown.event("mcp_call_arguments.done", arguments=arguments)


def unexecuted(message: str, arguments: str, *, interrupted: bool) -> Json:
    """What the item of a call shows that was not executed."""
    code = INTERNAL_ERROR if interrupted else INVALID_PARAMS
    error = {"type": "mcp_protocol_error", "code": code, "message": message}
    return {"arguments": arguments, "status": "failed", "error": error}


def execution_failed(said: str) -> Json:
    """The `error` of a tool that was executed, and failed."""
    return {"type": "mcp_tool_execution_error", "content": [{"type": "text", "text": said}]}
