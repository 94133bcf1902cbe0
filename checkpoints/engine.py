"""The durable queue of responses to be made, on DBOS Transact: SQLite when alone, PostgreSQL when many.

A workflow is one attempt at a response: its id is the response's with the epoch of the lease it waits for, so that one
which has ended, or was lost, is never in the way of the next.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from graph.errors import StoreUnavailable

if TYPE_CHECKING:
    from checkpoints.transact import Transact

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds that whoever submits waits for an engine that is starting.
_START_S = 10.0
#: The URL of a queue in a file begins so.
_FILE = "sqlite:///"
#: Seconds between two attempts at reaching the database.
_AGAIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Capacity:
    """How much this process takes on at once."""

    running: int = 64
    per_owner: int = 16
    #: Whether it sends notices.
    telling: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """What somebody is to be told. `id` and `body` are the same at every attempt."""

    id: str
    to: str
    body: str
    attempt: int = 1


class Lost(NamedTuple):
    """A response that no workflow will make."""

    workflow: str
    response_id: str
    owner: str


@dataclass(frozen=True, slots=True)
class Depth:
    #: Responses that wait, in all processes.
    queued: int
    #: How long the first of them has been there.
    oldest_s: float
    #: Responses being made in this process.
    running: int


class Work(Protocol):
    """What is done with what comes out of the queues, on the event loop. Whatever is raised is the end of it."""

    async def make(self, response_id: str, owner: str) -> None: ...

    async def tell(self, notice: Notice) -> None: ...


class DurableEngine:
    """Fits `graph.archive.Engine`. Every call but `start` and `close` raises `StoreUnavailable` while it starts."""

    def __init__(self, url: str, executor: str, capacity: Capacity) -> None:
        """`url`: `sqlite:////file` or `postgresql://…`. `executor`: this process, as others know it."""
        self._url = url
        self._executor = executor
        self._capacity = capacity
        self._threads = ThreadPoolExecutor(4, "engine")
        self._wanted = asyncio.Event()
        self._started = asyncio.Event()
        self._transact: Transact | None = None
        self._launching: asyncio.Future[Transact] | None = None

    async def start(self, work: Work) -> None:
        """Begin to take work; tries until the database is there.

        A queue in a file of its own that nobody has used yet is begun when it is wanted: it costs a second of CPU and
        some 60 MB.
        """
        if self._url.startswith(_FILE) and not await asyncio.to_thread(Path(self._url.removeprefix(_FILE)).exists):
            await self._wanted.wait()
        loop = asyncio.get_running_loop()
        said = False
        while True:
            try:
                self._launching = loop.run_in_executor(self._threads, self._launch, work, loop)
                self._transact = await asyncio.shield(self._launching)
            except StoreUnavailable:
                if not said:
                    logger.warning("The queue of responses cannot be reached; trying on")
                said = True
                await asyncio.sleep(_AGAIN_S)
            else:
                self._started.set()
                return

    def _launch(self, work: Work, loop: asyncio.AbstractEventLoop) -> "Transact":
        from checkpoints.transact import Transact

        transact = Transact(self._url, self._executor, self._capacity)
        transact.launch(work, loop)
        return transact

    def want(self) -> None:
        """There is work, or there may be."""
        self._wanted.set()

    @property
    def started(self) -> bool:
        return self._started.is_set()

    async def submit(self, response_id: str, owner: str, epoch: int) -> None:
        await self._ask(lambda transact: transact.submit(response_id, owner, epoch))

    async def resubmit(self, waiting: Sequence[tuple[str, str, int]]) -> int:
        """Submit those `(response_id, owner, epoch)` that are not in the queue; says how many."""

        def work(transact: "Transact") -> int:
            ids = {f"{response_id}-{epoch}": (response_id, owner, epoch) for response_id, owner, epoch in waiting}
            missing = transact.missing(ids)
            for id in missing:
                transact.submit(*ids[id])
            return len(missing)

        return await self._ask(work)

    async def tell(self, notice: Notice, delay_s: float = 0) -> None:
        """Have somebody told, after a while. Returns when it is on disk; a second time it does nothing."""
        await self._ask(lambda transact: transact.tell(notice, delay_s))

    async def recover(self, alive: Collection[str]) -> list[str]:
        """Hand on what processes have begun that are not `alive`; gives those processes."""
        return await self._ask(lambda transact: transact.recover(alive))

    async def lost(self) -> list[Lost]:
        """What was begun too often without coming to an end, or has failed on a bug, until it is forgotten."""
        return await self._ask(lambda transact: transact.lost())

    async def forget(self, lost: Lost) -> None:
        await self._ask(lambda transact: transact.forget([lost.workflow]))

    async def rest(self) -> None:
        """Look for work less often, when there is none."""
        await self._ask(lambda transact: transact.rest())

    async def tidy(self, older_than_s: float) -> int:
        """Free the space of what ended that long ago."""
        return await self._ask(lambda transact: transact.tidy(older_than_s))

    async def depth(self) -> Depth:
        """At once; nothing is known until the engine has started."""
        if not self.started:
            return Depth(0, 0.0, 0)
        return await self._ask(lambda transact: transact.depth())

    def drain(self) -> None:
        """Take no more work from the queues; what was begun goes on."""
        if self._transact:
            self._transact.drain()

    async def close(self) -> None:
        """Stop. What was begun and has not ended is left to be recovered."""
        transact, self._transact = self._transact or await self._launched(), None
        self._started.clear()
        if transact:
            await asyncio.get_running_loop().run_in_executor(self._threads, transact.close)
        self._threads.shutdown(wait=False)

    async def _launched(self) -> "Transact | None":
        """What is being launched while the process stops; a launch cannot be cancelled half way."""
        if self._launching is None:
            return None
        with suppress(StoreUnavailable, TimeoutError):
            return await asyncio.wait_for(asyncio.shield(self._launching), _START_S)

    async def _ask(self, work: "Callable[[Transact], T]") -> T:
        self.want()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._started.wait(), _START_S)
        if self._transact is None:
            raise StoreUnavailable("The queue of responses cannot be reached.", retry_after_s=2)
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, self._transact)
