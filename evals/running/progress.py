"""How far a run is, in a terminal: a bar that moves, or a line now and then where nobody watches."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from evals.results import Attempt

#: Seconds between two lines.
_LINE_S = 10


class Live:
    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._total = total
        self._done = self._passed = self._faults = self._known = 0
        self._last = time.monotonic()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=console) if console.is_terminal else None
        self._task = self._progress.add_task("asking", total=total) if self._progress else None

    def __enter__(self) -> Self:
        if self._progress:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress:
            self._progress.stop()

    def told(self, attempt: Attempt, known: bool) -> None:
        self._done += 1
        self._passed += attempt.passed
        self._faults += bool(attempt.fault)
        self._known += known
        if self._progress and self._task is not None:
            self._progress.update(self._task, completed=self._done, description=self._said())
        elif time.monotonic() - self._last > _LINE_S or self._done == self._total:
            self._last = time.monotonic()
            self._console.print(f"{self._done}/{self._total} {self._said()}", highlight=False)

    def _said(self) -> str:
        failed = self._done - self._passed - self._faults
        parts = [f"{self._passed} passed", f"{failed} failed"]
        parts += [f"{self._faults} faults"] if self._faults else []
        parts += [f"{self._known} known from before"] if self._known else []
        return ", ".join(parts)
