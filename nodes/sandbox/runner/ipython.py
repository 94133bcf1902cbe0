"""What code imports from IPython: `from IPython.display import display, Image`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from .showing import Showing

_NAMES = ("IPython", "IPython.display")


class Image:
    """A picture of a file, or of bytes."""

    def __init__(self, data: Any = None, filename: str | None = None, **_: Any) -> None:
        if isinstance(data, str) and filename is None:
            data, filename = None, data
        self.data: Any = Path(filename).read_bytes() if filename else data

    def _repr_png_(self) -> Any:
        return self.data


class Text:
    """HTML, Markdown and the like, shown as they are written."""

    def __init__(self, data: Any = "", **_: Any) -> None:
        self.data = data

    def __repr__(self) -> str:
        return str(self.data)


class Substitute:
    """Stands in for IPython, which would print pictures. Fits `MetaPathFinder` and `Loader`."""

    def __init__(self, showing: Showing) -> None:
        self._showing = showing

    def install(self) -> None:
        sys.meta_path.insert(0, self)  # pyright: ignore[reportArgumentType]  # it fits as far as importing goes

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        return ModuleSpec(name, self, is_package=name == "IPython") if name in _NAMES else None  # pyright: ignore[reportArgumentType]

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: Any) -> None:
        module.display = self._display
        module.get_ipython = lambda: None
        module.clear_output = lambda *_, **__: None  # pyright: ignore[reportUnknownLambdaType]
        module.Image = Image
        module.HTML = module.Markdown = module.Latex = module.JSON = module.Pretty = Text

    def _display(self, *values: Any, **_: Any) -> None:
        self._showing.display(*values)
