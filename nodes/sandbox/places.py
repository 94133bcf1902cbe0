"""Directories for a time: what processes that were killed have left is found, and removed."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

_LOCK = "lock"


class Place(NamedTuple):
    path: Path
    #: Whoever has this open is alive.
    lock: int


def made(prefix: str) -> Place:
    """Others may go through it, and not look around."""
    path = Path(tempfile.mkdtemp(prefix=prefix))
    path.chmod(0o711)
    fd = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX)
    return Place(path, fd)


@contextmanager
def temporary(prefix: str) -> Generator[Path]:
    """One of our own, and none of those that died with theirs."""
    sweep(prefix)
    path, lock = made(prefix)
    try:
        yield path
    finally:
        remove(path)
        os.close(lock)


def remove(path: Path) -> None:
    """Without following links. Directories that were closed are opened first, where that is needed."""
    shutil.rmtree(path, ignore_errors=True)
    if os.path.lexists(path):
        for folder, _, _ in os.walk(path):
            with suppress(OSError):
                Path(folder).chmod(0o700)
        shutil.rmtree(path, ignore_errors=True)


def sweep(prefix: str) -> None:
    """Remove those of nobody who lives."""
    for path in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        with suppress(OSError):
            if path.lstat().st_uid == os.geteuid():
                _remove_dead(path)


def _remove_dead(path: Path) -> None:
    """Raises `OSError` when somebody lives in it, or it has only just been made."""
    fd = os.open(path / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove(path)
    finally:
        os.close(fd)
