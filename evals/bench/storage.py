"""What a data directory holds."""

import sqlite3
import subprocess
import sys
from pathlib import Path


def stored_bytes(database: Path) -> int:
    """Bytes in use of an SQLite file, those of its write-ahead log included."""
    connection = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=10)
    try:
        pages, size, free = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size", "freelist_count")
        )
    finally:
        connection.close()
    return (pages - free) * size


def prune_events(data_dir: Path) -> None:
    """As an operator does, of every response that has ended."""
    line = [sys.executable, "-m", "server", "prune", "--events-older-than", "0s", "--data-dir", str(data_dir)]
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
