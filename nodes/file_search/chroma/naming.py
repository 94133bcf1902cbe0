"""How collections are called."""

from collections.abc import Awaitable, Callable
from hashlib import sha256

_DIGITS = 12


class Naming:
    """`gn-<database>-<store>-<digest of the space>`: a Chroma server may serve several databases."""

    def __init__(self, database: Callable[[], Awaitable[str]]) -> None:
        """`database`: what is unique to ours, in a few letters and digits."""
        self._database = database
        self._prefix = ""

    async def prefix(self) -> str:
        self._prefix = self._prefix or f"gn-{await self._database()}-"
        return self._prefix

    async def name(self, store: int, space: str) -> str:
        return f"{await self.prefix()}{store}-{sha256(space.encode()).hexdigest()[:_DIGITS]}"
