"""One server a SQLite file: whoever starts takes unfinished responses for left behind. PostgreSQL is shared."""

import fcntl
from collections.abc import Generator
from contextlib import contextmanager

from server.settings import BadSetting, Database

LOCK_FILE = "server.lock"


@contextmanager
def occupied(database: Database) -> Generator[None]:
    """Hold the directory of the file. Raises `BadSetting` while another server does; a killed one holds nothing."""
    if database.path is None:
        yield
        return
    directory = database.path.parent
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / LOCK_FILE).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadSetting(
                f"data_dir: another server is using {directory}: stop it, or give this one a --data-dir of its own"
            ) from None
        yield
