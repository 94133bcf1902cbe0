"""A real MCP server that is a program: `python -m tests.mcp.program` speaks over its standard input and output."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from mcp.server.fastmcp import FastMCP
from mcp.types import ToolAnnotations

server = FastMCP("program", log_level="ERROR")


@server.tool(annotations=ToolAnnotations(readOnlyHint=True), structured_output=False)
def environment() -> str:
    """What it was told."""
    return json.dumps(dict(os.environ))


@server.tool()
def here() -> str:
    """Where it runs."""
    return str(Path.cwd())


@server.tool()
def die() -> str:
    """Ends it in the middle of a call."""
    os.kill(os.getpid(), signal.SIGKILL)
    return "never"


@server.tool(structured_output=False)
def family() -> str:
    """Its process id, and that of a child which would stay for ever and holds none of its pipes."""
    child = subprocess.Popen(
        ["sleep", "600"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return f"{os.getpid()} {child.pid}"


@server.tool()
def complain(lines: int) -> str:
    """Says much on its error output, its secret too."""
    for _ in range(lines):
        print(f"oh no {os.environ.get('A_TOKEN')}", file=sys.stderr)
    return "done"


@server.tool(structured_output=False)
def shout(chars: int) -> str:
    """Says much in one line."""
    return "x" * chars


if __name__ == "__main__":
    print("This line is no message.", flush=True)
    server.run()
