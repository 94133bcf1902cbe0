"""Graders held against transcripts, without a run around them."""

from typing import Any

from pydantic import TypeAdapter

from evals.graders import AnyGrader, Grade, Means
from evals.transcript import Made, Transcript
from tests.evals.results_made import asked, said

Json = dict[str, Any]
_GRADER: TypeAdapter[Any] = TypeAdapter(AnyGrader)


def spoken(*texts: str, **more: Any) -> Transcript:
    """A turn each."""
    turns = [Made(input=[asked("?")], responses=[{"output": [said(text)]}]) for text in texts]
    return Transcript(case="case", turns=turns, **more)


def did(*items: Json, **more: Any) -> Transcript:
    """One turn with these items."""
    return Transcript(case="case", turns=[Made(responses=[{"output": list(items)}])], **more)


async def grade(grader: Json, made: Transcript | str, means: Means | None = None, **item: Any) -> Grade:
    transcript = spoken(made) if isinstance(made, str) else made
    return await _GRADER.validate_python(grader).grade(transcript, means or Means(item=item))


async def passes(grader: Json, made: Transcript | str, means: Means | None = None, **item: Any) -> bool:
    found = await grade(grader, made, means, **item)
    assert found.why and (found.score >= 0.5 if found.passed else found.score < 1), found
    return found.passed
