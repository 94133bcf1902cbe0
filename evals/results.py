"""What a run of a suite came to. One JSON file, `result.json`; reports and comparisons are made of it."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from evals.graders.grading import Grade
from evals.transcript import Transcript, Usage

Json = dict[str, Any]


class Attempt(BaseModel):
    """One epoch of one case."""

    model_config = ConfigDict(extra="forbid")

    epoch: int = 1
    passed: bool = False
    #: Weighted mean of the grades, from 0 to 1.
    score: float = 0
    grades: list[Grade] = Field(default_factory=list[Grade])
    seconds: float = 0
    usage: Usage = Field(default_factory=Usage)
    #: Why there is no verdict; counts as not passed, and makes the run's exit status 2.
    fault: str | None = None
    transcript: Transcript | None = None


class CaseResult(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: str
    tags: list[str] = Field(default_factory=list[str])
    item: Json = Field(default_factory=dict[str, Any])
    attempts: list[Attempt] = Field(default_factory=list[Attempt])

    @property
    def passed(self) -> float:
        """Part of its epochs that passed."""
        return sum(one.passed for one in self.attempts) / len(self.attempts) if self.attempts else 0.0

    @property
    def score(self) -> float:
        return sum(one.score for one in self.attempts) / len(self.attempts) if self.attempts else 0.0


class Figure(BaseModel):
    """A figure with the interval it is likely in (95 %)."""

    value: float
    low: float
    high: float


class Held(BaseModel):
    """A threshold and what was reached."""

    name: str
    wanted: float
    reached: float
    holds: bool


class RunResult(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    #: The same for a run and what resumes it.
    run: str
    suite: str
    model: str | None = None
    #: The server's address without credentials, or `module:graph`.
    target: str
    #: ISO 8601, UTC.
    started_at: str
    seconds: float = 0
    #: Whether every case was asked as often as it was to be.
    complete: bool = True
    cases: list[CaseResult] = Field(default_factory=list[CaseResult])
    pass_rate: Figure | None = None
    #: By k.
    pass_at: dict[int, Figure] = Field(default_factory=dict[int, Figure])
    pass_all: dict[int, Figure] = Field(default_factory=dict[int, Figure])
    thresholds: list[Held] = Field(default_factory=list[Held])
    usage: Usage = Field(default_factory=Usage)

    @property
    def faults(self) -> int:
        return sum(bool(one.fault) for case in self.cases for one in case.attempts)

    @property
    def status(self) -> Literal[0, 1, 2]:
        """Exit status: 0 all thresholds hold, 1 one does not, 2 something could not be run."""
        if self.faults or not self.complete:
            return 2
        return 0 if all(one.holds for one in self.thresholds) else 1
