"""Rows and columns: every transaction of one response without a fault, every place outside, and what became of each."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.faults.arena import Arena, arena
from tests.faults.cell import FAULTS, Outcome
from tests.faults.control import Passed
from tests.faults.point import Point
from tests.faults.reader import Reader
from tests.faults.scene import PLACES

#: Not of one response.
_OTHERS = ("", "beat")


@cache
def points_of(here: Arena) -> Sequence[Point]:
    """All rows, in the order in which a response comes by."""
    return [*transactions(here), *(Point(place) for place in PLACES)]


def points(kind: str) -> Sequence[Point]:
    with tempfile.TemporaryDirectory() as directory, arena(kind, Path(directory)) as here:
        return points_of(here)


def transactions(here: Arena) -> list[Point]:
    """Recorded from one response that nothing happens to."""
    before = here.say()
    time.sleep(0.3)  # what it did in the end is told a moment later
    here.control.tell({"arm": None})
    since = len(here.control.passed)
    reader = Reader(here.servers, here.scene().body(previous_response_id=before["id"])).start()
    assert reader.over(20), f"no end without a fault: {reader.problems}"
    reader.stop()
    assert not here.left_over(5)
    found: dict[str, Point] = {}
    for passed in here.control.passed[since:]:
        if passed.when == "after" and passed.name not in _OTHERS:
            point = _point(passed, reader)
            found.setdefault(point.name, point)
    steps = [name for name in found if name.startswith("checkpoint")]
    found |= {name: replace(found[name], label=f"checkpoint {at}") for at, name in enumerate(steps)}
    return [replace(point, when=when) for point in found.values() for when in ("before", "within", "after")]


def _point(passed: Passed, reader: Reader) -> Point:
    """A batch of events is called by the kind of its first; the others of that kind are no rows of their own."""
    if not passed.name.startswith("events "):
        return Point(passed.name)
    first = passed.events.start
    kind = reader.frames[first].split(b"\n")[0].decode().removeprefix("event: response.")
    return Point(f"events from {kind}", event=first)


def table(kind: str, outcomes: Sequence[Outcome]) -> str:
    """Seconds from the fault to the terminal event, or what failed."""
    shown = Table("point", *FAULTS, title=kind)
    cells: dict[tuple[str, str], str] = {}
    for outcome in sorted(outcomes, key=lambda one: bool(one.problems)):  # what failed is not covered up
        cells[str(outcome.point), outcome.fault] = str(outcome)
    for point in dict.fromkeys(str(outcome.point) for outcome in outcomes):
        shown.add_row(point, *(cells.get((point, fault), "") for fault in FAULTS))
    console = Console(width=120)
    with console.capture() as captured:
        console.print(shown)
    return captured.get()
