"""Containers, as tools of this process use them: chosen, entered one call at a time, and given up when idle.

A container's history outlives its sandbox. Its files are rows and bytes on the shelf; after each call what changed is
copied there, before each call what others have changed is put in. When the sandbox goes - idle, pushed out by others,
wanted by another process, at the end of the server - its variables are saved. Whoever enters the container next, in
whatever process, opens a sandbox, puts the files in and loads the variables.
"""

import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import NamedTuple, cast

from graph.containers import Container, Fresh
from graph.errors import Json, LeaseLost, NotFound, RequestError, ToolFailed
from graph.files import File
from graph.state import Entry
from nodes.container.declaration import REFERENCE
from nodes.container.entered import Entered
from nodes.container.live import Live, free_path
from nodes.container.making import Maker, inputs_of, named_by
from nodes.container.port import Rooms, Rules, Shelf
from nodes.container.seats import Seat, Seats
from nodes.container.sent import PREFIX, Sent
from nodes.sandbox.port import Broken

__all__ = ["Containers", "Entered", "Told"]

logger = logging.getLogger(__name__)
#: Ways whose sandboxes run the Python of this machine.
_HERE = frozenset({"bwrap", "landlock"})
#: Choices that are remembered until the container is entered.
_CHOSEN = 10_000


class Told(NamedTuple):
    """What a model is told of a container."""

    #: What can be imported beside the standard library.
    packages: Sequence[str]
    #: Domains that can be reached from inside.
    online: Sequence[str]
    #: A line for each skill: its name, what it is for, and where it is.
    skills: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What is to happen when a container is entered."""

    owner: str
    #: To be made; None when it is there.
    container: Container | None
    #: Files that are to be in it.
    file_ids: Sequence[str]


class Containers:
    """One a process. Another owner's containers are not found."""

    def __init__(self, shelf: Shelf, maker: Maker, rooms: Rooms, rules: Rules, packages: Sequence[str] = ()) -> None:
        """`packages`: what the Python of sandboxes can import beside the standard library."""
        self.call_timeout_s = rules.call_timeout_s
        self._shelf = shelf
        self._maker = maker
        self._rooms = rooms
        self._packages = packages
        self._seats = Seats(shelf, rooms, maker.room, rules)
        self._sent = Sent()
        self._chosen: OrderedDict[str, _Chosen] = OrderedDict()

    @asynccontextmanager
    async def keeping(self) -> AsyncGenerator[None]:
        """Look after the sandboxes until the end, at which what is in them is saved for others."""
        async with self._seats.keeping():
            yield

    # ------------------------------------------------------------ choosing

    async def choose(
        self, owner: str, wanted: str | Json, entries: Sequence[Entry], param: str, beside: str | None = None
    ) -> str:
        """The id of the container that was declared: one of a name, or (`auto`) the newest that calls of `entries` were
        made in and that fits, or a new one, which is only made when it is entered. `wanted` was checked; `beside` is
        what another tool of the same response has chosen, which comes first.

        Raises `RequestError` at or below `param`.
        """
        inputs = [part.get("file_id") or self._sent.hold(part) for part in inputs_of(entries)]
        if isinstance(wanted, str) or wanted["type"] == REFERENCE:
            id = wanted if isinstance(wanted, str) else cast(str, wanted["container_id"])
            where = param if isinstance(wanted, str) else f"{param}.container_id"
            found = await self._shelf.rows.find(owner, id)
            if found is None:
                raise NotFound(f"Container with id '{id[:100]}' not found.", param=where)
            await self._check_room(found, param)
            return self._remember(found.id, _Chosen(owner, None, inputs))
        declared = await self._maker.found(owner, wanted.get("file_ids") or (), f"{param}.file_ids")
        file_ids = [*dict.fromkeys([*(file.id for file in declared), *inputs])]
        made = await self._maker.made(owner, wanted, param)
        await self._check_room(made, param)
        known = await self._known(made, wanted, [*([beside] if beside else ()), *named_by(entries)])
        return self._remember((known or made).id, _Chosen(owner, None if known else made, file_ids))

    async def make(self, owner: str, declared: Json) -> tuple[Container, Sequence[File]]:
        """A container as the API makes it, not kept yet, and the files to go into it. Raises `RequestError`."""
        files = await self._maker.found(owner, declared.get("file_ids") or ())
        made = await self._maker.made(owner, declared)
        if made.domains:
            await self._check_room(made, "network_policy")
        return made, files

    async def copy(self, owner: str, file_id: str, taken: Collection[str] = ()) -> Fresh:
        """A file of the Files API, to be put into a container beside those `taken`. Raises `NotFound`."""
        copy = await self._maker.copy(owner, file_id, lambda filename: free_path(filename, taken))
        if copy is None:
            raise NotFound(f"File with id '{file_id[:100]}' not found.", param="file_id")
        return copy

    def bring(self, owner: str, id: str, file_id: str) -> None:
        """Have a file of the Files API in a container that was chosen, when it is entered next."""
        self._remember(id, _Chosen(owner, None, [file_id]))

    async def told(self, owner: str, id: str) -> Told:
        """What the model is told of a container that was chosen."""
        found = await self._found(owner, id)
        here = self._rooms.name in _HERE
        skills = await self._maker.skills_told(found) if found else ()
        return Told(self._packages if here else (), found.domains if found else (), skills)

    async def _known(self, made: Container, wanted: Json, ids: Iterable[str]) -> Container | None:
        for id in ids:
            found = await self._found(made.owner, id)
            if found and self._maker.fits(found, made, wanted):
                return found
        return None

    async def _check_room(self, container: Container, param: str) -> None:
        if refusal := await self._rooms.refusal(self._maker.room(container)):
            raise RequestError(refusal, param=param, code="sandbox_unavailable")

    def _remember(self, id: str, chosen: _Chosen) -> str:
        if before := self._chosen.pop(id, None):  # another response is about to enter it
            both = [*dict.fromkeys([*before.file_ids, *chosen.file_ids])]
            chosen = _Chosen(chosen.owner, before.container or chosen.container, both)
        self._chosen[id] = chosen
        while len(self._chosen) > _CHOSEN:
            self._chosen.popitem(last=False)
        return id

    async def _found(self, owner: str, id: str) -> Container | None:
        """As it is kept, or is to be made."""
        chosen = self._chosen.get(id)
        if chosen and chosen.container and chosen.owner == owner:
            return chosen.container
        return await self._shelf.rows.find(owner, id)

    # ------------------------------------------------------------ entering

    @asynccontextmanager
    async def entered(self, owner: str, id: str) -> AsyncGenerator[Entered]:
        """A container with a live sandbox and all its files, for one call; calls wait their turn.

        When the call is over, also when it is cancelled, what it changed in `/mnt/data` is kept. Of two who change
        the same file the later one wins: a caller who uploads it during the call, or the call when it is over.
        Raises `ToolFailed`, also for a sandbox that dies during the call.
        """
        async with self._seats.turn(id) as seat:
            try:
                entered = await self._enter(owner, seat)
                yield entered
            except Broken as error:
                raise ToolFailed(str(error) or "The sandbox has died.") from error
            except LeaseLost as error:
                raise ToolFailed("The container was deleted, or taken over by another server.") from error

    async def delete(self, owner: str, id: str) -> bool:
        """Forget a container, end what runs in it; False when there is none."""
        self._chosen.pop(id, None)
        if not await self._shelf.delete(owner, id):
            return False
        await self._seats.end(id)
        return True

    async def _enter(self, owner: str, seat: Seat) -> Entered:
        chosen = self._chosen.get(seat.id)
        container = await self._found(owner, seat.id)
        if container is None:
            raise ToolFailed("The container is not there any more.")
        if chosen and chosen.container:
            await self._shelf.rows.create(chosen.container)
            self._chosen[seat.id] = _Chosen(owner, None, chosen.file_ids)
        with suppress(LeaseLost):  # somebody has taken it since the last call: ours is worth nothing
            return await self._ready(owner, seat, container)
        await self._seats.drop(seat)
        return await self._ready(owner, seat, container)

    async def _ready(self, owner: str, seat: Seat, container: Container) -> Entered:
        """A sandbox with everything in it. Raises `LeaseLost`, `Broken`, `ToolFailed`."""
        opened = await self._seats.open(seat, container)
        live = seat.sure
        live.notes.clear()
        if opened.fresh:
            await self._maker.mount(container, live.sandbox)
        await live.bring_in(await self._shelf.rows.begin(live.lease))
        if chosen := self._chosen.get(seat.id):
            await self._bring(live, owner, chosen.file_ids)
            self._chosen.pop(seat.id, None)
        return Entered(live, fresh=opened.fresh, lost=opened.lost)

    async def _bring(self, live: Live, owner: str, file_ids: Sequence[str]) -> None:
        """Put files of the Files API in, each once in the life of the container. One that has expired is left out."""
        for file_id in file_ids:
            if file_id in live.brought:
                self._sent.drop(file_id)
                continue
            live.brought.add(file_id)
            if copy := await self._copy(owner, file_id, live):
                try:
                    await live.add([copy])
                except (RequestError, OSError) as error:
                    why = error.message if isinstance(error, RequestError) else "the storage failed."
                    live.notes.append(f"{copy.path} could not be put into the container: {why}")
            self._sent.drop(file_id)

    async def _copy(self, owner: str, file_id: str, live: Live) -> Fresh | None:
        if file_id.startswith(PREFIX):
            return self._sent.fresh(file_id, live.free)
        return await self._maker.copy(owner, file_id, live.free)
