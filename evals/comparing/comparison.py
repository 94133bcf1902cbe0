"""What a comparison of two runs came to: plain JSON, for tables, pages and machines."""

from typing import Literal

from pydantic import BaseModel, Field

from evals.comparing.text import Piece
from evals.results import Figure

#: `unclear`: it moved, and chance may have moved it.
Verdict = Literal["worse", "better", "unclear", "same"]
#: `regressed`, `improved`: beyond chance, or asked once on each side. `worse`, `better`: too few epochs to tell.
Move = Literal["regressed", "worse", "gone", "new", "improved", "better", "same"]
#: The order in which cases are shown.
MOVES: tuple[Move, ...] = ("regressed", "worse", "gone", "improved", "better", "new", "same")


class Side(BaseModel):
    run: str
    suite: str
    model: str | None
    target: str
    started_at: str
    status: int
    faults: int
    cases: int
    pass_rate: Figure | None


class Change(BaseModel):
    """Of one figure, over the cases that both sides have."""

    name: str
    before: float
    after: float
    #: The difference, or for costs the ratio, with the interval it is in with 95 %.
    by: float
    low: float
    high: float
    p: float
    #: How many were paired.
    cases: int
    verdict: Verdict
    unit: Literal["part", "s", "tokens"] = "part"


class GradeChange(BaseModel):
    """Of one grader of one case: mean score, part that passed, and a reason, on each side; None where it was not."""

    grader: str
    score: tuple[float | None, float | None]
    passed: tuple[float | None, float | None]
    why: tuple[str, str]


class CaseChange(BaseModel):
    id: str
    tags: list[str]
    move: Move
    #: Each pair: before, after.
    passed: tuple[float | None, float | None]
    epochs: tuple[int, int]
    score: tuple[float | None, float | None]
    seconds: tuple[float | None, float | None]
    tokens: tuple[float | None, float | None]
    grades: list[GradeChange] = Field(default_factory=list[GradeChange])
    #: Types of items, and names of what was called, in order.
    steps: tuple[list[str], list[str]] = ([], [])
    question: str = ""
    #: Of the last texts; empty where they are equal.
    diff: list[Piece] = Field(default_factory=list[Piece])
    text: str = ""


class Comparison(BaseModel):
    version: Literal[1] = 1
    before: Side
    after: Side
    pass_rate: Change
    #: Mean score, then mean scores by grader, then pass rates by tag.
    score: Change
    graders: list[Change]
    tags: list[Change]
    #: Ratios: time, tokens in and out.
    costs: list[Change]
    #: Regressions first.
    cases: list[CaseChange]

    def count(self, *moves: Move) -> int:
        return sum(case.move in moves for case in self.cases)

    def regressed(self, fail_on: Literal["suite", "case", "any"]) -> bool:
        """`suite`: the pass rate fell beyond chance. `case`: that, or a case did. `any`: or a case fell at all."""
        moves: dict[str, tuple[Move, ...]] = {"suite": (), "case": ("regressed",), "any": ("regressed", "worse")}
        return self.pass_rate.verdict == "worse" or self.count(*moves[fail_on]) > 0
