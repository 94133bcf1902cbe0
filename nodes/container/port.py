"""What containers need: those who keep things, ways to have sandboxes, skills. Adapters fit it by shape."""

from asyncio import Event
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from graph.containers import Container, ContainerFile, Fresh, Held, Lease, MemoryLimit, Source
from graph.errors import Json
from nodes.sandbox.port import Room, Sandbox

__all__ = [
    "Container",
    "ContainerFile",
    "Fresh",
    "Held",
    "Lease",
    "MemoryLimit",
    "Rooms",
    "Rows",
    "Rules",
    "Shelf",
    "Skills",
    "Source",
]


class Rows(Protocol):
    """The rows of containers; see `checkpoints/containers.py`."""

    async def create(self, container: Container) -> None: ...

    async def find(self, owner: str, id: str) -> Container | None: ...

    def watch(self, id: str | None = None) -> AbstractContextManager[Event]: ...

    async def take(self, id: str) -> Lease | None: ...

    async def held(self) -> Mapping[str, Held]: ...

    async def begin(self, lease: Lease) -> Sequence[ContainerFile]: ...

    async def release(self, id: str, epoch: int) -> None: ...


class Shelf(Protocol):
    """The files of containers, and their rows; see `checkpoints/shelf.py`."""

    @property
    def rows(self) -> Rows: ...

    @property
    def limit_bytes(self) -> int:
        """Of all files of one container."""
        ...

    def read(self, file: ContainerFile) -> AsyncIterator[bytes]: ...

    async def keep(self, lease: Lease, made: Sequence[Fresh]) -> Sequence[ContainerFile]: ...

    async def forget(self, lease: Lease, gone: Sequence[ContainerFile]) -> None: ...

    async def save(self, lease: Lease, saved: bytes | None) -> None: ...

    async def saved(self, lease: Lease) -> bytes | None: ...

    async def delete(self, owner: str, id: str) -> bool: ...


class Rooms(Protocol):
    """The sandboxes of this server, whichever way they are had; see `nodes/sandbox/choose.py`."""

    @property
    def name(self) -> str:
        """Of the way, once `refusal` was asked."""
        ...

    async def refusal(self, room: Room) -> str | None:
        """Why a room like this cannot be had here; None when it can."""
        ...

    async def open(self, room: Room) -> Sandbox:
        """Raises `Broken`."""
        ...


class Skills(Protocol):
    """What skills containers may have."""

    async def chosen(self, owner: str, skills: Sequence[Json], param: str) -> Sequence[tuple[str, str]]:
        """(id, version) of each that is declared, by reference or inline. Raises `RequestError` below `param`."""
        ...

    async def told(self, owner: str, skill: tuple[str, str]) -> str:
        """What models are told of it: its name, what it is for, and where it is. Empty when it has gone."""
        ...

    def files(self, owner: str, skill: tuple[str, str]) -> AsyncIterator[tuple[str, bytes]]:
        """What is put into a sandbox: paths relative to `/mnt/data`, and contents. Nothing when it has gone."""
        ...


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator lets containers have."""

    #: Seconds one call may take.
    call_timeout_s: float = 120.0
    #: Sandboxes that live at once.
    sandboxes: int = 50
    #: Seconds without a call after which a sandbox goes; a container may want it sooner.
    idle_s: float = 1200.0
    #: Seconds a call waits for its turn, for another process to let go, or for a sandbox to be free.
    wait_s: float = 300.0
    #: Seconds in which what is in the sandboxes is saved when the server stops.
    grace_s: float = 20.0
    #: Bytes of memory a container may ask for.
    memory_max_bytes: int = 4 << 30
