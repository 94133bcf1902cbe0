"""Prepares a Python with packages for sandboxes: beside the ones that are there, and visible only when it is whole."""

import fcntl
import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from nodes.sandbox.interpreter import PREPARED, base

PACKAGES = Path(__file__).parent / "packages.txt"
_MAKING = ".making-"
_SECONDS = 1800
#: Made once, as the first plot would take seconds otherwise.
_FONTS = "import matplotlib.font_manager"


class NotInstalled(Exception):
    """What went wrong, in the words of the tool that could not."""


def install(directory: Path, say: Callable[[str], None], python: Path | None = None) -> Path:
    """Make a venv in `directory` and give its Python; one that is there already is left as it is. Blocks for as long
    as the download takes. Raises `NotInstalled`, `OSError`."""
    source = python or base()
    place = directory / f"{PREPARED}{_mark(source)}"
    directory.mkdir(parents=True, exist_ok=True)
    with _alone(directory):
        if (place / "bin" / "python").exists():
            say(f"{place} is there already.")
            return place / "bin" / "python"
        for litter in directory.glob(f"{_MAKING}*"):
            shutil.rmtree(litter, ignore_errors=True)
        making = Path(tempfile.mkdtemp(prefix=_MAKING, dir=directory))
        making.chmod(0o755)
        try:
            _make(making, source, say)
            making.rename(place)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    return place / "bin" / "python"


def size_bytes(place: Path) -> int:
    return sum(file.lstat().st_size for file in place.rglob("*"))


def _mark(python: Path) -> str:
    """Changes with the packages and with the Python."""
    told = hashlib.sha256(PACKAGES.read_bytes())
    told.update(str(python.resolve()).encode())
    return told.hexdigest()[:12]


def _make(place: Path, python: Path, say: Callable[[str], None]) -> None:
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    inside = str(place / "bin" / "python")
    if uv:
        say(f"Installing with uv, for {python} …")
        _run([uv, "venv", "--quiet", "--allow-existing", "--relocatable", "--python", str(python), str(place)])
        chosen = ["--compile-bytecode", "--link-mode=copy", "--python", inside]
        _run([uv, "pip", "install", "--quiet", *chosen, "-r", str(PACKAGES)])
    else:
        say(f"Installing with pip, for {python} …")
        _run([str(python), "-m", "venv", str(place)])
        _run([inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(PACKAGES)])
    say("Listing fonts …")
    _run([inside, "-I", "-c", _FONTS], MPLCONFIGDIR=str(place / "matplotlib"))


def _run(command: Sequence[str], **variables: str) -> None:
    """With everything readable: sandboxes belong to another user."""
    with_path = ["env", *(f"{name}={value}" for name, value in variables.items()), *command]
    try:
        done = subprocess.run(with_path, capture_output=True, text=True, timeout=_SECONDS, umask=0o022)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"{command[0]} has not ended within {_SECONDS} s.") from None
    if done.returncode:
        raise NotInstalled((done.stderr or done.stdout).strip()[-2000:])


@contextmanager
def _alone(directory: Path) -> Generator[None]:
    """One at a time; whoever comes later waits, and finds it made."""
    with (directory / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
