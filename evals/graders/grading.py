"""What a grader is: a part of a suite that looks at a transcript and gives a grade."""

from typing import Any, ClassVar, Protocol

from openai import AsyncOpenAI
from pydantic import BaseModel, ConfigDict, Field

from evals.transcript import Transcript

Json = dict[str, Any]


class Grade(BaseModel):
    """What one grader says of one transcript."""

    model_config = ConfigDict(extra="forbid")

    #: Its name in the suite, else its type.
    grader: str
    #: From 0 to 1.
    score: float = Field(ge=0, le=1)
    passed: bool
    #: What was found and what was expected, in a sentence; fit for a report.
    why: str = ""
    #: Tokens a judge has used.
    judge_tokens: int = 0


class Judge(Protocol):
    """The model that judges: its own address and key, never those of the target."""

    @property
    def client(self) -> AsyncOpenAI: ...

    @property
    def model(self) -> str: ...


class Means(BaseModel):
    """What graders may use, and what they know of the case."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    #: The case's `item`: its variables, as templates `{{item.x}}` name them.
    item: Json = Field(default_factory=dict[str, Any])
    #: None where the suite names no judge: graders that want one say how to name one (a fault, not a verdict).
    judge: Any = None
    #: Strings that must show nowhere: the suite's canaries.
    canaries: list[str] = Field(default_factory=list[str])
    #: The suite's directory, for files that graders name.
    directory: str = "."
    #: What graders find out once a run.
    once: dict[Any, Any] = Field(default_factory=dict[Any, Any])


class CannotGrade(Exception):
    """A grader lacks what it needs; the message says what, and how to give it. Counts as a fault of the run."""


class Grader(BaseModel):
    """Base of every grader: its fields are what a suite says of it. `type: Literal["…"]` tells them apart."""

    model_config = ConfigDict(extra="forbid")

    #: Whether it looks at the transcript's `path`, `state` or `repairs`, which have to be asked for.
    wants_recording: ClassVar[bool] = False

    #: What reports call it; its type unless given.
    name: str | None = None
    #: Which turn it looks at: an index (from 0, or from the end); None for the whole transcript, whose text is the
    #: last turn's.
    turn: int | None = None
    #: How much it counts in the case's score.
    weight: float = Field(default=1, ge=0)
    #: Passes when it would fail, and the other way round.
    negate: bool = False

    @property
    def called(self) -> str:
        return self.name or str(getattr(self, "type", type(self).__name__))

    async def grade(self, made: Transcript, means: Means) -> Grade:
        """Raises `CannotGrade`."""
        raise NotImplementedError

    def given(self, score: float, passed: bool, why: str, judge_tokens: int = 0) -> Grade:
        """Its grade, turned round where it is negated."""
        if self.negate:
            score, passed = 1 - score, not passed
        return Grade(grader=self.called, score=score, passed=passed, why=why, judge_tokens=judge_tokens)
