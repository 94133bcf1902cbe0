"""The hosted `code_interpreter` tool: Python in a container, whose files and variables outlive it."""

from nodes.code_interpreter.tool import CodeInterpreter

__all__ = ["CodeInterpreter"]
