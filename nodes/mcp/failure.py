"""What can go wrong with an MCP server, in the words of the contract's `mcp_call.error`."""

from graph.errors import Json

#: JSON-RPC codes. Source: MCP specification 2025-11-25; the TypeScript SDK for the time-out.
TIMED_OUT = -32001
CONNECTION_LOST = -32000


class ServerFailed(Exception):
    """A server did not do what it was asked; `message` is free of secrets and fit for everyone's eyes."""

    def __init__(self, message: str, error: Json | None = None, *, undone: bool = False) -> None:
        super().__init__(message)
        self.message = message
        #: One of the objects of `mcp_call.error`.
        self.error = error or {"type": "mcp_protocol_error", "code": CONNECTION_LOST, "message": message}
        #: The server surely did nothing yet: a new session may ask again.
        self.undone = undone


def timed_out(limit_s: float) -> ServerFailed:
    message = f"The MCP server did not answer within {limit_s:g} s."
    return ServerFailed(message, {"type": "mcp_protocol_error", "code": TIMED_OUT, "message": message})
