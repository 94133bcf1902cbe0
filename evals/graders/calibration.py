"""How far a judge agrees with people, before it is believed."""

import asyncio
import json
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evals.graders.grading import CannotGrade, Means

Json = dict[str, Any]


class Known(BaseModel):
    """An answer, and whether it is good."""

    model_config = ConfigDict(extra="forbid")

    output_text: str
    item: Json = Field(default_factory=dict[str, Any])
    passes: bool


class Calibration(BaseModel):
    model_config = ConfigDict(extra="forbid")

    #: In the suite, or in a file of JSON lines beside it.
    examples: list[Known] = Field(default_factory=list[Known])
    file: str | None = None
    #: In how many of them the judge must say the same: a part.
    agreement: float = Field(default=0.8, ge=0, le=1)


class Judging(Protocol):
    @property
    def called(self) -> str: ...

    async def verdict(self, names: Json, means: Means) -> tuple[float, bool, str, int]: ...


async def calibrated(judge: Judging, given: Calibration, means: Means) -> str:
    """What to add to a reason. Asked once a run, whatever is graded first. Raises `CannotGrade`."""
    asking = means.once.setdefault(("calibration", id(given)), asyncio.Lock())
    async with asking:
        if (known := means.once.get(("agreement", id(given)))) is None:
            known = means.once["agreement", id(given)] = await _agreement(judge, _examples(judge, given, means), means)
    agreed, count, kappa = known
    said = f"the judge agrees with {agreed} of {count} known verdicts (kappa {kappa:.2f})"
    if agreed < given.agreement * count:
        raise CannotGrade(f"{judge.called!r}: {said}, {given.agreement:.0%} are wanted: change its messages or model.")
    return f" ({said})"


def _examples(judge: Judging, given: Calibration, means: Means) -> list[Known]:
    found = [*given.examples]
    if given.file:
        path = Path(means.directory, given.file)
        try:
            lines = [line for line in path.read_text("utf-8").split("\n") if line.strip()]
            found += [Known.model_validate(json.loads(line)) for line in lines]
        except (OSError, ValueError, ValidationError) as problem:
            said = str(problem).splitlines()[0]
            raise CannotGrade(f"{path} cannot be read as known verdicts of {judge.called!r}: {said}.") from problem
    if not found:
        raise CannotGrade(f"{judge.called!r}: its calibration has no examples.")
    return found


async def _agreement(judge: Judging, known: list[Known], means: Means) -> tuple[int, int, float]:
    """How many verdicts are the same, of how many, and Cohen's kappa: 1 always, 0 as often as by chance."""
    given = [(one.passes, await _passes(judge, one, means)) for one in known]
    agreed, count = sum(a == b for a, b in given), len(given)
    people, model = (sum(side) / count for side in zip(*given, strict=True))
    chance = people * model + (1 - people) * (1 - model)
    return agreed, count, (agreed / count - chance) / (1 - chance) if chance < 1 else 1.0


async def _passes(judge: Judging, known: Known, means: Means) -> bool:
    names = {"item": known.item, "sample": {"output_text": known.output_text, "output_json": {}, "output_tools": []}}
    return (await judge.verdict(names, means))[1]
