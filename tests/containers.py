"""Containers in the hand of a test: a real store, real files, real sandboxes."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from checkpoints import STORES, Store
from checkpoints.shelf import Shelf
from checkpoints.storage import Storage
from graph.containers import ContainerFile, Fresh
from graph.errors import NotFound
from graph.files import File
from graph.seal import Seal
from nodes.container.containers import Containers
from nodes.container.making import Maker
from nodes.container.port import Rules
from nodes.sandbox import interpreter
from nodes.sandbox.bwrap import Bwrap
from nodes.sandbox.choose import Choice
from nodes.sandbox.local import LocalSandboxes
from nodes.sandbox.port import Room
from tests.store_graph import place_of

OWNER = "local"
PARAM = "tools[0].container"
LIMIT_BYTES = 8 << 20
RULES = Rules(call_timeout_s=10, wait_s=10, grace_s=10)
AUTO: dict[str, Any] = {"type": "auto"}


class Uploads:
    """Files of the Files API that the test has in its hand."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[str, bytes]] = {}

    async def find(self, owner: str, id: str) -> File | None:
        if owner != OWNER or id not in self.files:
            return None
        name, content = self.files[id]
        return File(id, name, "user_data", len(content), 0)

    async def read(self, owner: str, id: str) -> AsyncIterator[bytes]:
        if id not in self.files:
            raise NotFound("gone")
        yield self.files[id][1]


@dataclass(frozen=True, slots=True)
class Ran:
    said: str
    fresh: bool
    lost: bool
    files: Sequence[ContainerFile]
    notes: Sequence[str]


@dataclass(frozen=True, slots=True)
class Hand:
    """One process as far as containers know."""

    store: Store
    shelf: Shelf
    containers: Containers
    uploads: Uploads

    async def new(self, **declared: Any) -> str:
        return await self.containers.choose(OWNER, {**AUTO, **declared}, [], PARAM)

    async def run(self, id: str, code: str) -> Ran:
        async with self.containers.entered(OWNER, id) as entered:
            ran = await entered.sandbox.run_code(code, 10, lambda _: None)
            files = await entered.changed()
            said = "".join(output.value for output in ran.outputs).strip()
            return Ran(ran.stopped or said, entered.fresh, entered.lost, files, entered.notes)

    async def put(self, id: str, name: str, content: bytes) -> ContainerFile:
        """As a caller uploads it."""
        return await self.shelf.add(OWNER, id, Fresh(f"/mnt/data/{name}", "user", pieces(content)))

    async def files(self, id: str) -> dict[str, bytes]:
        """What a caller sees, by name."""
        found = await self.store.containers.files(OWNER, id) or ()
        return {file.path.removeprefix("/mnt/data/"): await self.content(file) for file in found}

    async def content(self, file: ContainerFile) -> bytes:
        return b"".join([piece async for piece in self.shelf.read(file)])


async def pieces(*content: bytes) -> AsyncIterator[bytes]:
    for piece in content:
        yield piece


def rooms() -> Choice:
    return Choice([LocalSandboxes(Bwrap(), interpreter.find(None, Path("/nowhere")))])


@asynccontextmanager
async def hand(
    name: str, path: Path, ways: Choice, quota_bytes: int | None = None, **rules: Any
) -> AsyncIterator[Hand]:
    """A process that ends as it should; `path` is where everything is kept."""
    async with STORES[name](place_of(name, path / "store.db")) as store:
        await store.workers.beat()
        made = _over(store, path, ways, quota_bytes, **rules)
        async with made.containers.keeping():
            yield made
        await store.workers.leave()


def _over(store: Store, path: Path, ways: Choice, quota_bytes: int | None, **rules: Any) -> Hand:
    shelf = Shelf(store.containers, Storage.at(str(path / "files")), LIMIT_BYTES, quota_bytes)
    uploads = Uploads()
    bounds = replace(RULES, **rules)
    maker = Maker(Seal(b"k" * 32), bounds, uploads, None, Room(disk_bytes=LIMIT_BYTES))
    return Hand(store, shelf, Containers(shelf, maker, ways, bounds, ["numpy 2"]), uploads)
