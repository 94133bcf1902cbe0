"""Named places in the model server and the tools, where a test can hold whatever comes by."""

import asyncio
import threading
from dataclasses import dataclass, field

from tests.connection import Connection, HangUp


@dataclass
class Stop:
    name: str
    reached: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)
    #: The model server hangs up instead of going on.
    cut: bool = False


class Stops:
    """At most one place is armed, and it holds once."""

    def __init__(self) -> None:
        self._armed: Stop | None = None
        #: Every place that was passed.
        self.passed: list[str] = []

    def arm(self, name: str) -> Stop:
        self._armed = Stop(name)
        return self._armed

    def disarm(self) -> None:
        self._armed = None

    async def at(self, name: str, wire: Connection | None = None) -> None:
        self.passed.append(name)
        stop = self._armed
        if stop is None or stop.name != name:
            return
        self._armed = None
        stop.reached.set()
        while not stop.go.is_set() and not (wire and wire.gone.is_set()):
            await asyncio.sleep(0.005)
        if stop.cut:
            raise HangUp
