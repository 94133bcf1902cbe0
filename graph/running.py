"""A response that is being made, or has just been."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from graph.archive import Head
from graph.ask import Ask
from graph.errors import Json
from graph.events import Emitter
from graph.hold import Hold
from graph.log import EventLog
from graph.meter import Outcome
from graph.run import Run
from graph.state import Entry

#: Its reader has left, another process has it, or this one ends.
Stop = Literal["left", "lost", "closing"]


@dataclass(slots=True)
class Running:
    id: str
    ask: Ask
    #: Where it goes on from.
    head: Head
    emitter: Emitter
    #: None when it cannot be made any more, only ended.
    run: Run | None = None
    #: What of it is kept while it is made; None when that is nothing.
    hold: Hold | None = None
    #: What gives it its run, where it goes on in the middle.
    opening: Callable[["Running"], Awaitable[None]] | None = None
    #: Set to end it instead of making it: what its record is changed by, nothing when it says already how it ended.
    ending: Json | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)
    stopped: Stop | None = None
    #: The whole conversation, once the response has ended well.
    conversation: list[Entry] | None = field(default=None, repr=False)

    @property
    def log(self) -> EventLog:
        return self.emitter.log

    @property
    def recorded(self) -> bool:
        """Whether its events are kept."""
        return self.hold is not None and self.hold.recorded

    @property
    def outcome(self) -> Outcome:
        """How it ended, once its task has."""
        if self.log.response is not None:
            return self.log.response["status"]
        if self.log.refused:
            return "refused"
        return "handed_on" if self.log.lost else "left"

    def stop(self, why: Stop) -> None:
        """End the task; what becomes of the response depends on why."""
        if self.task and not self.task.done():
            self.stopped = why
            if self.hold and why == "lost":
                self.hold.lost = True
            self.task.cancel()
