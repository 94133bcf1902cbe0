"""The event log of one response: frames go in once, any number of readers follow."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from graph.errors import Failure, Json


class EventLog:
    """Frames in their order, held back until the response is known to have begun.

    Of a log that is `kept`, readers see a frame only when it has been written down: what a reader has seen, no crash
    takes back. Bounded by the size of one response; it is dropped with the last reader once the response has ended.
    """

    def __init__(self, kept: bool = False, before: Sequence[bytes] = ()) -> None:
        """`before`: frames another process has written down."""
        self.kept = kept
        self._frames: list[bytes] = list(before)
        #: Frames that are written down.
        self._down = len(before)
        self._readers: list[asyncio.Future[None]] = []
        self._grown = asyncio.Event()
        self._released = False
        #: Whether the first frame is to release all.
        self._due = False
        self._ended = False
        self._lost = False
        self._response: Json | None = None
        self._failure: Failure | None = None
        self._refused = False

    @property
    def released(self) -> bool:
        """True once readers may see frames: from here on a failure is an event, not an HTTP status."""
        return self._released

    @property
    def lost(self) -> bool:
        """True when the response is made elsewhere: readers find the rest in the store."""
        return self._lost

    @property
    def refused(self) -> bool:
        """True when the response never began."""
        return self._refused

    @property
    def response(self) -> Json | None:
        """How the response ended; None until then, and when it did not end here."""
        return self._response

    @property
    def _shown(self) -> int:
        return self._down if self.kept else len(self._frames)

    def append(self, frame: bytes) -> None:
        self._frames.append(frame)
        if self._due:
            self.release()
        if self.kept:
            self._grown.set()
        elif self._readers and self._released:
            self._wake()

    def release(self) -> None:
        if not self._released:
            self._released = True
            self._grown.set()
            self._wake()

    def release_begun(self) -> None:
        """Release it as soon as there is a frame: what fails before that is an HTTP status, however long it takes."""
        if self._frames:
            self.release()
        else:
            self._due = True

    def end(self, response: Json | None, failure: Failure | None = None) -> None:
        """The last frame is in; `response` is how the response ended, None when nobody is left to hear.

        Only the first end counts.
        """
        if self._ended:
            return
        self._response, self._failure, self._ended = response, failure, True
        self.release()
        self._wake()

    def refuse(self, failure: Failure) -> None:
        """The response never began; whoever waits for it gets `failure`."""
        self._failure, self._refused, self._ended = failure, True, True
        self._wake()

    def lose(self) -> None:
        """The response goes on elsewhere."""
        self._lost = True
        self.end(None)

    async def begun(self) -> None:
        """Wait until frames may be read. Raises the failure that came instead."""
        while not self._released and not self._ended:
            await self._changed()
        if self._refused and self._failure:
            raise self._failure

    async def follow(self, after: int = -1) -> AsyncIterator[list[bytes]]:
        """Every frame whose sequence number is above `after`, past ones first, in batches of those that are there.

        Ends when the response does, or is `lost`; waits without limit until then.
        Source: API reference, "Retrieve a response", `starting_after`.
        """
        await self.begun()
        at = after + 1
        while True:
            if at < self._shown:
                batch = self._frames[at : self._shown]
                at += len(batch)
                yield batch
            elif self._ended:
                return
            else:
                await self._changed()

    async def ended(self) -> Json | None:
        """Wait for the end: the final response, None if it was given up. Raises the failure it ended with."""
        while not self._ended:
            await self._changed()
        if self._failure:
            raise self._failure
        return self._response

    # ------------------------------------------------------------ writing down

    async def grown(self) -> None:
        """Wait until there are frames to write down."""
        while not (self._released and self._down < len(self._frames)):
            self._grown.clear()
            await self._grown.wait()

    def unkept(self) -> tuple[int, list[bytes]]:
        """The number of the first frame that is not written down, and all those frames; none before the release."""
        return self._down, self._frames[self._down :] if self.kept and self._released else []

    def keep_to(self, count: int) -> None:
        """The first `count` frames are written down: readers may see them."""
        if count > self._down:
            self._down = count
            self._wake()

    async def _changed(self) -> None:
        reader = asyncio.get_running_loop().create_future()
        self._readers.append(reader)
        try:
            await reader
        finally:
            if reader in self._readers:
                self._readers.remove(reader)

    def _wake(self) -> None:
        readers, self._readers = self._readers, []
        for reader in readers:
            if not reader.done():
                reader.set_result(None)
