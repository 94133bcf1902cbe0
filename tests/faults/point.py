"""Where a fault strikes: a moment of a transaction, or a place in the model server or a tool."""

from dataclasses import dataclass
from typing import Literal, Protocol

from tests.faults.control import Control
from tests.faults.stops import Stop, Stops


@dataclass(frozen=True, slots=True)
class Point:
    name: str
    #: Of a transaction; None for a place outside the server.
    when: Literal["before", "within", "after"] | None = None
    #: The transaction that carries this event, whatever its name.
    event: int | None = None
    #: What the matrix calls it, where that is not its name.
    label: str = ""

    def __str__(self) -> str:
        called = self.label or self.name
        return f"{self.when} {called}" if self.when else called


class Hold(Protocol):
    """A point that was armed."""

    def reached(self, limit_s: float) -> int | None:
        """The process that is held there or waits for who is; None when nobody came by."""
        ...

    def go(self) -> None: ...


class StoreHold:
    def __init__(self, control: Control, point: Point) -> None:
        self._control = control
        self._since = len(control.passed)
        control.tell({"arm": {"when": point.when, "name": point.name, "event": point.event}})

    def reached(self, limit_s: float) -> int | None:
        held = self._control.wait_for(lambda passed: passed.held, limit_s, self._since)
        self._control.tell({"arm": None})
        return held and held.pid

    def go(self) -> None:
        self._control.tell({"go": True})


class OutsideHold:
    def __init__(self, control: Control, stops: Stops, point: Point) -> None:
        self._control = control
        self._stops = stops
        self.stop: Stop = stops.arm(point.name)
        control.tell({"arm": None})

    def reached(self, limit_s: float) -> int | None:
        came = self.stop.reached.wait(limit_s)
        self._stops.disarm()
        return self._control.runner() if came else None

    def go(self) -> None:
        self.stop.go.set()
