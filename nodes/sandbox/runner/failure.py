"""Exceptions, told as IPython tells them: with the lines of the cell, and without the frames of this program."""

from __future__ import annotations

import re
import traceback
from pathlib import Path
from typing import Any

_HERE = str(Path(__file__).parent)
_CELL = re.compile(r'^(\s*)File "(Cell In\[\d+\])", line (\d+)(?:, in <module>)?', re.MULTILINE)


def told(error: BaseException) -> str:
    """The traceback as text; deep and endless ones are cut by `traceback`."""
    try:
        whole = traceback.TracebackException.from_exception(error)
        for part in _chain(whole):
            _strip(part)
        lines = list(whole.format())
    except BaseException:  # one whose parts cannot even be asked for
        lines = [f"{type(error).__name__}\n"]
    return _CELL.sub(r"\1\2, line \3", "".join(lines))


def _chain(whole: traceback.TracebackException) -> list[traceback.TracebackException]:
    """It, its causes and contexts, and the members of groups."""
    found: list[traceback.TracebackException] = []
    wanted: list[Any] = [whole]
    while wanted:
        part = wanted.pop()
        if part is not None and not any(part is other for other in found):
            found.append(part)
            wanted += [part.__cause__, part.__context__, *(getattr(part, "exceptions", None) or ())]
    return found


def _strip(part: traceback.TracebackException) -> None:
    ours = [frame.filename.startswith(_HERE) for frame in part.stack]
    if ours and ours[0] and not any(frame.filename.startswith("Cell In[") for frame in part.stack):
        part.stack.clear()  # it never came to run
    part.stack[:] = [frame for frame in part.stack if not frame.filename.startswith(_HERE)]
    if not part.stack:
        part.stack = None  # pyright: ignore[reportAttributeAccessIssue]  # then there is no head either
