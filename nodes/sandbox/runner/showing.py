"""How values, pictures and failures are shown."""

from __future__ import annotations

import base64
import builtins
import io
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from . import failure, plots

#: Of one picture, in base64; of all of one cell; and how many these may be.
_IMAGE_CHARS, _IMAGES_CHARS, _IMAGES = 4 << 20, 16 << 20, 32
_NOTHING = object()


class Showing:
    def __init__(self, output: int, show_image: Callable[[str], None]) -> None:
        self._output = output
        self._show_image = show_image
        self.begin()

    def begin(self) -> None:
        """A cell begins."""
        self._images, self._room = _IMAGES, _IMAGES_CHARS

    def result(self, value: Any) -> None:
        """The value of the last expression; None is silent."""
        if value is None:
            return
        builtins._ = value  # pyright: ignore[reportAttributeAccessIssue]  # as every Python shell does
        self.display(value)

    def display(self, *values: Any) -> None:
        """Each as a picture, if it is one, else as text."""
        for value in values:
            image = None if plots.is_figure(value) else _picture(value)
            if plots.is_figure(value):
                self.figure(value)
            elif image is None:
                self.say(f"{value!r}\n")
            else:
                self.image(image)

    def figures(self) -> None:
        """Every figure that is open; they are closed."""
        figures = plots.open_figures()
        try:
            for figure in figures:
                self.figure(figure)
        finally:
            for figure in figures:
                plots.close(figure)

    def figure(self, figure: Any) -> None:
        """Show it, and close it."""
        try:
            self.image(_drawn(figure))
        finally:
            plots.close(figure)

    def image(self, png: bytes | str) -> None:
        """A PNG, as bytes or in base64."""
        coded = "".join(png.split()) if isinstance(png, str) else base64.b64encode(png).decode()
        if not self._images or len(coded) > min(_IMAGE_CHARS, self._room):
            self.say(f"[a picture of {len(coded) * 3 // 4:,} bytes is not shown: too large, or one too many]\n")
            return
        self._images -= 1
        self._room -= len(coded)
        self.flush()
        self._show_image(coded)

    def failure(self, error: BaseException) -> None:
        self.say(failure.told(error))

    def say(self, text: str) -> None:
        """Written where code writes, even when it has put something else in the place of stdout."""
        self.flush()
        view = memoryview(text.encode("utf-8", "backslashreplace"))
        with suppress(OSError):
            while view:
                view = view[os.write(self._output, view) :]

    def flush(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()


def _picture(value: Any) -> bytes | str | None:
    """The PNG that a value is."""
    if isinstance(value, type):
        return None
    try:
        maker = getattr(value, "_repr_png_", None)
        made = maker() if callable(maker) else None
    except Exception:
        traceback.print_exc()
        return None
    if isinstance(made, tuple):  # with its size
        made = made[0] if made else None  # pyright: ignore[reportUnknownVariableType]
    return made if isinstance(made, (bytes, str)) else None


def _drawn(figure: Any) -> bytes:
    """A figure as a PNG."""
    file = io.BytesIO()
    figure.savefig(file, format="png", bbox_inches="tight")
    return file.getvalue()
