"""Files of callers, as inputs and tools are given them. Adapters fit it by shape."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class File:
    """A file of the Files API."""

    id: str
    filename: str
    purpose: str
    size_bytes: int
    created_at: int
    expires_at: int | None = None


class Files(Protocol):
    """Another owner's files are not found."""

    async def find(self, owner: str, id: str) -> File | None:
        """None when there is none, or it has expired."""
        ...

    def read(self, owner: str, id: str) -> AsyncIterator[bytes]:
        """Its bytes, in chunks of at most 1 MiB. Raises `NotFound`."""
        ...
