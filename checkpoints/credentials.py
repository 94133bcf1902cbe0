"""What the operator was granted at servers of tools: one row a label, sealed by those who write it.

A row is replaced only by who knows its stamp, which changes with every write: of two processes that renew a token at
the same time one is first, and the other reads what the first was given.
"""

# ruff: noqa: S608 - SQL is put together from constants of this package only

import asyncio
import secrets

from checkpoints.database import Database, Rows


class Credentials:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, label: str) -> tuple[str, str] | None:
        """What is sealed, and its stamp."""
        sql = "SELECT sealed, stamp FROM credential WHERE label = ?"

        def work(rows: Rows) -> tuple[str, str] | None:
            row = rows.execute(sql, (label,)).fetchone()
            return (row[0], row[1]) if row else None

        return await asyncio.wrap_future(self._database.read(work))

    async def put(self, label: str, sealed: str) -> None:
        """Whatever was there."""
        sql = (
            "INSERT INTO credential (label, sealed, stamp) VALUES (?, ?, ?) ON CONFLICT (label) DO UPDATE "
            "SET sealed = excluded.sealed, stamp = excluded.stamp, renewing_until = NULL"
        )
        await self._change(sql, label, sealed, _stamp())

    async def swap(self, label: str, stamp: str, sealed: str) -> bool:
        """Replace what has this stamp; False when it was replaced or dropped meanwhile."""
        sql = "UPDATE credential SET sealed = ?, stamp = ?, renewing_until = NULL WHERE label = ? AND stamp = ?"
        return await self._change(sql, sealed, _stamp(), label, stamp)

    async def reserve(self, label: str, stamp: str, seconds: float) -> bool:
        """Be the one to renew what has this stamp; False when another is at it, or was."""
        clock = self._database.clock
        sql = (
            f"UPDATE credential SET renewing_until = {clock} + ? "
            f"WHERE label = ? AND stamp = ? AND (renewing_until IS NULL OR renewing_until < {clock})"
        )
        return await self._change(sql, seconds, label, stamp)

    async def release(self, label: str, stamp: str) -> None:
        """It was not renewed: the next may try."""
        await self._change("UPDATE credential SET renewing_until = NULL WHERE label = ? AND stamp = ?", label, stamp)

    async def drop(self, label: str) -> bool:
        """False when there is none."""
        return await self._change("DELETE FROM credential WHERE label = ?", label)

    async def _change(self, sql: str, *values: str | float) -> bool:
        changed = self._database.write(lambda rows: rows.execute(sql, values).rowcount)
        return await asyncio.wrap_future(changed) == 1


def _stamp() -> str:
    return secrets.token_hex(8)
