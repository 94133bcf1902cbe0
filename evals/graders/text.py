"""Graders of texts: equal, containing, matching.

`string_check` is OpenAI's. Source: `openai.types.graders.StringCheckGrader`.
"""

from typing import Literal

import regex
from pydantic import Field, field_validator

from evals.graders.grading import CannotGrade, Grade, Grader, Means
from evals.graders.looking import cut, parsed, text
from evals.templates import filled
from evals.transcript import Transcript

#: Seconds one pattern may take: a suite's author can write one that never ends.
_LIMIT_S = 2.0


def named(made: Transcript, said: str, means: Means) -> dict[str, object]:
    """What templates of graders may name, as OpenAI's do."""
    tools = [item for item in made.items if item.get("type") == "function_call"]
    return {"item": means.item, "sample": {"output_text": said, "output_json": _json(said), "output_tools": tools}}


def _json(said: str) -> object:
    value = parsed(said)
    return {} if isinstance(value, str) else value


class StringCheck(Grader):
    """`input` and `reference` are templates: `{{sample.output_text}}`, `{{item.answer}}`."""

    type: Literal["string_check"]
    input: str = "{{sample.output_text}}"
    reference: str
    operation: Literal["eq", "ne", "like", "ilike"] = "eq"

    async def grade(self, made: Transcript, means: Means) -> Grade:
        names = named(made, text(self, made), means)
        found, wanted = filled(self.input, **names), filled(self.reference, **names)
        match self.operation:
            case "eq":
                holds = found == wanted
            case "ne":
                holds = found != wanted
            case "like":
                holds = wanted in found
            case "ilike":
                holds = wanted.casefold() in found.casefold()
        return self.given(float(holds), holds, f"{cut(found)} {self.operation} {cut(wanted)} is {holds}.".lower())


class Exact(Grader):
    """The text, less blanks around it, is `value`, or one of several."""

    type: Literal["exact"]
    value: str | list[str]
    ignore_case: bool = False

    async def grade(self, made: Transcript, means: Means) -> Grade:
        wanted = filled([self.value] if isinstance(self.value, str) else self.value, item=means.item)
        found = text(self, made).strip()
        holds = self._same(found) in [self._same(one.strip()) for one in wanted]
        return self.given(float(holds), holds, f"The text is {cut(found)}, wanted {cut(' or '.join(wanted))}.")

    def _same(self, said: str) -> str:
        return said.casefold() if self.ignore_case else said


class Contains(Grader):
    """The text holds all of `values`, or any of them; the score is the part it holds."""

    type: Literal["contains"]
    values: list[str] = Field(min_length=1)
    any: bool = False
    ignore_case: bool = True

    async def grade(self, made: Transcript, means: Means) -> Grade:
        said, wanted = text(self, made), filled(self.values, item=means.item)
        found = [one for one in wanted if self._has(said, one)]
        holds = bool(found) if self.any else len(found) == len(wanted)
        missing = [one for one in wanted if one not in found]
        why = "Everything is there." if not missing else f"{cut(said)} lacks {', '.join(map(cut, missing))}."
        return self.given(1.0 if holds else len(found) / len(wanted), holds, why)

    def _has(self, said: str, wanted: str) -> bool:
        return wanted.casefold() in said.casefold() if self.ignore_case else wanted in said


class Regex(Grader):
    """The text matches somewhere, or from its beginning to its end (`full`)."""

    type: Literal["regex"]
    pattern: str
    full: bool = False
    ignore_case: bool = False

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            regex.compile(pattern)
        except regex.error as error:
            raise ValueError(f"no regular expression: {error}") from error
        return pattern

    async def grade(self, made: Transcript, means: Means) -> Grade:
        said = text(self, made)
        pattern = regex.compile(self.pattern, regex.IGNORECASE if self.ignore_case else 0)
        try:
            found = (pattern.fullmatch if self.full else pattern.search)(said, timeout=_LIMIT_S)
        except TimeoutError:
            raise CannotGrade(f"The pattern of {self.called!r} takes longer than {_LIMIT_S:g} s.") from None
        holds = found is not None
        return self.given(
            float(holds), holds, f"{cut(said)} {'matches' if holds else 'does not match'} {self.pattern}."
        )


def expected(answer: str) -> Exact:
    """What `expect` of a case is short for."""
    return Exact(type="exact", value=answer, name="expect")
