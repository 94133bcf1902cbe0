"""Sums of a result: by grader, by tag, in the middle."""

from collections.abc import Iterable, Sequence
from math import fsum
from statistics import median
from typing import NamedTuple

from evals.results import RunResult


class Share(NamedTuple):
    name: str
    passed: int
    count: int
    #: Mean.
    score: float

    @property
    def rate(self) -> float:
        return self.passed / self.count if self.count else 0.0


def middle(values: Sequence[float]) -> float:
    """The median; 0 of nothing."""
    return median(values) if values else 0.0


def mean(values: Sequence[float]) -> float:
    """0 of nothing."""
    return fsum(values) / len(values) if values else 0.0


def by_grader(result: RunResult) -> list[Share]:
    """Grades, in the order in which graders are met."""
    return _shares(
        (grade.grader, grade.passed, grade.score)
        for case in result.cases
        for attempt in case.attempts
        for grade in attempt.grades
    )


def by_tag(result: RunResult) -> list[Share]:
    """Attempts, in the order in which tags are met; one with two tags counts for both."""
    return _shares(
        (tag, attempt.passed, attempt.score)
        for case in result.cases
        for attempt in case.attempts
        for tag in dict.fromkeys(case.tags)
    )


def _shares(found: Iterable[tuple[str, bool, float]]) -> list[Share]:
    sums: dict[str, tuple[int, int, float]] = {}
    for name, passed, score in found:
        was = sums.get(name, (0, 0, 0.0))
        sums[name] = (was[0] + passed, was[1] + 1, was[2] + score)
    return [Share(name, passed, count, score / count) for name, (passed, count, score) in sums.items()]
