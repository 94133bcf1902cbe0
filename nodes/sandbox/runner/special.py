"""What `!ls` and `%cd` do."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .environment import shell

#: Those that mean nothing here, and do no harm.
_IGNORED = {"matplotlib", "pylab", "config", "load_ext", "reload_ext", "autoreload", "precision", "colors", "xmode"}
_SHELLS = {"bash", "sh", "script", "!"}

Run = Callable[[str], Any]


class Special:
    """The function that lines of IPython are made calls of."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def __call__(self, kind: str, line: str, more: Any = None) -> Any:
        if kind == "!":
            return _command(line, wanted=bool(more))
        name, _, rest = line.partition(" ")
        if kind == "%%":
            return self._cell(name, rest, str(more))
        return self._line(name, rest.strip())

    def _line(self, name: str, rest: str) -> Any:
        if name in _IGNORED:
            return None
        if name in ("time", "timeit"):
            return self._timed(rest)
        if name == "cd":
            os.chdir(os.path.expanduser(rest or "~"))  # noqa: PTH111  # as a shell does
        elif name in ("ls", "pwd", "cat", "mkdir", "rm", "mv", "cp"):
            return _command(f"{name} {rest}")
        elif name in ("pip", "conda", "mamba", "uv"):
            print(f"%{name} is not available: use the packages that are installed.")
        else:
            raise NameError(f"%{name} is not available here; write plain Python instead.")
        return None

    def _cell(self, name: str, line: str, body: str) -> Any:
        if name in _SHELLS:
            return _command(body)
        if name in ("time", "timeit"):
            return self._timed(body)
        if name in ("capture", "python", "python3", "py"):
            return self._run(body)
        if name == "writefile":
            Path(line.strip()).write_text(body)
            print(f"Writing {line.strip()}")
            return None
        raise NameError(f"%%{name} is not available here; write plain Python instead.")

    def _timed(self, source: str) -> Any:
        began, worked = time.perf_counter(), time.process_time()
        value = self._run(source)
        print(f"CPU time: {time.process_time() - worked:.3g} s\nWall time: {time.perf_counter() - began:.3g} s")
        return value


def _command(command: str, wanted: bool = False) -> list[str] | None:
    """Run it; its lines when they are wanted, else it writes where code does."""
    import subprocess

    if wanted:
        done = subprocess.run([shell(), "-c", command], stdout=subprocess.PIPE, text=True, errors="replace")  # noqa: S603
        return done.stdout.splitlines()
    subprocess.run([shell(), "-c", command])  # noqa: S603
    return None
