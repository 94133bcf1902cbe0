"""What containers need of those who keep things. `checkpoints/containers.py` fits it by shape."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from nodes.sandbox.port import Network

Source = Literal["user", "assistant"]


@dataclass(frozen=True, slots=True)
class Container:
    """A container as its row has it. Its files and variables outlive its sandbox."""

    id: str
    owner: str
    name: str
    created_at: int
    last_active_at: int
    #: Minutes without use after which the sandbox goes; what was in it is kept and comes back when it is used again.
    idle_minutes: int = 20
    memory_limit: Literal["1g", "4g", "16g", "64g"] = "1g"
    network: Network | None = None
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
    created_at: int


class Shelf(Protocol):
    """Where the files of containers are kept; see `checkpoints/containers.py` for what more there is."""

    async def files(self, owner: str, container_id: str) -> Sequence[ContainerFile]: ...

    async def keep(
        self, owner: str, container_id: str, path: str, source: Source, chunks: AsyncIterator[bytes]
    ) -> ContainerFile: ...

    def read(self, file: ContainerFile) -> AsyncIterator[bytes]: ...
