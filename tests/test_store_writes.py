"""Writes that share a transaction: what one does wrong is undone alone."""

import asyncio
import threading
from pathlib import Path

import pytest

from checkpoints.database import Rows
from checkpoints.sqlite import SqliteDatabase


async def test_a_write_that_fails_leaves_those_beside_it_written(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "kept.db", "NORMAL")
    database.write(lambda rows: rows.execute("CREATE TABLE kept (number INTEGER PRIMARY KEY)")).result()
    held = threading.Event()
    database.write(lambda _: held.wait(10))  # the others wait behind it, and are taken together

    def keep(number: int, rows: Rows) -> int:
        rows.execute("INSERT INTO kept VALUES (?)", (number,))
        return number

    writes = [database.write(lambda rows, number=number: keep(number, rows)) for number in (1, 2, 1, 3)]
    held.set()
    done = await asyncio.gather(*map(asyncio.wrap_future, writes), return_exceptions=True)
    assert (done[0], done[1], done[3]) == (1, 2, 3)
    with pytest.raises(Exception, match="UNIQUE"):
        writes[2].result()
    found = database.read(lambda rows: rows.execute("SELECT number FROM kept").fetchall()).result()
    assert found == [(1,), (2,), (3,)]
    database.close()
