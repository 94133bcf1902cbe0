"""What the machine needs of what keeps its responses: the store, seen from the runner, and the queue."""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from typing import Any, Protocol

from graph.approvals import Approvals
from graph.hold import Batch, Hold, Lease
from graph.state import Entry, Record


class Located(Protocol):
    """A conversation that can be addressed."""

    @property
    def id(self) -> str: ...
    @property
    def owner(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Head:
    """Where a run goes on from."""

    thread_id: str
    checkpoint_id: str | None = None
    #: How many items are there; None where that is not known beforehand.
    length: int | None = None


class Claimed(Protocol):
    """A response taken over from another process, or from the queue."""

    @property
    def lease(self) -> Lease: ...
    @property
    def owner(self) -> str: ...
    @property
    def background(self) -> bool: ...
    @property
    def sealed(self) -> bytes | None: ...
    @property
    def frames(self) -> list[bytes]:
        """Every event that was written down."""
        ...

    @property
    def started(self) -> Collection[str]:
        """Item ids of calls that were begun and are not safe to repeat."""
        ...


class Archive(Protocol):
    """What is kept of responses, seen from the runner."""

    checkpointer: Any
    #: This process, by its id.
    worker: str

    @property
    def approvals(self) -> Approvals: ...
    async def head_of_response(self, owner: str, response_id: str) -> tuple[Head, Record] | None: ...
    async def head_of_conversation(self, owner: str, conversation_id: str) -> Head | None: ...
    async def history(self, head: Head) -> list[Entry]: ...
    async def find_item(self, owner: str, item_id: str) -> Entry | None: ...
    async def lock(self, owner: str, conversation_id: str, holder: str) -> bool: ...
    async def unlock(self, conversation_id: str, holder: str, *, unless_made: bool = False) -> None:
        """`unless_made`: not when a response of that id is being made, by whatever process."""
        ...

    def fence(self, response_id: str) -> None:
        """Write no further checkpoint of this response, until `unfence`."""
        ...

    def unfence(self, response_id: str) -> None: ...
    def hold(self, hold: Hold) -> None:
        """From now on every write of this response is made under its lease, with its events, until `let_go`."""
        ...

    def let_go(self, hold: Hold) -> None: ...
    async def claim(self, response_id: str) -> Claimed | None:
        """Take a response that nobody living makes; None when somebody does, or it has ended."""
        ...

    def follow(self, response_id: str, after: int) -> AsyncIterator[list[bytes]]:
        """Its events above `after`, in batches, whoever makes them, until the last."""
        ...

    async def append(self, hold: Hold, batch: Batch) -> None:
        """Raises `LeaseLost`."""
        ...

    async def finish(self, hold: Hold, batch: Batch) -> None:
        """Write the last events down and end the run. Raises `LeaseLost`."""
        ...

    async def start_call(self, hold: Hold, item_id: str) -> None:
        """Note that a call begins that is not safe to repeat. Raises `LeaseLost`."""
        ...

    async def cancel(self, owner: str, response_id: str) -> bool:
        """Cancel an unfinished response, whoever makes it; False when it had ended."""
        ...

    async def expire(self, response_id: str, after_s: int) -> None:
        """Let the response be forgotten in `after_s` seconds."""
        ...

    async def discard(self, response_id: str) -> None: ...
    async def forget(self, owner: str, response_id: str) -> None: ...


# ---------------------------------------------------------------- background


class Engine(Protocol):
    """A durable queue of responses to be made: at least one process will call `Runner.resume` for each."""

    async def submit(self, response_id: str, owner: str, epoch: int) -> None:
        """Returns when it is on disk. A second time with the same `epoch` (how often the response was taken over, or
        handed back) does nothing. Raises `StoreUnavailable`."""
        ...
