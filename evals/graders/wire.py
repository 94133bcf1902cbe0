"""Graders of the wire: what was refused and how, what a response says of itself, how a stream went."""

from typing import Literal

from pydantic import Field

from evals.graders.grading import Grade, Grader, Means
from evals.graders.looking import turns
from evals.graders.structured import Place
from evals.transcript import Transcript


class Refused(Grader):
    """The request was refused with this `status`, and the `param` and `code` that are named."""

    type: Literal["refused"]
    status: int = 400
    param: str | None = None
    code: str | None = None

    async def grade(self, made: Transcript, means: Means) -> Grade:
        looked_at = turns(self, made)
        error = looked_at[-1].error if looked_at else None
        if error is None:
            return self.given(0, False, "It was not refused.")
        wanted = {"status": self.status, "param": self.param, "code": self.code}
        wrong = [
            f"{name} {error.get(name)!r}" for name, value in wanted.items() if value not in (None, error.get(name))
        ]
        why = f"Refused with {', '.join(wrong)}." if wrong else f"Refused: {error.get('message')}"
        return self.given(float(not wrong), not wrong, why)


class ResponseField(Place):
    """What stands at `path` of the last response object; see `json_path`."""

    type: Literal["response"]

    async def grade(self, made: Transcript, means: Means) -> Grade:
        responses = [response for turn in turns(self, made) for response in turn.responses]
        if not responses:
            return self.given(0, False, "There is no response.")
        return self.compared(responses[-1], means)


class Events(Grader):
    """The stream was numbered without a gap, began and ended as streams do, and had `types` in this order, others
    between them."""

    type: Literal["events"]
    types: list[str] = Field(default_factory=list[str])
    last: str = "response.completed"

    async def grade(self, made: Transcript, means: Means) -> Grade:
        problems = [problem for turn in turns(self, made) for problem in self._problems(turn.events, turn.misnumbered)]
        why = "; ".join(problems) or "The stream is as it should be"
        return self.given(float(not problems), not problems, f"{why}.")

    def _problems(self, events: list[str], misnumbered: int) -> list[str]:
        if not events:
            return ["nothing was streamed"]
        problems = [f"{misnumbered} events bear a wrong number"] if misnumbered else []
        if events[0] != "response.created":
            problems.append(f"the first event is {events[0]}")
        if events[-1] != self.last:
            problems.append(f"the last event is {events[-1]}")
        at = 0
        for event in events:
            at += at < len(self.types) and event == self.types[at]
        return problems + ([f"{self.types[at]} is missing or too early"] if at < len(self.types) else [])
