"""What replays came to: plain JSON, and the same as the result of a run, for reports."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from evals.graders.grading import Grade
from evals.recording.acts import canonical
from evals.recording.differing import Difference
from evals.results import Attempt, CaseResult, Held, RunResult
from evals.transcript import Made, Transcript, Usage

Json = dict[str, Any]


class Did(BaseModel):
    """A call, or what was said, for who reads the diff."""

    model_config = ConfigDict(extra="forbid")

    name: str
    asked: Any = None


class Step(BaseModel):
    """One turn of the model, recorded and made again with the recorded ones before it."""

    model_config = ConfigDict(extra="forbid")

    #: What `--from` calls it.
    turn: int
    recorded: list[Did] = Field(default_factory=list[Did])
    made: list[Did] = Field(default_factory=list[Did])
    #: Empty where it is the same.
    differences: list[Difference] = Field(default_factory=list[Difference])

    @property
    def changed(self) -> bool:
        return bool(self.differences)


class RunReplay(BaseModel):
    """One recorded response, made again."""

    model_config = ConfigDict(extra="forbid")

    #: Id of the recorded response.
    response: str
    steps: list[Step] = Field(default_factory=list[Step])
    #: How often the server was asked.
    requests: int = 0
    seconds: float = 0
    usage: Usage = Field(default_factory=Usage)
    #: Why it could not be made to its end.
    fault: str | None = None
    #: What the server answered, for transcripts; no part of the diff.
    answers: list[Json] = Field(default_factory=list[Json], exclude=True)


class CaseReplay(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: str
    tags: list[str] = Field(default_factory=list[str])
    #: Several where responses go on with one another.
    runs: list[RunReplay] = Field(default_factory=list[RunReplay])

    @property
    def steps(self) -> list[tuple[RunReplay, Step]]:
        return [(run, step) for run in self.runs for step in run.steps]

    @property
    def changed(self) -> bool:
        return any(step.changed for _, step in self.steps)

    @property
    def fault(self) -> str | None:
        return next((run.fault for run in self.runs if run.fault), None)


class ReplayResult(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    #: The file of recordings, without its directory.
    file: str
    #: None: each with the model it was recorded with.
    model: str | None
    target: str
    results: Literal["recorded", "live"]
    started_at: str
    seconds: float = 0
    cases: list[CaseReplay] = Field(default_factory=list[CaseReplay])

    @property
    def changed(self) -> int:
        """Steps that differ."""
        return sum(step.changed for case in self.cases for _, step in case.steps)

    @property
    def faults(self) -> int:
        return sum(bool(case.fault) for case in self.cases)

    @property
    def status(self) -> Literal[0, 1, 2]:
        """Exit status: 0 the same, 1 something changed, 2 something could not be made again."""
        if self.faults:
            return 2
        return 1 if self.changed else 0


# ---------------------------------------------------------------- as the result of a run


def as_run(result: ReplayResult, id: str) -> RunResult:
    """A case passes where every step is the same; each step is a grade."""
    cases = [_case(case) for case in result.cases]
    steps = sum(len(case.steps) for case in result.cases)
    same = (steps - result.changed) / steps if steps else 1.0
    return RunResult(
        run=id,
        suite=f"replay of {result.file}",
        model=result.model,
        target=result.target,
        started_at=result.started_at,
        seconds=result.seconds,
        cases=cases,
        thresholds=[Held(name="steps the same", wanted=1.0, reached=same, holds=result.changed == 0)],
        usage=Usage.sum(one.usage for case in cases for one in case.attempts),
    )


def _case(case: CaseReplay) -> CaseResult:
    steps = case.steps
    same = sum(not step.changed for _, step in steps)
    attempt = Attempt(
        passed=not case.fault and same == len(steps),
        score=same / len(steps) if steps else 1.0,
        grades=[_grade(run, step, len(case.runs) > 1) for run, step in steps],
        seconds=sum(run.seconds for run in case.runs),
        usage=Usage.sum(run.usage for run in case.runs),
        fault=case.fault,
        transcript=Transcript(
            case=case.id, turns=[Made(responses=run.answers, seconds=run.seconds) for run in case.runs]
        ),
    )
    return CaseResult(id=case.id, tags=case.tags, attempts=[attempt])


def _grade(run: RunReplay, step: Step, several: bool) -> Grade:
    name = f"{run.response} step {step.turn}" if several else f"step {step.turn}"
    why = "; ".join(map(in_words, step.differences))
    return Grade(grader=name, score=float(not step.changed), passed=not step.changed, why=why)


def in_words(difference: Difference) -> str:
    match difference.what:
        case "missing":
            return f"{difference.name} is missing: {short(difference.recorded)}"
        case "added":
            return f"{difference.name} is new: {short(difference.made)}"
        case "arguments":
            told = f"{short(difference.recorded)} became {short(difference.made)}"
            return f"{difference.name} {difference.path}: {told}"
        case what:
            return f"{what} of {difference.name}: {short(difference.recorded)} became {short(difference.made)}"


def short(value: Any, chars: int = 160) -> str:
    """A value as one line, of which nothing steers a terminal."""
    text = " ".join(value.split()) if isinstance(value, str) else canonical(value)
    text = "".join(sign for sign in text if sign.isprintable())
    return text if len(text) <= chars else f"{text[: chars - 1]}…"
