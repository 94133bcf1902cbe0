"""Two results of a bench beside each other: what got dearer beyond noise. Less is better in every figure."""

from collections.abc import Sequence
from statistics import median
from typing import Literal

from pydantic import BaseModel

from evals.report.reading import BenchResult, Measured

#: So much figures that were measured once a side differ by themselves, on a machine that does something else, too.
NOISE = 0.10
Course = Literal["missed", "dearer", "cheaper", "same", "gone", "new"]
COURSES: tuple[Course, ...] = ("missed", "dearer", "cheaper", "gone", "new", "same")


class BarChange(BaseModel):
    """Medians of a side's measurements; None where it has none."""

    name: str
    unit: str
    before: float | None
    after: float | None
    limit: float
    #: What may be chance, as a part of the figure.
    noise: float
    #: `missed`: it held, and does not now.
    course: Course
    detail: tuple[str, str] = ("", "")

    @property
    def ratio(self) -> float | None:
        return self.after / self.before if self.before and self.after is not None else None


class BenchComparison(BaseModel):
    before: list[str]
    after: list[str]
    #: What became worse first.
    bars: list[BarChange]

    @property
    def regressed(self) -> bool:
        return any(bar.course in {"missed", "dearer"} for bar in self.bars)


def compare_benches(
    before: Sequence[BenchResult], after: Sequence[BenchResult], noise: float = NOISE
) -> BenchComparison:
    """Each side measured once or more; what varies more than `noise` within a side may do so between them."""
    early, late = _by_name(before), _by_name(after)
    bars = [_bar(early.get(name, []), late.get(name, []), noise) for name in dict.fromkeys([*early, *late])]
    return BenchComparison(
        before=[one.about for one in before],
        after=[one.about for one in after],
        bars=sorted(bars, key=lambda bar: (COURSES.index(bar.course), -(bar.ratio or 0))),
    )


def _by_name(results: Sequence[BenchResult]) -> dict[str, list[Measured]]:
    found: dict[str, list[Measured]] = {}
    for bar in (bar for result in results for bar in result.bars):
        found.setdefault(bar.name, []).append(bar)
    return found


def _bar(before: list[Measured], after: list[Measured], noise: float) -> BarChange:
    newest = (after or before)[-1]
    old, new = (median(bar.value for bar in side) if side else None for side in (before, after))
    noise = max(noise, _spread(before), _spread(after))
    return BarChange(
        name=newest.name,
        unit=newest.unit,
        before=old,
        after=new,
        limit=newest.limit,
        noise=noise,
        course=_course(old, new, newest.limit, noise),
        detail=(before[-1].detail if before else "", after[-1].detail if after else ""),
    )


def _spread(side: list[Measured]) -> float:
    values = [bar.value for bar in side]
    middle = median(values) if values else 0.0
    return (max(values) - min(values)) / middle if middle else 0.0


def _course(old: float | None, new: float | None, limit: float, noise: float) -> Course:
    if old is None or new is None:
        return "new" if old is None else "gone"
    if old <= limit < new:
        return "missed"
    if new > old * (1 + noise):
        return "dearer"
    return "cheaper" if new < old / (1 + noise) else "same"
