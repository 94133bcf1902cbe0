"""Two runs of a suite → what changed. Cases are paired by their ids."""

from collections.abc import Callable, Iterable, Sequence
from math import exp, log
from typing import Literal

from evals.comparing.cases import changed
from evals.comparing.chance import Interval, paired
from evals.comparing.comparison import MOVES, Change, Comparison, Side, Verdict
from evals.report.summary import mean, middle
from evals.results import CaseResult, RunResult

Pair = tuple[CaseResult, CaseResult]
#: None: there is no such figure.
Reading = Callable[[CaseResult], float | None]


def compare(before: RunResult, after: RunResult) -> Comparison:
    late = {case.id: case for case in after.cases}
    early = {case.id: case for case in before.cases}
    pairs = [(case, late[case.id]) for case in before.cases if _both_asked(case, late.get(case.id))]
    ids = dict.fromkeys([*early, *late])
    cases = [changed(early.get(id), late.get(id)) for id in ids]
    return Comparison(
        before=_side(before),
        after=_side(after),
        pass_rate=_change("pass rate", pairs, _passed),
        score=_change("mean score", pairs, lambda case: case.score),
        graders=[_change(name, pairs, _grader(name)) for name in _graders(pairs)],
        tags=[_change(tag, [pair for pair in pairs if tag in pair[0].tags], _passed) for tag in _tags(pairs)],
        costs=_costs(pairs),
        cases=sorted(cases, key=lambda case: (MOVES.index(case.move), (case.passed[1] or 0) - (case.passed[0] or 0))),
    )


def _both_asked(before: CaseResult, after: CaseResult | None) -> bool:
    return bool(after and before.attempts and after.attempts)


def _passed(case: CaseResult) -> float:
    return case.passed


def _side(result: RunResult) -> Side:
    return Side(
        run=result.run,
        suite=result.suite,
        model=result.model,
        target=result.target,
        started_at=result.started_at,
        status=result.status,
        faults=result.faults,
        cases=len(result.cases),
        pass_rate=result.pass_rate,
    )


def _read(pairs: Iterable[Pair], reading: Reading) -> list[tuple[float, float]]:
    """Of pairs that have it on both sides."""
    both = [(reading(before), reading(after)) for before, after in pairs]
    return [(a, b) for a, b in both if a is not None and b is not None]


def _change(name: str, pairs: Sequence[Pair], reading: Reading) -> Change:
    found = _read(pairs, reading)
    moved = paired([b - a for a, b in found])
    return Change(
        name=name,
        before=mean([a for a, _ in found]),
        after=mean([b for _, b in found]),
        by=moved.value,
        low=moved.low,
        high=moved.high,
        p=moved.p,
        cases=len(found),
        verdict=_verdict(moved, more_is="better"),
    )


def _verdict(moved: Interval, more_is: Literal["better", "worse"]) -> Verdict:
    if not (moved.value or moved.low or moved.high):
        return "same"
    if not moved.sure:
        return "unclear"
    less_is: Verdict = "worse" if more_is == "better" else "better"
    return more_is if moved.value > 0 else less_is


def _graders(pairs: Iterable[Pair]) -> list[str]:
    grades = (grade for pair in pairs for case in pair for one in case.attempts for grade in one.grades)
    return list(dict.fromkeys(grade.grader for grade in grades))


def _tags(pairs: Iterable[Pair]) -> list[str]:
    return list(dict.fromkeys(tag for before, _ in pairs for tag in before.tags))


def _grader(name: str) -> Reading:
    def reading(case: CaseResult) -> float | None:
        scores = [grade.score for one in case.attempts for grade in one.grades if grade.grader == name]
        return mean(scores) if scores else None

    return reading


def _costs(pairs: Sequence[Pair]) -> list[Change]:
    """Of cases without faults: what was not run to its end costs little."""
    whole = [pair for pair in pairs if not any(one.fault for case in pair for one in case.attempts)]
    return [
        _ratio("time", "s", whole, lambda case: middle([one.seconds for one in case.attempts])),
        _ratio("tokens in", "tokens", whole, lambda case: mean([one.usage.input for one in case.attempts])),
        _ratio("tokens out", "tokens", whole, lambda case: mean([one.usage.output for one in case.attempts])),
    ]


def _ratio(name: str, unit: Literal["s", "tokens"], pairs: Sequence[Pair], reading: Reading) -> Change:
    """The typical case's ratio: a geometric mean, so that twice and half cancel out."""
    found = [(a, b) for a, b in _read(pairs, reading) if a > 0 and b > 0]
    moved = paired([log(b / a) for a, b in found])
    return Change(
        name=name,
        before=mean([a for a, _ in found]),
        after=mean([b for _, b in found]),
        by=exp(moved.value),
        low=exp(moved.low),
        high=exp(moved.high),
        p=moved.p,
        cases=len(found),
        verdict=_verdict(moved, more_is="worse"),
        unit=unit,
    )
