"""What a case came to, in a word and in a sentence."""

from collections.abc import Iterator
from typing import Literal

from evals.results import Attempt, CaseResult

#: `flaky`: some epochs passed. `fault`: there is no verdict on at least one. `missing`: it was not asked.
Outcome = Literal["passed", "flaky", "failed", "fault", "missing"]

#: How each is shown: never by its colour alone.
MARKS: dict[Outcome, str] = {"passed": "✓", "flaky": "≈", "failed": "✗", "fault": "!", "missing": "·"}


def outcome(case: CaseResult) -> Outcome:
    if not case.attempts:
        return "missing"
    if any(one.fault for one in case.attempts):
        return "fault"
    if all(one.passed for one in case.attempts):
        return "passed"
    return "flaky" if any(one.passed for one in case.attempts) else "failed"


def reasons(attempt: Attempt) -> Iterator[str]:
    """Why it has not passed: one line a reason."""
    if attempt.fault:
        yield f"fault: {attempt.fault}"
    if not attempt.passed:
        for grade in attempt.grades:
            if not grade.passed:
                yield f"{grade.grader}: {grade.why or f'score {grade.score:.2f}'}"


def first_reason(case: CaseResult) -> str:
    """Of the first epoch that did not pass; empty where all passed."""
    return next((why for attempt in case.attempts for why in reasons(attempt)), "")
