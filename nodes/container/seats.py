"""The live sandboxes of this process: one a container, at most so many at once, each as long as it is of use."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from graph.containers import Container, Lease
from graph.errors import LeaseLost, NotFound, StoreUnavailable, ToolFailed
from nodes.container.live import Live
from nodes.container.port import Rooms, Rules, Shelf
from nodes.sandbox.port import Broken, Room, Sandbox

logger = logging.getLogger(__name__)
#: Seconds between two looks for who wants what is held here; on PostgreSQL a wake-up mostly comes first.
_LOOK_S = 1.0
#: Seconds to copy out what a call has made.
_COPY_S = 300.0


class Opened(NamedTuple):
    #: The sandbox is another one than at the last call.
    fresh: bool
    #: Variables of earlier calls are not there any more.
    lost: bool


@dataclass(slots=True, eq=False)
class Seat:
    """A container in this process: whose turn it is, and its sandbox while there is one."""

    id: str
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    live: Live | None = None
    #: Calls that are made or wait.
    callers: int = 0
    used_at: float = 0.0
    idle_s: float = 0.0
    #: It is about to be given up.
    leaving: bool = False

    @property
    def sure(self) -> Live:
        """Its sandbox, where there is one for sure. Raises `LeaseLost`."""
        if self.live is None:
            raise LeaseLost(self.id)
        return self.live


class Seats:
    def __init__(self, shelf: Shelf, rooms: Rooms, room_of: Callable[[Container], Room], rules: Rules) -> None:
        self._shelf = shelf
        self._rooms = rooms
        self._room_of = room_of
        self._rules = rules
        self._seats: dict[str, Seat] = {}
        #: Sandboxes that live, or are being opened.
        self._taken = 0
        self._freed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        #: There may be containers that are ours by their rows only.
        self._astray = False

    @asynccontextmanager
    async def keeping(self) -> AsyncGenerator[None]:
        watching = asyncio.create_task(self._watch(), name="container-watch")
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.wait([watching])
            await self._close()

    # ------------------------------------------------------------ turns

    @asynccontextmanager
    async def turn(self, id: str) -> AsyncGenerator[Seat]:
        """Have a container to oneself. Raises `ToolFailed` when it takes too long to get."""
        seat = self._seats.setdefault(id, Seat(id))
        seat.callers += 1
        try:
            async with asyncio.timeout(self._rules.wait_s):
                await seat.turn.acquire()
        except BaseException as error:
            self._left(seat)
            if isinstance(error, TimeoutError):
                raise ToolFailed("The container is busy with other calls; try again later.") from error
            raise
        try:
            yield seat
        finally:
            # Also what a cancelled call has made is kept; the turn ends when it is.
            await asyncio.shield(self._spawn(self._leave(seat)))

    async def _leave(self, seat: Seat) -> None:
        try:
            if seat.live and not seat.live.sandbox.alive:
                await self.drop(seat)
            elif seat.live:
                async with asyncio.timeout(_COPY_S):
                    await seat.live.copy_out()
        except (Broken, LeaseLost, TimeoutError):
            await self.drop(seat)
        except StoreUnavailable:
            logger.warning("Files of a container were not kept", extra={"container_id": seat.id})
        finally:
            seat.used_at = time.monotonic()
            seat.turn.release()
            self._left(seat)
            self._freed.set()

    def _left(self, seat: Seat) -> None:
        seat.callers -= 1
        self._forget(seat)

    def _forget(self, seat: Seat) -> None:
        if not seat.callers and seat.live is None and self._seats.get(seat.id) is seat:
            del self._seats[seat.id]

    # ------------------------------------------------------------ opening

    async def open(self, seat: Seat, container: Container) -> Opened:
        """See to it that there is a sandbox; it is the caller's turn. Raises `Broken`, `LeaseLost`, `ToolFailed`."""
        if seat.live and seat.live.sandbox.alive:
            return Opened(fresh=False, lost=False)
        await self.drop(seat)
        live = await self._opened(seat, container)
        try:
            return Opened(fresh=True, lost=not await live.load())
        except Broken:  # variables may be as hostile as code
            await self.drop(seat)
        live = await self._opened(seat, container)
        await self._shelf.save(live.lease, None)
        return Opened(fresh=True, lost=True)

    async def _opened(self, seat: Seat, container: Container) -> Live:
        lease = await self._lease(seat.id)
        try:
            await self._place()
            sandbox = await self._sandbox(container)
        except BaseException:
            self._spawn(self._release(lease))
            raise
        seat.live = Live(sandbox, lease, self._shelf)
        seat.idle_s = min(self._rules.idle_s, 60.0 * container.idle_minutes)
        return seat.live

    async def _sandbox(self, container: Container) -> Sandbox:
        try:
            return await self._rooms.open(self._room_of(container))
        except BaseException:
            self._free()
            raise

    async def _lease(self, id: str) -> Lease:
        """Wait until no other process has the container."""
        rows = self._shelf.rows
        try:
            with rows.watch(id) as news:
                async with asyncio.timeout(self._rules.wait_s):
                    while (lease := await rows.take(id)) is None:
                        with suppress(TimeoutError):
                            await asyncio.wait_for(news.wait(), _LOOK_S)
                        news.clear()
                    return lease
        except NotFound as error:
            raise ToolFailed("The container is not there any more.") from error
        except TimeoutError as error:
            raise ToolFailed("The container is in use on another server; try again later.") from error

    async def _place(self) -> None:
        """Wait until one more sandbox may live: the one that has been idle longest gives way."""
        try:
            async with asyncio.timeout(self._rules.wait_s):
                while self._taken >= self._rules.sandboxes:
                    self._freed.clear()
                    idle = [seat for seat in self._seats.values() if seat.live and not seat.turn.locked()]
                    if idle:
                        longest = min(idle, key=lambda seat: seat.used_at)
                        await asyncio.shield(self._spawn(self._rest(longest)))
                    else:
                        await self._freed.wait()
        except TimeoutError as error:
            raise ToolFailed("All sandboxes of this server are busy; try again later.") from error
        self._taken += 1

    def _free(self) -> None:
        self._taken -= 1
        self._freed.set()

    # ------------------------------------------------------------ giving up

    async def drop(self, seat: Seat) -> None:
        """End the sandbox as it is, and let others have the container."""
        live, seat.live = seat.live, None
        if live is not None:
            self._free()
            await live.sandbox.close()
            await self._release(live.lease)

    async def _release(self, lease: Lease) -> None:
        try:
            await self._shelf.rows.release(lease.container.id, lease.epoch)
        except StoreUnavailable:
            self._astray = True  # it is released when it is wanted

    async def end(self, id: str) -> None:
        """The container was deleted: what runs in it ends at once."""
        if seat := self._seats.get(id):
            await self.drop(seat)
            self._forget(seat)

    async def _rest(self, seat: Seat) -> None:
        """Save what is in it and let others have it, when it is nobody's turn."""
        async with seat.turn:
            live = seat.live
            if live is not None and live.sandbox.alive:
                await live.save()
            await self.drop(seat)
        self._forget(seat)

    async def _close(self) -> None:
        """Save what is in the sandboxes, as many as that can be done with in time."""
        resting = [self._spawn(self._rest(seat)) for seat in self._seats.values() if seat.live]
        if resting:
            await asyncio.wait(resting, timeout=self._rules.grace_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for seat in list(self._seats.values()):
            await self.drop(seat)

    # ------------------------------------------------------------ looking after them

    async def _watch(self) -> None:
        with self._shelf.rows.watch() as news:
            while True:
                with suppress(TimeoutError):
                    await asyncio.wait_for(news.wait(), min(_LOOK_S, self._rules.idle_s))
                news.clear()
                try:
                    await self._look()
                except StoreUnavailable:
                    continue
                except Exception:
                    logger.exception("Looking after the containers failed on a bug")

    async def _look(self) -> None:
        lives = [(seat, seat.live) for seat in self._seats.values() if seat.live and not seat.leaving]
        if not lives and not self._astray:
            return
        held = await self._shelf.rows.held()
        for id, found in held.items():
            if found.wanted and id not in self._seats:
                await self._shelf.rows.release(id, found.epoch)
        for seat, live in lives:
            found = held.get(seat.id)
            if seat.live is not live:
                continue
            if found is None or found.epoch != live.lease.epoch:
                await self.drop(seat)  # a call that is being made ends, too
                self._forget(seat)
            elif found.wanted or self._is_idle(seat):
                seat.leaving = True
                self._spawn(self._give_up(seat))

    def _is_idle(self, seat: Seat) -> bool:
        return not seat.callers and time.monotonic() - seat.used_at > seat.idle_s

    async def _give_up(self, seat: Seat) -> None:
        try:
            await self._rest(seat)
        finally:
            seat.leaving = False

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
