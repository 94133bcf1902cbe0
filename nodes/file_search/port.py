"""What file search needs of those who keep things. Adapters fit it by shape."""

from asyncio import Event
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from graph.vector_stores import (
    Edition,
    ErrorCode,
    Held,
    Job,
    Lexical,
    Move,
    Place,
    Renewal,
    Scope,
    Told,
    VectorStore,
    Window,
)


class Jobs(Protocol):
    """Files that wait to be made searchable; see `checkpoints/ingestion.py`."""

    def watch(self) -> AbstractContextManager[Event]:
        """An event that is set when there may be a file that waits."""
        ...

    async def take(self, limit: int) -> Sequence[Job]:
        """Files that wait, oldest first and of every owner in turn, and what processes had that have died."""
        ...

    async def wanted(self, job: Job) -> bool:
        """Whether it is still to be made: neither cancelled, nor removed, nor taken over."""
        ...

    async def complete(self, job: Job, edition: Edition) -> bool:
        """Searches find it from now on, and no more what was there before; False when it is not wanted any more."""
        ...

    async def fail(self, job: Job, code: ErrorCode, message: str) -> bool: ...

    async def leave(self, job: Job) -> None:
        """This process does not go on with it: another may begin at once."""
        ...


class Renewals(Protocol):
    """Searchable files with vectors of another embedder; see `checkpoints/renewals.py`."""

    async def take(self, space: str) -> Renewal | None:
        """A file whose vectors are not of this space, until this process dies or has let go of it."""
        ...

    async def texts(self, renewal: Renewal, beyond: int, limit: int) -> Sequence[tuple[int, str]]:
        """Windows after the window `beyond`, in their order."""
        ...

    async def add(self, renewal: Renewal, vectors: Mapping[int, bytes]) -> None:
        """Of windows; a second time does nothing. Raises `LeaseLost`."""
        ...

    async def complete(self, renewal: Renewal) -> None:
        """The new vectors are those of the file. Raises `LeaseLost`."""
        ...

    async def leave(self, renewal: Renewal) -> None: ...


class Index(Protocol):
    """Windows of files, by words and by vectors; see `checkpoints/windows.py`. Only what a scope lets be found."""

    async def add(self, job: Job, position: int, windows: Sequence[Window], space: str | None) -> None:
        """Keep windows of an edition that nobody finds before it is complete. Raises `LeaseLost`."""
        ...

    async def languages(self, scope: Scope) -> Sequence[str]:
        """Those of its texts, the commonest first."""
        ...

    async def count(self, scope: Scope) -> int:
        """Windows there are."""
        ...

    async def lexical(self, scope: Scope, words: Collection[str]) -> Lexical: ...

    async def nearest(
        self, scope: Scope, space: str, vector: bytes, limit: int, only: Collection[int] | None = None
    ) -> Sequence[tuple[int, float]]:
        """Windows and cosines, the highest first; every vector is looked at, or those of the editions in `only`."""
        ...

    async def cosines(self, space: str, vector: bytes, windows: Sequence[int]) -> Mapping[int, float]:
        """Of those that have a vector."""
        ...

    async def places(self, scope: Scope, windows: Sequence[int]) -> Sequence[Place]:
        """Of those that can still be found, in any order."""
        ...

    async def text(self, edition: int, begin: int, end: int) -> str:
        """Of the windows at these positions; empty when they have gone."""
        ...


class Moves(Protocol):
    """What an index beside the database does not know yet; see `checkpoints/outbox.py`."""

    async def take(self, least: int, beyond: int = 0) -> Move | None: ...

    async def vectors(self, move: Move, beyond: int, limit: int) -> Sequence[tuple[int, bytes]]: ...

    async def done(self, move: Move) -> None: ...

    async def waiting(self) -> int: ...

    async def lives(self, store: int) -> bool: ...

    async def held(self, scope: Scope, space: str) -> Sequence[Held]: ...

    async def expected(self) -> Sequence[Told]: ...

    async def count(self, store: int, space: str) -> int: ...

    async def anew(self, store: int | None = None) -> int: ...


class Stores(Protocol):
    """See `checkpoints/vector_stores.py`."""

    async def find(self, owner: str, id: str) -> VectorStore | None: ...

    async def touch(self, owner: str, ids: Sequence[str]) -> None:
        """They are used."""
        ...


class Embedder(Protocol):
    """Makes vectors of texts. Those of one space can be compared."""

    @property
    def space(self) -> str: ...

    @property
    def languages(self) -> Collection[str] | None:
        """As `words` names them; None: of all."""
        ...

    async def embed(self, texts: Sequence[str], *, query: bool = False) -> list[bytes]:
        """A vector of length 1 for each: 32-bit floats, little-endian. Raises `UpstreamError`."""
        ...


class Reranker(Protocol):
    """Reads a question and texts together."""

    async def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """One for each text, the higher the better. Raises `UpstreamError`."""
        ...


class Neighbours(Protocol):
    """An index beside the database, for stores too large to look at every vector; see `chroma`. It may know less than
    the database, and windows that have gone."""

    async def nearest(self, scope: Scope, space: str, vector: bytes, limit: int) -> Sequence[tuple[int, float]] | None:
        """Windows and cosines, the highest first, of those that it knows and the scope lets be found, together with
        those that it does not know yet. None: look at every vector."""
        ...
