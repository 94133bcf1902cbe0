"""The right to write a response, and its events on their way to the store.

A process that was declared dead may only be asleep. Whoever takes its response over raises the lease's epoch; every
transaction that writes a response first looks whether its epoch is still the one it holds.
"""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from graph.errors import StoreUnavailable
from graph.log import EventLog

#: Seconds a checkpoint may take to be written down that something waits for.
_PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Lease:
    response_id: str
    #: The process that holds it; None while the response waits for one.
    worker: str | None
    epoch: int


class Batch(NamedTuple):
    """Frames of a log, one after another."""

    #: The sequence number of the first.
    start: int
    frames: list[bytes]


class Hold:
    """What a process holds of a response it makes."""

    def __init__(
        self, lease: Lease, owner: str, log: EventLog, *, background: bool = False, sealed: bytes | None = None
    ) -> None:
        """`sealed`: what another process needs to go on and no checkpoint may hold."""
        self.lease = lease
        self.owner = owner
        self.log = log
        self.background = background
        self.sealed = sealed
        #: Whether the store knows of it.
        self.entered = False
        #: Set when the store can find the response: what a reader has seen of it, it can ask for.
        self.known = asyncio.Event()
        #: Another has the response now: nothing more is written.
        self.lost = False
        #: Begins only if no other process has begun it: it goes on by itself, with the decisions made meanwhile.
        self.upon_decisions = False
        #: A step that was made could not be written down: it will be made again.
        self.torn = False
        self._writing = asyncio.Lock()
        #: The newest checkpoint that is written down; ids grow.
        self._newest = ""
        self._moved = asyncio.Event()

    @property
    def recorded(self) -> bool:
        """Whether events are kept: the run then ends with its last event, not with its last checkpoint."""
        return self.log.kept

    @property
    def queued(self) -> bool:
        """Whether it is being queued: its first checkpoint makes it known."""
        return self.background and not self.entered

    @contextmanager
    def step(self) -> Generator[None]:
        """Around the writing of what a step has made."""
        try:
            yield
        except StoreUnavailable:
            self.torn = True
            self._moved.set()
            raise

    def reached(self, checkpoint_id: str) -> None:
        """A checkpoint is written down."""
        self._newest = max(self._newest, checkpoint_id)
        self._moved.set()

    async def stand_on(self, checkpoint_id: str) -> None:
        """Wait until a checkpoint is written down: they are while the machine goes on. Raises `StoreUnavailable`."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                while self._newest < checkpoint_id:
                    self.check_whole()
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            self.torn = True
            self.check_whole()

    def check_whole(self) -> None:
        """Raises `StoreUnavailable` when what comes next would follow a step that is to be made again."""
        if self.torn:
            raise StoreUnavailable("A step of the response could not be kept.", retry_after_s=1)

    @asynccontextmanager
    async def along(self, introduces: bool = False) -> AsyncGenerator[Batch]:
        """The events to be written now, alone or in one transaction with a checkpoint; readers see them afterwards.

        `introduces`: from that checkpoint on the response can be found; before it no event is written. What raises in
        here has written nothing, and the events wait for the next time.
        """
        async with self._writing:
            start, frames = self.log.unkept()
            batch = Batch(start, frames if introduces or self.known.is_set() else [])
            yield batch
            if introduces:
                self.known.set()
            self.log.keep_to(batch.start + len(batch.frames))

    def go_on(self) -> None:
        """It was taken over: the store knows of it already."""
        self.entered = True
        self.known.set()
