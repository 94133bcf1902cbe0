"""Texts that a grader compares: a file with a grader of suites, and its judge if it has one."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml
from openai import APIError
from pydantic import BaseModel, ConfigDict, ValidationError

from evals.graders import AnyGrader, CannotGrade, Means
from evals.recording.differing import SameText, normal
from evals.running.grading import judging
from evals.suite.schema import Judging
from evals.transcript import Made, Transcript
from evals.unfit import Unfit

Json = dict[str, Any]

_EXPECTED = "expected 'grader:', one as suites have them, and perhaps 'judge:'"


class Comparing(BaseModel):
    """`{{item.recorded}}` in the grader is what was said then; it looks at what is said now."""

    model_config = ConfigDict(extra="forbid")

    grader: AnyGrader
    judge: Judging | None = None


def read(path: Path) -> Comparing:
    """Raises `Unfit`."""
    try:
        return Comparing.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as problem:
        raise Unfit(f"--grader {path}: it cannot be read ({problem}).") from problem
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        raise Unfit(
            f"{path}:{mark.line + 1 if mark else 1}: no YAML; expected 'grader:' and perhaps 'judge:'."
        ) from problem
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "the file"
        raise Unfit(f"{path}: {field}: {first['msg']}; {_EXPECTED}.") from problem


@asynccontextmanager
async def same_by(comparing: Comparing) -> AsyncGenerator[SameText]:
    """Texts of the same words are the same without asking."""
    async with judging(comparing.judge) as judge:

        async def same(recorded: str, made: str) -> bool:
            if await normal(recorded, made):
                return True
            try:
                return (
                    await comparing.grader.grade(_said(made), Means(item={"recorded": recorded}, judge=judge))
                ).passed
            except APIError as error:
                raise CannotGrade(f"The judge of texts cannot be asked: {error}.") from error

        yield same


def _said(text: str) -> Transcript:
    message = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}
    return Transcript(case="text", turns=[Made(responses=[{"output": [message]}])])
