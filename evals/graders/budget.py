"""Graders of what a run cost."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from evals.graders.grading import CannotGrade, Grade, Grader, Means
from evals.graders.looking import calls, turns
from evals.transcript import Transcript

_MILLION = 1_000_000


class Budget(Grader):
    """None of these is more than it may be. Tokens and repairs are those of the whole case."""

    type: Literal["budget"]
    seconds: float | None = Field(default=None, gt=0)
    first_text_s: float | None = Field(default=None, gt=0)
    total_tokens: int | None = Field(default=None, ge=0)
    output_tokens: int | None = Field(default=None, ge=0)
    calls: int | None = Field(default=None, ge=0)
    #: Responses that were made, those that answer client's tools among them.
    responses: int | None = Field(default=None, ge=0)
    #: In the currency of the prices, which are for a million tokens.
    cost: float | None = Field(default=None, gt=0)
    input_price: float = Field(default=0, ge=0)
    output_price: float = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _something(self) -> "Budget":
        if all(getattr(self, name) is None for name in _LIMITS):
            raise ValueError(f"a budget limits something: {', '.join(_LIMITS)}")
        if self.cost is not None and not (self.input_price or self.output_price):
            raise ValueError("a cost wants input_price and output_price, for a million tokens")
        return self

    async def grade(self, made: Transcript, means: Means) -> Grade:
        spent = self._spent(made)
        limits = {name: getattr(self, name) for name in _LIMITS if getattr(self, name) is not None}
        over = [f"{name} {spent[name]:g} of {limit:g}" for name, limit in limits.items() if spent[name] > limit]
        held = [f"{name} {spent[name]:g} of {limit:g}" for name, limit in limits.items() if spent[name] <= limit]
        return self.given(len(held) / len(limits), not over, f"{'; '.join(over or held)}.")

    def _spent(self, made: Transcript) -> dict[str, float]:
        looked_at = turns(self, made)
        first = [turn.first_text_s for turn in looked_at if turn.first_text_s is not None]
        if self.first_text_s is not None and not first:
            raise CannotGrade(f"{self.called!r} limits the first text: the case must be streamed.")
        usage = made.usage
        return {
            "seconds": sum(turn.seconds for turn in looked_at),
            "first_text_s": max(first, default=0),
            "total_tokens": usage.total,
            "output_tokens": usage.output,
            "calls": len(calls(self, made)),
            "responses": sum(len(turn.responses) for turn in looked_at),
            "cost": (usage.input * self.input_price + usage.output * self.output_price) / _MILLION,
        }


_LIMITS = ("seconds", "first_text_s", "total_tokens", "output_tokens", "calls", "responses", "cost")


class Repairs(Grader):
    """Answers of the model that were of no use and had to be asked for again are at most `at_most`."""

    wants_recording: ClassVar[bool] = True

    type: Literal["repairs"]
    at_most: int = Field(default=0, ge=0)

    async def grade(self, made: Transcript, means: Means) -> Grade:
        if made.repairs is None:
            raise CannotGrade(f"{self.called!r} wants to know of repairs; this target does not tell.")
        holds = made.repairs <= self.at_most
        return self.given(float(holds), holds, f"{made.repairs} repairs, {self.at_most} allowed.")
