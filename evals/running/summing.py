"""Attempts → the result of a run."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from evals.results import Attempt, CaseResult, Held, RunResult
from evals.running.journal import About
from evals.statistics import by_k, pass_all, pass_at, pass_rate
from evals.suite.schema import Suite, Thresholds
from evals.transcript import Usage

Attempts = Mapping[tuple[str, int], Attempt]


def result_of(suite: Suite, about: About, attempts: Attempts, seconds: float) -> RunResult:
    """`attempts` by case and epoch; those that are missing make it incomplete."""
    cases = [
        CaseResult(
            id=case.id,
            tags=case.tags,
            item=case.item,
            attempts=[one for epoch in epochs(suite, case.epochs) if (one := attempts.get((case.id, epoch)))],
        )
        for case in suite.cases
    ]
    wanted = sum(len(epochs(suite, case.epochs)) for case in suite.cases)
    result = RunResult(
        run=about.run,
        suite=about.suite,
        model=about.model,
        target=about.target,
        started_at=about.started_at,
        seconds=seconds,
        complete=sum(len(case.attempts) for case in cases) == wanted,
        cases=cases,
        pass_rate=pass_rate(cases),
        pass_at=by_k(cases, pass_at),
        pass_all=by_k(cases, pass_all),
        usage=Usage.sum(one.usage for case in cases for one in case.attempts),
    )
    result.thresholds = list(held(result, suite.thresholds))
    return result


def epochs(suite: Suite, of_case: int | None) -> range:
    return range(1, (of_case or suite.epochs) + 1)


def held(result: RunResult, wanted: Thresholds) -> Iterator[Held]:
    if wanted.pass_rate is not None:
        yield _least("pass_rate", wanted.pass_rate, result.pass_rate.value if result.pass_rate else 0)
    for name, by in (("pass_at", wanted.pass_at), ("pass_all", wanted.pass_all)):
        found = getattr(result, name)
        for k, least in by.items():
            yield _least(f"{name} {k}", least, found[k].value if k in found else 0)
    scores, tags = _scores(result.cases), _tags(result.cases)
    for name, least in wanted.scores.items():
        yield _least(f"score of {name}", least, scores.get(name, 0))
    for tag, least in wanted.tags.items():
        yield _least(f"pass rate of {tag}", least, tags.get(tag, 0))
    if wanted.p95_seconds is not None:
        yield _most("p95 seconds", wanted.p95_seconds, _p95([a.seconds for c in result.cases for a in c.attempts]))
    if wanted.total_tokens is not None:
        yield _most("total tokens", wanted.total_tokens, result.usage.total)


def _least(name: str, wanted: float, reached: float) -> Held:
    return Held(name=name, wanted=wanted, reached=reached, holds=reached >= wanted - 1e-9)


def _most(name: str, wanted: float, reached: float) -> Held:
    return Held(name=name, wanted=wanted, reached=reached, holds=reached <= wanted)


def _scores(cases: Sequence[CaseResult]) -> dict[str, float]:
    found = defaultdict[str, list[float]](list)
    for grade in (grade for case in cases for one in case.attempts for grade in one.grades):
        found[grade.grader].append(grade.score)
    return {name: sum(scores) / len(scores) for name, scores in found.items()}


def _tags(cases: Sequence[CaseResult]) -> dict[str, float]:
    found = defaultdict[str, list[float]](list)
    for case in cases:
        for tag in case.tags:
            found[tag].append(case.passed)
    return {tag: sum(passed) / len(passed) for tag, passed in found.items()}


def _p95(seconds: Sequence[float]) -> float:
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))] if ordered else 0


def out_of(suite: Suite, about: str) -> Path:
    """Where a run is kept that nobody named a place for."""
    return Path("eval-runs") / f"{suite.name.replace('/', '-').replace(' ', '-')}-{about}"
