"""`plt.show()` and `fig.show()`: they show a figure, whichever backend code has asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_HOOKED = "matplotlib.backend_bases"


class Plots:
    """Waits for matplotlib to be imported, which most code never does. Fits `MetaPathFinder`."""

    def __init__(self, show: Callable[[Any], None]) -> None:
        self._show = show

    def install(self) -> None:
        sys.meta_path.insert(0, self)  # pyright: ignore[reportArgumentType]  # it fits as far as importing goes

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != _HOOKED:
            return None
        sys.meta_path.remove(self)  # pyright: ignore[reportArgumentType]
        spec = PathFinder.find_spec(name, path, target)
        loader: Any = spec.loader if spec else None
        if loader is not None:
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                self._hook(module)

            loader.exec_module = exec_module
        return spec

    def _hook(self, module: Any) -> None:
        show_figure = self._show

        def show(self: Any) -> None:
            """Show the figure, and close it."""
            show_figure(self.canvas.figure)

        module.FigureManagerBase.show = show


def open_figures() -> list[Any]:
    helpers: Any = sys.modules.get("matplotlib._pylab_helpers")
    return [manager.canvas.figure for manager in helpers.Gcf.get_all_fig_managers()] if helpers else []


def is_figure(value: Any) -> bool:
    kind: Any = getattr(sys.modules.get("matplotlib.figure"), "Figure", None)
    return kind is not None and isinstance(value, kind)


def close(figure: Any) -> None:
    pyplot: Any = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close(figure)
