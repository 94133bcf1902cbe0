"""One case on both sides."""

from collections.abc import Callable, Iterator

from evals.comparing.chance import SURE, fell_by_chance
from evals.comparing.comparison import CaseChange, GradeChange, Move
from evals.comparing.text import Piece, pieces
from evals.graders.grading import Grade
from evals.report.summary import mean, middle
from evals.results import Attempt, CaseResult

Sides = tuple[CaseResult | None, CaseResult | None]


def changed(before: CaseResult | None, after: CaseResult | None) -> CaseChange:
    """At least one of them is there."""
    sides = (before if before and before.attempts else None, after if after and after.attempts else None)
    move = _move(*sides)
    shown = (_telling(sides[0], passed=True), _telling(sides[1], passed=move in {"improved", "better", "new", "same"}))
    texts = (_text(shown[0]), _text(shown[1]))
    there = after or before
    assert there
    return CaseChange(
        id=there.id,
        tags=there.tags,
        move=move,
        passed=_both(sides, lambda case: case.passed),
        epochs=(len(before.attempts) if before else 0, len(after.attempts) if after else 0),
        score=_both(sides, lambda case: case.score),
        seconds=_both(sides, lambda case: middle([one.seconds for one in case.attempts])),
        tokens=_both(sides, lambda case: middle([one.usage.total for one in case.attempts])),
        grades=list(_grades(sides)),
        steps=(_steps(shown[0]), _steps(shown[1])),
        question=_question(shown[1] or shown[0]),
        diff=_diff(sides, texts),
        text=texts[1] or texts[0],
    )


def _both(sides: Sides, reading: Callable[[CaseResult], float]) -> tuple[float | None, float | None]:
    before, after = (reading(case) if case else None for case in sides)
    return before, after


def _move(before: CaseResult | None, after: CaseResult | None) -> Move:
    if before is None or after is None:
        return "same" if before is after else "new" if before is None else "gone"
    if before.passed == after.passed:
        return "same"
    fell = before.passed > after.passed
    first, second = (before, after) if fell else (after, before)
    passed = (sum(one.passed for one in first.attempts), sum(one.passed for one in second.attempts))
    asked = (len(first.attempts), len(second.attempts))
    sure = asked == (1, 1) or fell_by_chance(passed, asked) <= SURE
    if fell:
        return "regressed" if sure else "worse"
    return "improved" if sure else "better"


def _telling(case: CaseResult | None, passed: bool) -> Attempt | None:
    """The first epoch that passed, or did not; else the first."""
    attempts = case.attempts if case else []
    return next((one for one in attempts if one.passed == passed), attempts[0] if attempts else None)


def _text(attempt: Attempt | None) -> str:
    return attempt.transcript.text if attempt and attempt.transcript else ""


def _diff(sides: Sides, texts: tuple[str, str]) -> list[Piece]:
    return pieces(*texts) if all(sides) and texts[0] != texts[1] else []


def _steps(attempt: Attempt | None) -> list[str]:
    items = attempt.transcript.items if attempt and attempt.transcript else []
    return [f"{item['type']} {item['name']}" if item.get("name") else str(item.get("type", "?")) for item in items]


def _question(attempt: Attempt | None) -> str:
    """What the user said first."""
    turns = attempt.transcript.turns if attempt and attempt.transcript else []
    for item in turns[0].input if turns else []:
        content = item.get("content")
        if isinstance(content, str):
            return content
        parts = content if isinstance(content, list) else []  # a case may ask what no server takes
        if texts := [part.get("text") or "" for part in parts if isinstance(part, dict)]:
            return "".join(texts)
    return ""


def _grades(sides: Sides) -> Iterator[GradeChange]:
    """Those that changed first."""
    before, after = (_by_grader(case) for case in sides)
    found = [_grade(name, before.get(name, []), after.get(name, [])) for name in dict.fromkeys([*before, *after])]
    yield from sorted(found, key=lambda one: one.score[0] == one.score[1] and one.passed[0] == one.passed[1])


def _by_grader(case: CaseResult | None) -> dict[str, list[Grade]]:
    found: dict[str, list[Grade]] = {}
    for attempt in case.attempts if case else []:
        for grade in attempt.grades:
            found.setdefault(grade.grader, []).append(grade)
    return found


def _grade(name: str, before: list[Grade], after: list[Grade]) -> GradeChange:
    return GradeChange(
        grader=name,
        score=(_score(before), _score(after)),
        passed=(_part(before), _part(after)),
        why=(_why(before), _why(after)),
    )


def _score(grades: list[Grade]) -> float | None:
    return mean([grade.score for grade in grades]) if grades else None


def _part(grades: list[Grade]) -> float | None:
    return mean([float(grade.passed) for grade in grades]) if grades else None


def _why(grades: list[Grade]) -> str:
    """Of the first that did not pass, else of the first."""
    return next((grade.why for grade in grades if not grade.passed), grades[0].why if grades else "")
