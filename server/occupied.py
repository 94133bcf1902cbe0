"""One server a data directory: whoever starts takes unfinished responses for left behind."""

import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from server.settings import BadSetting

LOCK_FILE = "server.lock"


@contextmanager
def occupied(directory: Path) -> Generator[None]:
    """Hold the directory. Raises `BadSetting` while another server does; a killed one holds nothing."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / LOCK_FILE).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadSetting(
                f"data_dir: another server is using {directory}: stop it, or give this one a --data-dir of its own"
            ) from None
        yield
