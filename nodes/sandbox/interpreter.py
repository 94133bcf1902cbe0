"""The Python of sandboxes: one the operator has named, one that was prepared with packages, or the server's own."""

import os
import sys
from collections.abc import Sequence
from importlib.metadata import Distribution, MetadataPathFinder
from pathlib import Path

from nodes.sandbox.port import Interpreter

#: How directories of prepared Pythons begin; the rest tells what is in them.
PREPARED = "python-"
#: Every way has these, under the same names.
_SYSTEM = ("/usr", "/bin", "/lib", "/lib64")
#: Nobody writes code with these.
_TOOLS = frozenset({"pip", "setuptools", "wheel", "uv"})


def find(python: Path | None, directory: Path) -> Interpreter:
    """`python` when it is named, else the newest that was prepared in `directory`, else the server's own, bare."""
    return of(python or prepared(directory) or base())


def prepared(directory: Path) -> Path | None:
    """The newest Python that was prepared; one that is being made is not there yet."""
    made = sorted(directory.glob(f"{PREPARED}*/bin/python"), key=lambda path: path.parent.stat().st_mtime)
    return made[-1] if made else None


def base() -> Path:
    """The Python that the server's own environment was made of."""
    return Path(getattr(sys, "_base_executable", sys.executable))


def packages(interpreter: Interpreter) -> Sequence[str]:
    """What can be imported beside Python's own: `numpy 2.4.6`. Nothing for a bare one."""
    root = Path(interpreter.executable).parent.parent
    if not (root / "pyvenv.cfg").is_file():
        return []
    places = [str(place) for place in root.glob("lib/python3*/site-packages")]
    found = {_named(one) for one in MetadataPathFinder.find_distributions(_context(places))}
    return sorted((one for one in found if one.partition(" ")[0] not in _TOOLS), key=str.lower)


def _context(places: list[str]) -> "MetadataPathFinder.Context":
    return MetadataPathFinder.Context(path=places)


def _named(distribution: Distribution) -> str:
    return f"{distribution.metadata['Name']} {distribution.version}"


def of(python: Path) -> Interpreter:
    """With the directories it is made of: its own, and that of the Python a venv borrows from."""
    executable = python.absolute()
    root = executable.parent.parent
    roots = [root] if (root / "pyvenv.cfg").is_file() else []
    homes = [_home(root), Path(os.path.realpath(executable)).parent]
    roots += [home.parent for home in homes if home]
    needs = dict.fromkeys(str(one) for one in roots if not str(one).startswith(_SYSTEM) and str(one) != "/")
    return Interpreter(str(executable), list(needs))


def _home(root: Path) -> Path | None:
    """The `bin` of the Python that a venv was made of. Source: PEP 405."""
    try:
        lines = (root / "pyvenv.cfg").read_text().splitlines()
    except OSError:
        return None
    said = dict(line.split("=", 1) for line in lines if "=" in line)
    home = {name.strip(): value.strip() for name, value in said.items()}.get("home")
    return Path(home) if home else None
