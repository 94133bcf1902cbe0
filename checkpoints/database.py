"""What the store needs of a database: transactions that run elsewhere, and rows.

All SQL of this package but the pragmas of `sqlite.py` is the part SQLite and PostgreSQL share.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from checkpoints.lexicon import Lexicon

T = TypeVar("T")


class Found(Protocol):
    """What a statement found, or how many rows it changed."""

    @property
    def rowcount(self) -> int: ...

    def fetchone(self) -> Any: ...

    def fetchall(self) -> list[Any]: ...


class Rows(Protocol):
    """One open transaction; lives on the thread that runs it."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Found: ...

    def alone(self) -> None:
        """Call this before deleting what others may refer to: from here on nobody else is writing.

        The work may be begun anew for it, so call it before anything that cannot be undone.
        """
        ...


class Unusable(Exception):
    """The database cannot be used as it is. One line for the operator; nothing was written to it."""


#: What is done in one transaction. It may be done again from the start, so it changes nothing but rows.
Work = Callable[[Rows], T]


class Database(Protocol):
    """Runs work off the event loop. The futures belong to no loop: `asyncio.wrap_future` them, or wait."""

    @property
    def clock(self) -> str:
        """SQL of the database's own time, in Unix seconds with fractions; the clocks of replicas may differ."""
        ...

    @property
    def size(self) -> str:
        """SQL of the bytes the database takes on disk."""
        ...

    @property
    def lexicon(self) -> "Lexicon":
        """How it indexes words."""
        ...

    def read(self, work: Work[T]) -> Future[T]:
        """`work` sees one moment of the database and changes nothing."""
        ...

    def write(self, work: Work[T]) -> Future[T]:
        """`work` is one transaction: all of it, or (when it raises) nothing. Writes happen in the order given."""
        ...

    def shrink(self) -> Future[bool]:
        """Give some of the pages freed by deletes back to the file system; True while there are more."""
        ...

    def vacuum(self) -> Future[None]:
        """Make the room of all deleted rows good again, where `shrink` does not; may take long, and no write waits."""
        ...

    def pool(self) -> dict[str, int]:
        """Figures of the connections, for metrics; of a file none."""
        ...
