"""The hosted `shell` tool: commands in a container, beside what the code interpreter runs there."""

from nodes.shell.tool import Shell

__all__ = ["Shell"]
