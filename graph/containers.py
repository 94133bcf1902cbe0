"""Containers as those who keep them and those who run code in them both know them."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

MemoryLimit = Literal["1g", "4g", "16g", "64g"]
Source = Literal["user", "assistant"]


@dataclass(frozen=True, slots=True)
class Container:
    """A container as its row has it. Its files and variables outlive its sandbox."""

    id: str
    owner: str
    name: str
    created_at: float
    last_active_at: float
    #: Minutes without use after which it is shown as expired; what was in it is kept, and back when it is used again.
    idle_minutes: int = 20
    memory_limit: MemoryLimit = "1g"
    #: What may be reached from inside; empty: nothing.
    domains: Sequence[str] = ()
    #: Secrets for these domains, sealed.
    sealed: str | None = field(default=None, repr=False)
    #: Skills mounted in it: (skill id, version).
    skills: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class ContainerFile:
    """A file of a container. `path` is absolute, beneath `/mnt/data`."""

    id: str
    container_id: str
    path: str
    size_bytes: int
    source: Source
    created_at: float
    #: Where its bytes are; another place with every change.
    key: str = field(default="", repr=False)

    @property
    def filename(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Lease:
    """A container that this process may run code in, until another has taken it over."""

    container: Container
    #: Grows whenever a process takes the container; who holds an older one writes nothing more.
    epoch: int
    #: Where its variables are, as they were saved last.
    saved: str | None
    #: Whether calls were made after that: what they made of the variables is lost.
    lost: bool
    #: Files of the Files API that were put into it, by id.
    brought: frozenset[str]


class Fresh(NamedTuple):
    """A file to be kept."""

    path: str
    source: Source
    chunks: AsyncIterator[bytes]
    #: The file of the Files API that it is a copy of.
    file_id: str | None = None


class Held(NamedTuple):
    """What the store says of a container that this process holds."""

    epoch: int
    #: Another process waits for it.
    wanted: bool
