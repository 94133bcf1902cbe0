"""A transcript and the graders of its case → the attempt's grades."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from openai import APIError, AsyncOpenAI

from evals.environment import variable
from evals.graders import CannotGrade, Grade, Grader, Means, expected
from evals.graders.wire import Refused
from evals.results import Attempt
from evals.suite.schema import Case, Judging, Suite
from evals.transcript import Transcript

#: A wrong key, a limit, a server that is away: they say nothing of what was asked.
_NO_VERDICT = frozenset({401, 403, 429, 502, 503, 504})


class Judge(NamedTuple):
    """The suite's judge, ready to be asked."""

    client: AsyncOpenAI
    model: str


@asynccontextmanager
async def judging(judge: Judging | None) -> AsyncGenerator[Judge | None]:
    if judge is None:
        yield None
        return
    url, key = judge.url or variable("OPENAI_BASE_URL"), variable(judge.api_key_env) or "none"
    async with AsyncOpenAI(base_url=url, api_key=key) as client:
        yield Judge(client, judge.model)


class Graders:
    """Of one suite."""

    def __init__(self, suite: Suite, judge: Judge | None) -> None:
        self._suite = suite
        self._judge = judge
        self._once: dict[object, object] = {}

    async def graded(self, case: Case, made: Transcript) -> Attempt:
        attempt = Attempt(epoch=made.epoch, seconds=made.seconds, usage=made.usage, fault=made.fault, transcript=made)
        if made.fault:
            return attempt
        means = self._means(case)
        if not any(isinstance(one, Refused) for one in graders_of(case)) and (refusals := _refusals(made)):
            attempt.grades = refusals
            attempt.fault = next((why for status, why in _told(made) if status in _NO_VERDICT), None)
            return attempt
        try:
            attempt.grades = await asyncio.gather(*(_graded(one, made, means) for one in graders_of(case)))
        except CannotGrade as problem:
            attempt.fault = str(problem)
            return attempt
        attempt.score = _score(attempt.grades, graders_of(case))
        attempt.passed = _passes(case, attempt)
        return attempt

    def _means(self, case: Case) -> Means:
        means = Means(item=case.item, judge=self._judge, canaries=self._suite.canaries, directory=self._suite.directory)
        means.once = self._once  # the same for all, where pydantic would copy it
        return means


def _refusals(made: Transcript) -> list[Grade]:
    """What was refused, where no grader looks for that."""
    return [Grade(grader="answered", score=0, passed=False, why=why) for _, why in _told(made)]


def _told(made: Transcript) -> list[tuple[int, str]]:
    return [
        (turn.error["status"], f"HTTP {turn.error['status']}: {turn.error['message']}")
        for turn in made.turns
        if turn.error
    ]


def graders_of(case: Case) -> list[Grader]:
    """Those of its turns look at their turn; `expect` is one, too."""
    found = [*case.graders, *([expected(case.expect)] if case.expect is not None else [])]
    for index, turn in enumerate(case.turns):
        found += [one if one.turn is not None else one.model_copy(update={"turn": index}) for one in turn.graders]
    return found


async def _graded(grader: Grader, made: Transcript, means: Means) -> Grade:
    try:
        return await grader.grade(made, means)
    except APIError as error:
        raise CannotGrade(f"The judge of {grader.called!r} cannot be asked: {error}.") from error


def _score(grades: Sequence[Grade], graders: Sequence[Grader]) -> float:
    weight = sum(one.weight for one in graders)
    return sum(grade.score * one.weight for grade, one in zip(grades, graders, strict=True)) / weight if weight else 1.0


def _passes(case: Case, attempt: Attempt) -> bool:
    if case.passing == "mean":
        return attempt.score >= case.pass_from
    return all(grade.passed for grade in attempt.grades)
