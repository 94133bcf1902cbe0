"""What is true of a database as a whole, once and for all."""

import asyncio

from checkpoints.database import Database, Rows


class Facts:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def settle(self, name: str, value: str) -> str:
        """What is so: `value` from now on, or what was settled before. Two processes at once agree."""
        return await asyncio.wrap_future(self._database.write(lambda rows: _settle(rows, name, value)))

    async def find(self, name: str) -> str | None:
        sql = "SELECT value FROM fact WHERE name = ?"
        row = await asyncio.wrap_future(self._database.read(lambda rows: rows.execute(sql, (name,)).fetchone()))
        return row and row[0]

    async def clock(self) -> float:
        """The database's time in Unix seconds; the cheapest proof that it answers."""
        sql = f"SELECT {self._database.clock}"
        row = await asyncio.wrap_future(self._database.read(lambda rows: rows.execute(sql).fetchone()))
        return float(row[0])


def _settle(rows: Rows, name: str, value: str) -> str:
    rows.execute("INSERT INTO fact (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING", (name, value))
    return rows.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()[0]
