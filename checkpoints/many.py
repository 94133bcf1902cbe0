"""Many rows in few statements: each is a journey to the database."""

# ruff: noqa: S608 - SQL is put together from constants of this package only

from collections.abc import Sequence
from typing import Any

from checkpoints.database import Rows

#: Rows of one statement; databases take some ten thousand values at once.
_TOGETHER = 100


def insert(rows: Rows, into: str, values: Sequence[Sequence[Any]], after: str = "") -> list[Any]:
    """`into`: a table and its columns, `name (a, b)`; `after`: what follows the values. What RETURNING gave, in any
    order."""
    found = list[Any]()
    for some in in_turn(values, _TOGETHER):
        row = f"({marks(some[0])})"
        given = [value for one in some for value in one]
        done = rows.execute(f"INSERT INTO {into} VALUES {', '.join([row] * len(some))} {after}", given)
        found += done.fetchall() if "RETURNING" in after else ()
    return found


def marks(values: Sequence[Any]) -> str:
    """For `IN`, which must not be empty."""
    return ", ".join("?" * len(values)) or "NULL"


def in_turn(values: Sequence[Any], count: int) -> list[Sequence[Any]]:
    return [values[at : at + count] for at in range(0, len(values), count)]
