"""Vector stores as those who keep them, those who fill them and those who search them all know them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from graph.errors import Json

FileStatus = Literal["in_progress", "completed", "cancelled", "failed"]
ErrorCode = Literal["server_error", "unsupported_file", "invalid_file"]
Attributes = Mapping[str, str | float | bool]


class Counts(NamedTuple):
    """Files by status."""

    in_progress: int = 0
    completed: int = 0
    cancelled: int = 0
    failed: int = 0

    @property
    def total(self) -> int:
        return sum(self)


class Chunking(NamedTuple):
    """Tokens of what a search gives back, and how many of them neighbours share."""

    tokens: int = 800
    overlap: int = 400


@dataclass(frozen=True, slots=True)
class VectorStore:
    """A vector store as its row has it, with what its files come to."""

    id: str
    owner: str
    #: What rows of its files name it by; never used again when it has gone.
    number: int
    name: str
    created_at: float
    last_active_at: float
    description: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    #: Days without use after which it expires; None: never.
    expires_days: int | None = None
    expired: bool = False
    counts: Counts = field(default_factory=Counts)
    usage_bytes: int = 0


@dataclass(frozen=True, slots=True)
class StoreFile:
    """A file in a vector store."""

    file_id: str
    store_id: str
    filename: str
    created_at: float
    status: FileStatus
    chunking: Chunking = field(default_factory=Chunking)
    attributes: Attributes = field(default_factory=dict[str, str | float | bool])
    usage_bytes: int = 0
    error_code: ErrorCode | None = None
    error_message: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Files that were put into a store together."""

    id: str
    store_id: str
    created_at: float
    cancelled: bool
    counts: Counts

    @property
    def status(self) -> FileStatus:
        if self.cancelled:
            return "cancelled"
        return "in_progress" if self.counts.in_progress else "completed"


# ---------------------------------------------------------------- filling them


class Job(NamedTuple):
    """A file that this process makes searchable, until another has taken it over."""

    #: What its windows stand under; another with every attempt.
    edition: int
    owner: str
    store_id: str
    store: int
    file_id: str
    filename: str
    chunking: Chunking
    #: Whether searches find what was made of it before.
    again: bool = False


class Renewal(NamedTuple):
    """A searchable file that gets vectors of another embedder."""

    edition: int
    store: int
    #: The embedder its vectors are of; None without.
    before: str | None
    space: str


class Window(NamedTuple):
    """What is indexed: about 200 tokens. The windows of a file, put together, are its text."""

    text: str
    #: As `nodes.file_search.words` says them, in their order.
    words: Sequence[str]
    #: 32-bit floats, little-endian, of length 1; None without an embedder.
    vector: bytes | None = None


class Edition(NamedTuple):
    """How the windows of one attempt were made; what a search needs to know of them."""

    #: Windows that make a chunk, and how many of them neighbours share.
    chunk_windows: int
    shared_windows: int
    #: Languages of its words, as `words` names them.
    languages: Sequence[str]
    #: The embedder its vectors are of; None without.
    space: str | None
    usage_bytes: int


class Move(NamedTuple):
    """An edition of which an index beside the database is to be told, or (`gone`) which it is to forget."""

    number: int
    store: int
    edition: int
    space: str
    gone: bool
    #: A process died over it.
    interrupted: bool = False


class Held(NamedTuple):
    """An edition that may be found; an index that `waiting` says so of does not know it yet."""

    store: int
    edition: int
    waiting: bool


class Told(NamedTuple):
    """What an index beside the database should have."""

    store: int
    space: str
    #: Of which each has a vector, or none.
    windows: int


# ---------------------------------------------------------------- searching them


class Scope(NamedTuple):
    """Where is searched: in completed files of stores of one owner, as far as `filters` let them."""

    owner: str
    store_ids: Sequence[str]
    #: As callers write them, and checked.
    filters: Json | None = None


class Place(NamedTuple):
    """Where a window stands."""

    window: int
    edition: int
    position: int
    store_id: str
    file_id: str
    filename: str
    attributes: Attributes
    #: See `Edition`.
    chunk_windows: int
    shared_windows: int
    #: Windows of the file.
    windows: int


class Lexical(NamedTuple):
    """What words find: window → BM25, of the best windows that have one of them (but of the commonest words alone)."""

    scores: Mapping[int, float]
    #: What no window can exceed.
    ceiling: float


class Passage(NamedTuple):
    """What a search gives back: a chunk, or several that follow one another."""

    store_id: str
    file_id: str
    filename: str
    attributes: Attributes
    score: float
    text: str
    #: Which windows of the file it is: the first, and the one behind the last.
    begin: int
    end: int
