"""Graders that ask a model: a score, or a label.

Both are OpenAI's. Source: `openai.types.graders.ScoreModelGrader`, `LabelModelGrader`. The judge is the suite's own
model at its own address. What is graded may speak to the judge, too: a suite says so in its messages, and measures with
a calibration how far the judge can be trusted.
"""

import json
from typing import Any, Literal, Self

from openai import AsyncOpenAI
from pydantic import Field, model_validator

from evals.graders.calibration import Calibration, calibrated
from evals.graders.grading import CannotGrade, Grade, Grader, Means
from evals.graders.looking import cut, text
from evals.graders.text import named
from evals.templates import filled
from evals.transcript import Transcript

Json = dict[str, Any]
#: How often a judge is asked whose answer cannot be read.
_TIMES = 3
#: OpenAI's names of sampling parameters of graders → those of requests.
_SAMPLING = {"max_completions_tokens": "max_output_tokens", "max_completion_tokens": "max_output_tokens"}
_UNKNOWN = frozenset({"seed", "reasoning_effort"})


class Judged(Grader):
    """What both have in common."""

    #: Messages to the judge: templates that name `{{sample.output_text}}` and `{{item.x}}`.
    input: list[Json] = Field(min_length=1)
    #: Default: the judge's.
    model: str | None = None
    sampling_params: Json = Field(default_factory=dict[str, Any])
    #: Answers whose verdicts are known; a judge that agrees too seldom may not grade.
    calibration: Calibration | None = None

    async def grade(self, made: Transcript, means: Means) -> Grade:
        if means.judge is None:
            raise CannotGrade(f"{self.called!r} asks a model: name it in the suite (`judge: {{model: …, url: …}}`).")
        agreed = await calibrated(self, self.calibration, means) if self.calibration else ""
        score, passed, why, tokens = await self.verdict(named(made, text(self, made), means), means)
        return self.given(score, passed, f"{why}{agreed}", tokens)

    async def verdict(self, names: Json, means: Means) -> tuple[float, bool, str, int]:
        """Score from 0 to 1, whether it passes, why, tokens."""
        raise NotImplementedError

    async def asked(self, names: Json, means: Means, answer: Json) -> tuple[Json, int]:
        """What the judge says in `answer`'s shape, and its tokens. Raises `CannotGrade`."""
        client: AsyncOpenAI = means.judge.client
        fields = {"why": {"type": "string"}, **answer}
        schema = {"type": "object", "properties": fields, "required": [*fields], "additionalProperties": False}
        request: Json = {
            "model": self.model or means.judge.model,
            "input": [_message(one) for one in filled(self.input, **names)],
            "text": {"format": {"type": "json_schema", "name": "verdict", "strict": True, "schema": schema}},
            "store": False,
            **self._sampling(),
        }
        tokens = 0
        for _ in range(_TIMES):
            response = await client.responses.create(**request)
            tokens += response.usage.total_tokens if response.usage else 0
            if (said := _read(response.output_text, [*fields])) is not None:
                return said, tokens
        raise CannotGrade(f"The judge of {self.called!r} says {cut(response.output_text)} instead of a verdict.")

    def _sampling(self) -> Json:
        given = {_SAMPLING.get(name, name): one for name, one in self.sampling_params.items() if name not in _UNKNOWN}
        effort = self.sampling_params.get("reasoning_effort")
        return {**given, **({"reasoning": {"effort": effort}} if effort else {})}


class ScoreModel(Judged):
    """The judge gives a number in `range`."""

    type: Literal["score_model"]
    range: tuple[float, float] = (0, 1)
    #: In `range`; default: its middle.
    pass_threshold: float | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.range[0] >= self.range[1]:
            raise ValueError("a range is two numbers, the smaller one first")
        return self

    async def verdict(self, names: Json, means: Means) -> tuple[float, bool, str, int]:
        low, high = self.range
        said, tokens = await self.asked(names, means, {"score": {"type": "number"}})
        score, least = said["score"], (low + high) / 2 if self.pass_threshold is None else self.pass_threshold
        if isinstance(score, bool) or not isinstance(score, int | float) or not low <= score <= high:
            raise CannotGrade(
                f"The judge of {self.called!r} gives {cut(score)}, which is not from {low:g} to {high:g}."
            )
        why = f"The judge gives {score:g} of {high:g}, wanted {least:g}: {said['why']}"
        return (score - low) / (high - low), score >= least, why, tokens


class LabelModel(Judged):
    """The judge gives one of `labels`."""

    type: Literal["label_model"]
    labels: list[str] = Field(min_length=2)
    passing_labels: list[str] = Field(min_length=1)

    @model_validator(mode="after")
    def _known(self) -> Self:
        if unknown := set(self.passing_labels) - set(self.labels):
            raise ValueError(f"passing_labels are among labels; {', '.join(sorted(unknown))} is not")
        return self

    async def verdict(self, names: Json, means: Means) -> tuple[float, bool, str, int]:
        said, tokens = await self.asked(names, means, {"label": {"type": "string", "enum": self.labels}})
        label = said["label"]
        if label not in self.labels:
            raise CannotGrade(f"The judge of {self.called!r} says {cut(label)}, which is none of its labels.")
        holds = label in self.passing_labels
        return float(holds), holds, f"The judge says {label!r}: {said['why']}", tokens


def _message(given: Json) -> Json:
    """OpenAI's graders have one part where requests have a list."""
    content = given.get("content")
    if isinstance(content, dict):
        content = content["text"] if isinstance(content.get("text"), str) else [content]
    return {"role": given.get("role", "user"), "content": content}


def _read(said: str, fields: list[str]) -> Json | None:
    try:
        value = json.loads(said)
    except ValueError:
        return None
    return value if isinstance(value, dict) and set(fields) <= set(value) else None
