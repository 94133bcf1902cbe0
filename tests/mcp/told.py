"""Reading what the model was told of MCP calls."""

from tests.upstream import Script


def told(script: Script) -> list[str]:
    """What the tools said, as the model last read it."""
    return [message["content"] for message in script.last.messages if message["role"] == "tool"]
