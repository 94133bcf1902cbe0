"""Rows and columns: every transaction of one response without a fault, every place outside, and what became of each."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.faults.arena import Arena, arena
from tests.faults.cell import FAULTS, Outcome
from tests.faults.point import Point
from tests.faults.reader import Reader
from tests.faults.scene import PLACES

#: Not of one response.
_OTHERS = ("", "beat")


def points_of(kind: str) -> list[Point]:
    """All rows, in the order in which a response comes by."""
    with tempfile.TemporaryDirectory() as directory, arena(kind, Path(directory)) as here:
        return [*transactions(here), *(Point(place) for place in PLACES)]


def transactions(here: Arena) -> list[Point]:
    """Recorded from one response that nothing happens to."""
    here.control.tell({"arm": None})
    since = len(here.control.passed)
    reader = Reader(here.servers, here.scene().body()).start()
    assert reader.over(20), f"no end without a fault: {reader.problems}"
    reader.stop()
    assert not here.left_over(5)
    found: dict[str, Point] = {}
    for passed in here.control.passed[since:]:
        if passed.when == "after" and passed.name not in _OTHERS:
            event = passed.events.start if passed.name.startswith("events ") else None
            found.setdefault(passed.name, Point(passed.name, event=event))
    return [Point(p.name, when, p.event) for p in found.values() for when in ("before", "within", "after")]


def table(kind: str, outcomes: Sequence[Outcome]) -> str:
    """Seconds from the fault to the terminal event, or what failed."""
    shown = Table("point", *FAULTS, title=kind)
    cells = {(str(outcome.point), outcome.fault): str(outcome) for outcome in outcomes}
    for point in dict.fromkeys(str(outcome.point) for outcome in outcomes):
        shown.add_row(point, *(cells.get((point, fault), "") for fault in FAULTS))
    console = Console(width=120)
    with console.capture() as captured:
        console.print(shown)
    return captured.get()
