"""What programs find around them."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

_TEMPORARY = "/tmp"  # noqa: S108  # the sandbox's own
#: Each thread of linear algebra has buffers of its own, and a sandbox has a share of the machine.
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
#: Beside the interpreter's libraries: the list of fonts, which takes matplotlib seconds to make.
FONTS = Path(sys.prefix) / "matplotlib"


def prepare(files: str) -> str:
    """Variables for everything that is started here, and the directory it starts in; gives one for what is ours."""
    os.environ.update(_variables())
    with suppress(OSError):
        os.chdir(files)
    _lend_fonts(Path(os.environ["MPLCONFIGDIR"]))
    return tempfile.mkdtemp(prefix=".scratch-")


def shell() -> str:
    return shutil.which("bash") or "/bin/sh"


def _variables() -> dict[str, str]:
    known = os.environ.get("PATH") or "/usr/local/bin:/usr/bin:/bin"
    temporary = os.environ.get("TMPDIR") or _TEMPORARY
    return {
        "PATH": f"{Path(sys.executable).parent}:{known}",
        "HOME": os.environ.get("HOME") or temporary,
        "LANG": os.environ.get("LANG") or "C.UTF-8",
        "TMPDIR": temporary,
        "TERM": "dumb",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": f"{temporary}/.matplotlib",
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8:backslashreplace",
        "PAGER": "cat",
        **dict.fromkeys(_THREADS, str(min(4, os.cpu_count() or 1))),
    }


def _lend_fonts(place: Path) -> None:
    """matplotlib wants a directory it may write to."""
    with suppress(OSError):
        place.mkdir(parents=True, exist_ok=True)
        for file in FONTS.glob("fontlist-*.json"):
            (place / file.name).symlink_to(file)
