"""API keys: made, listed, revoked, and recognised by their hash.

Only the SHA-256 of a secret is kept. A slow hash protects secrets a person chose; ours are 256 random bits, which no
number of guesses finds, so a fast hash gives nothing away and costs no CPU on every request.
"""

import asyncio
import hashlib
import secrets
import time
from dataclasses import dataclass

from checkpoints.database import Database, Rows
from graph.ids import now

#: How long a key is believed to be good (or not) without asking the database again.
_TRUST_S = 2.0
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Key:
    id: str
    owner: str
    label: str
    created_at: int
    revoked_at: int | None


class Keys:
    """A revoked key stops working at once in this process, within 2 s in others."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._owners: dict[bytes, tuple[float, str | None]] = {}

    async def create(self, owner: str, label: str) -> str:
        """The secret of a new key; it is not shown again."""
        secret = "gnx_" + secrets.token_urlsafe(32)
        row = ("key_" + secrets.token_hex(8), owner, label, _hash(secret), now())
        sql = "INSERT INTO api_key (id, owner, label, hash, created_at) VALUES (?, ?, ?, ?, ?)"
        await asyncio.wrap_future(self._database.write(lambda rows: rows.execute(sql, row).rowcount))
        self._owners.clear()
        return secret

    async def list(self) -> list[Key]:
        """Oldest first, revoked ones too."""
        return await asyncio.wrap_future(self._database.read(_list))

    async def revoke(self, id: str) -> bool:
        """False when there is no such key, or it was revoked before."""
        sql = "UPDATE api_key SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL"
        changed = self._database.write(lambda rows: rows.execute(sql, (now(), id)).rowcount)
        done = await asyncio.wrap_future(changed) == 1
        self._owners.clear()
        return done

    async def owner_of(self, secret: str) -> str | None:
        """Whose key this is; None when nobody's."""
        hashed = _hash(secret)
        until, owner = self._owners.get(hashed, (0.0, None))
        if until > time.monotonic():
            return owner
        owner = await asyncio.wrap_future(self._database.read(lambda rows: _owner(rows, hashed)))
        if len(self._owners) >= _REMEMBERED:
            self._owners.clear()
        self._owners[hashed] = (time.monotonic() + _TRUST_S, owner)
        return owner


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()


def _owner(rows: Rows, hashed: bytes) -> str | None:
    row = rows.execute("SELECT owner FROM api_key WHERE hash = ? AND revoked_at IS NULL", (hashed,)).fetchone()
    return row and row[0]


def _list(rows: Rows) -> list[Key]:
    sql = "SELECT id, owner, label, created_at, revoked_at FROM api_key ORDER BY created_at, id"
    return [Key(*row) for row in rows.execute(sql).fetchall()]
