"""Functions and classes of cells, by their source: made again they see the variables of the cells around them."""

from __future__ import annotations

import ast
from typing import Any, NamedTuple

from . import source as sources
from .cell import Cells

_KINDS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Definition(NamedTuple):
    """The statement that defines a name, and the cell it stands in."""

    name: str
    cell: str


class Definitions:
    """Those of the cells that are remembered; of several with one name the last."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self._nodes: dict[Definition, ast.stmt] = {}
        self._last: dict[str, Definition] = {}
        for cell, source in cells.sources.items():
            self._read(cell, source)

    def of(self, name: str, value: Any) -> Definition | None:
        """What has defined this value; None when it is no function or class of a cell, or is called otherwise."""
        if getattr(value, "__module__", None) != "__main__" or getattr(value, "__name__", None) != name:
            return None
        code = getattr(value, "__code__", None)
        named = Definition(name, code.co_filename) if code is not None else self._last.get(name)
        return named if named in self._nodes else self._last.get(name)

    def make(self, wanted: list[Definition]) -> list[Definition]:
        """Define these again, as often as it helps; gives those that could not be."""
        while wanted:
            left = [definition for definition in wanted if not self._made(definition)]
            if len(left) == len(wanted):
                break
            wanted = left
        return wanted

    def _made(self, definition: Definition) -> bool:
        node = self._nodes.get(definition)
        if node is None:
            return False
        try:
            self._cells.execute(ast.Module([node], []), definition.cell)
        except Exception:
            return False
        return True

    def _read(self, cell: str, source: str) -> None:
        try:
            body = sources.parsed(source, cell).body
        except (SyntaxError, ValueError):
            return
        for node in body:
            if isinstance(node, _KINDS):
                definition = Definition(node.name, cell)
                self._nodes[definition] = node
                self._last[node.name] = definition
