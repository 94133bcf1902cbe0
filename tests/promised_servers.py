"""Promises of MCP servers that the operator has configured; see `contract.py`."""

from tests.contract import promises

SERVERS = promises(
    "§8.4; docs/mcp.md",
    """
    mcp.configured.label        A server without URL is the operator's of that label.
    mcp.configured.connector    A connector id stands for the operator's server of that name.
    mcp.configured.unknown      A label or connector that stands for nothing is a 400 that says what there is.
    mcp.configured.hidden       Callers do not learn where a server is, nor what it is shown.
    mcp.configured.credentials  The operator's credentials are for his server, a caller's only where he has none.
    mcp.configured.own_url      A URL of the caller's counts, and is shown nothing of the operator's.
    mcp.configured.owners       A server for some owners is none for others.
    mcp.configured.apart        Owners share no session, nor a program, unless the operator says so.
    mcp.configured.bound        The operator's `allowed_tools` can only be narrowed, whatever a caller brings along.
    mcp.configured.approval     The operator's `require_approval` holds where the request says nothing.
    mcp.configured.fallback     With a fallback message a server that is down is told to the model.
    mcp.configured.settings     A table that cannot be used is one line naming file and key.
    mcp.configured.start        A server that is down does not stop the start of this one.
    mcp.configured.listed       The operator sees which servers answer, and why others do not.
    mcp.stdio.environment       A program gets its own environment and nothing of the server's.
    mcp.stdio.lost              A program that dies in a call is told to the model; the next call starts it anew.
    mcp.stdio.ended             No program outlives the server, however that ends, nor what the program started.
    mcp.stdio.bounded           A line without end ends the program; its error output is logged up to a limit.
    mcp.transports              Streamable HTTP, SSE and programs are spoken to alike.
    mcp.sse.lost                An SSE server that goes away is told to the model; the next call finds it again.
    mcp.sse.checked             What a server says over SSE is bounded and checked; it posts nowhere but to itself.
    mcp.third_party             Servers that others wrote list their tools and are called.
    """,
)
