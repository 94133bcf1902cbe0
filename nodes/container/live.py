"""A container's live sandbox: its files are put in and copied out, its variables saved and brought back.

The rows are what counts; `/mnt/data` of a sandbox is a cache of them.
"""

import logging
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from graph.containers import ContainerFile, Fresh, Lease
from graph.errors import Failure, LeaseLost, RequestError, ToolFailed
from nodes.container.port import Shelf
from nodes.sandbox.port import FILES, Broken, Made, Sandbox

logger = logging.getLogger(__name__)
#: Of one path, in bytes, and of a name in it.
_LONGEST, _LONGEST_NAME = 1024, 200


@dataclass(slots=True)
class Live:
    sandbox: Sandbox
    lease: Lease
    shelf: Shelf
    #: What is in the sandbox, as far as we have put it there or copied it out, by path.
    held: dict[str, ContainerFile] = field(default_factory=dict[str, ContainerFile])
    #: What the model is to know of the files, in sentences; emptied with every call.
    notes: list[str] = field(default_factory=list[str])
    #: Ids of the files of the Files API that were put in, or tried.
    brought: set[str] = field(default_factory=set[str])

    #: Changes that are not kept yet: files by their path inside, and paths of those removed.
    _made: dict[str, Made] = field(default_factory=dict[str, Made])
    _gone: set[str] = field(default_factory=set[str])

    def __post_init__(self) -> None:
        self.brought.update(self.lease.brought)

    async def load(self) -> bool:
        """Bring the variables back that were saved; False when some of those there once were are lost. Raises `Broken`
        when that is the end of the sandbox."""
        try:
            saved = await self.shelf.saved(self.lease)
            if saved is not None:
                await self.sandbox.load(saved)
        except (ToolFailed, RequestError, OSError) as error:
            facts = {"container_id": self.lease.container.id, "why": type(error).__name__}
            logger.warning("The variables of a container were not loaded", extra=facts)
            return False
        return not self.lease.lost

    async def bring_in(self, files: Sequence[ContainerFile]) -> None:
        """Let the sandbox have what callers have added, changed and removed since. Raises `Broken`, `ToolFailed`."""
        there = {file.path: file for file in files}
        for path in [path for path in self.held if path not in there]:
            await self.sandbox.remove(_inside(path))
            del self.held[path]
        for file in files:
            if is_new(self.held.get(file.path), file):
                await self._put(file)

    async def add(self, made: Sequence[Fresh]) -> Sequence[ContainerFile]:
        """Keep files that come from elsewhere, and let the sandbox have them. Raises `Broken`, `LeaseLost`,
        `RequestError`."""
        kept = await self.shelf.keep(self.lease, made)
        for file in kept:
            await self._put(file)
        return kept

    async def _put(self, file: ContainerFile) -> None:
        """One that does not go in, say where there is a directory of that name, is not tried again."""
        self.held[file.path] = file
        try:
            await self.sandbox.put(_inside(file.path), self.shelf.read(file))
        except (ToolFailed, RequestError) as error:
            self.notes.append(f"{file.path} could not be put into the container: {error.message}")
        except OSError:
            logger.exception("A file of a container was not read", extra={"container_id": self.lease.container.id})
            self.notes.append(f"{file.path} could not be put into the container.")

    async def copy_out(self) -> Sequence[ContainerFile]:
        """Keep what code has made and changed, and forget what it has removed: the files that are new or changed.
        Raises `Broken`, `LeaseLost`."""
        await self._look()
        if gone := [self.held[path] for path in self._gone if path in self.held]:
            await self.shelf.forget(self.lease, gone)
        for path in self._gone:
            self.held.pop(path, None)
        self._gone.clear()
        kept: list[ContainerFile] = []
        for made in list(self._made.values()):
            try:
                kept += await self._kept(made)
            except RequestError as error:
                self.notes.append(f"{_outside(made.path)} will be lost with this session: {error.message}")
            except FileNotFoundError:
                pass  # gone meanwhile
            except OSError:
                logger.exception("A file of a container was not kept", extra={"container_id": self.lease.container.id})
                self.notes.append(f"{_outside(made.path)} could not be kept.")
            del self._made[made.path]
        return kept

    async def _look(self) -> None:
        """Learn what became of the files. The sandbox tells once: what cannot be kept while the store is away is known
        until it can."""
        changes = await self.sandbox.changes()
        for path in changes.gone:
            self._made.pop(path, None)
            self._gone.add(_outside(path))
        for made in changes.made:
            self._made[made.path] = made
            self._gone.discard(_outside(made.path))

    async def _kept(self, made: Made) -> Sequence[ContainerFile]:
        path = _outside(made.path)
        if not is_path(made.path):
            return ()
        if made.size_bytes > self.shelf.limit_bytes:
            raise RequestError(f"A container keeps {self.shelf.limit_bytes >> 20} MiB.")
        kept = await self.shelf.keep(self.lease, [Fresh(path, "assistant", self.sandbox.get(made.path))])
        self.held.update({file.path: file for file in kept})
        return kept

    async def save(self) -> None:
        """Keep the variables for another sandbox, as far as that goes: what is not saved is known to be lost."""
        try:
            await self.shelf.save(self.lease, await self.sandbox.save())
        except (Broken, ToolFailed, LeaseLost, Failure, OSError) as error:
            facts = {"container_id": self.lease.container.id, "why": type(error).__name__}
            logger.warning("The variables of a container were not saved", extra=facts)

    def free(self, filename: str) -> str:
        return free_path(filename, self.held)


def free_path(filename: str, taken: Collection[str]) -> str:
    """The absolute path of a file of that name, or one like it where there is one already."""
    name = PurePosixPath(safe_name(filename))
    path, number = f"{FILES}/{name}", 1
    while path in taken:
        number += 1
        path = f"{FILES}/{name.stem}-{number}{name.suffix}"
    return path


def is_new(known: ContainerFile | None, file: ContainerFile) -> bool:
    return known is None or known.key != file.key


def safe_name(filename: str) -> str:
    """A base name of a caller's, fit to be a path beneath `/mnt/data`."""
    name = filename.replace("\\", "/").rpartition("/")[2]
    name = "".join(letter if letter.isprintable() else " " for letter in name).strip()
    while len(name.encode()) > _LONGEST_NAME:
        name = name[1:]  # its end says what it is
    return "file" if name in ("", ".", "..") else name


def is_path(path: str) -> bool:
    """Whether what a sandbox calls a path can be one: code may have said it."""
    if not path.isprintable() or len(path.encode()) > _LONGEST:
        return False
    return all(part not in ("", ".", "..") for part in path.split("/"))


async def once(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _inside(path: str) -> str:
    return path.removeprefix(f"{FILES}/")


def _outside(path: str) -> str:
    return f"{FILES}/{path}"
