"""Cells, run as IPython runs them: variables stay, and the last expression is shown."""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
import sys
from types import CodeType, ModuleType
from typing import Any, NoReturn

from . import source as sources
from .showing import Showing
from .special import Special

#: The one that still changes how code is compiled; it holds for the cells that follow, too.
_FUTURE = annotations.compiler_flag
#: Sources of cells that are kept, for tracebacks.
_KEPT = 500


class Cells:
    """The variables, and the cells that made them."""

    def __init__(self, showing: Showing) -> None:
        self._showing = showing
        self._flags = 0
        self._loop: Any = None
        self.number = 0
        #: Of each cell, by the name it has in tracebacks.
        self.sources: dict[str, str] = {}
        self._module = ModuleType("__main__")
        self.variables = self._module.__dict__
        self.variables["__builtins__"] = builtins
        self.ours = frozenset(self.variables)
        builtins.input = _no_input
        builtins.display = showing.display  # pyright: ignore[reportAttributeAccessIssue]
        builtins.__special__ = Special(self._value)  # pyright: ignore[reportAttributeAccessIssue]

    def run(self, source: str) -> None:
        """Run a cell, and show what it comes to. Only the process itself can end in it."""
        self.enter()
        self._showing.begin()
        try:
            try:
                value = self._value(source)
                if not sources.silent(source):
                    self._showing.result(value)
            finally:
                self._showing.figures()
        except SystemExit as error:
            if error.code not in (None, 0):
                self._showing.say(f"SystemExit: {error.code}\n")
        except BaseException as error:
            self._showing.failure(error)

    def execute(self, tree: ast.Module, name: str) -> None:
        self._evaluate(self._compiled(tree, name, "exec"))

    def enter(self) -> None:
        """What a cell may have changed, and the next one counts on."""
        sys.modules["__main__"] = self._module
        if "" not in sys.path:
            sys.path.insert(0, "")
        sys.argv[:] = [""]

    def remember(self, name: str, source: str) -> None:
        """Tracebacks show the lines of this cell."""
        self.sources[name] = source
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        while len(self.sources) > _KEPT:
            oldest = next(iter(self.sources))
            linecache.cache.pop(oldest, None)
            del self.sources[oldest]

    def _value(self, source: str) -> Any:
        """Run source as a cell of its own: the value of its last expression."""
        self.number += 1
        name = f"Cell In[{self.number}]"
        self.remember(name, source)
        tree = sources.parsed(source, name)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        self.execute(tree, name)
        if isinstance(last, ast.Expr):
            return self._evaluate(self._compiled(ast.Expression(last.value), name, "eval"))
        return None

    def _compiled(self, tree: ast.Module | ast.Expression, name: str, mode: str) -> CodeType:
        flags = self._flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        code = compile(tree, name, mode, flags=flags, dont_inherit=True)
        self._flags |= code.co_flags & _FUTURE
        return code

    def _evaluate(self, code: CodeType) -> Any:
        value = eval(code, self.variables)  # noqa: S307  # it is what this is for
        return self._awaited(value) if code.co_flags & inspect.CO_COROUTINE else value

    def _awaited(self, work: Any) -> Any:
        """Cells share a loop, so that tasks of one go on in another's waiting."""
        import asyncio

        if self._loop is None or self._loop.is_closed():
            self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        task = self._loop.create_task(work)
        try:
            return self._loop.run_until_complete(task)
        except KeyboardInterrupt:
            task.cancel()
            self._loop.run_until_complete(asyncio.wait([task]))
            raise


def _no_input(prompt: object = "") -> NoReturn:
    raise RuntimeError("input() has nobody to ask here: put the value into the code.")
