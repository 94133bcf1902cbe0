"""Graders of answers that are JSON or numbers."""

from collections.abc import Iterator
from typing import Any, Literal

import jsonschema
import regex
from pydantic import Field, field_validator

from evals.graders.grading import Grade, Grader, Means
from evals.graders.looking import cut, parsed, text
from evals.templates import filled
from evals.transcript import Transcript

Json = dict[str, Any]

_NUMBER = regex.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?:[eE][-+]?\d+)?")
_FENCED = regex.compile(r"^\s*```(?:json)?\s*(.*?)\s*```\s*$", regex.DOTALL)
_NOTHING = object()


class JsonSchema(Grader):
    """The text is JSON that fits `schema`."""

    type: Literal["json_schema"]
    schema_: Json = Field(alias="schema")
    #: Whether a fence of Markdown around it is let pass.
    fenced: bool = False

    @field_validator("schema_")
    @classmethod
    def _is_schema(cls, schema: Json) -> Json:
        try:
            jsonschema.validators.validator_for(schema).check_schema(schema)
        except jsonschema.SchemaError as error:
            raise ValueError(f"no JSON Schema: {error.message}") from error
        return schema

    async def grade(self, made: Transcript, means: Means) -> Grade:
        said = text(self, made)
        fenced = _FENCED.match(said) if self.fenced else None
        value = parsed(fenced[1] if fenced else said)
        if isinstance(value, str):
            return self.given(0, False, f"{cut(said)} is no JSON.")
        problem = jsonschema.exceptions.best_match(
            jsonschema.validators.validator_for(self.schema_)(self.schema_).iter_errors(value)
        )
        if problem is None:
            return self.given(1, True, "It fits.")
        where = "/".join(map(str, problem.absolute_path)) or "the whole"
        return self.given(0, False, f"{where}: {problem.message[:300]}.")


class Place(Grader):
    """Base of graders that look at a place in JSON: `order.items[0].name`; `[-1]` is the last, `[*]` each of them."""

    path: str
    equals: Any = None
    contains: str | None = None
    exists: bool | None = None

    def compared(self, value: Any, means: Means) -> Grade:
        """What stands there in `value`, against what is wanted."""
        found = list(at(value, self.path))
        if self.exists is not None:
            holds = bool(found) is self.exists
            return self.given(float(holds), holds, f"{self.path} is {'there' if found else 'not there'}.")
        if not found:
            return self.given(0, False, f"There is nothing at {self.path}.")
        if self.contains is not None:
            text = filled(self.contains, item=means.item)
            holds = any(text in (one if isinstance(one, str) else str(one)) for one in found)
            return self.given(float(holds), holds, f"{self.path} is {cut(found[0])}, wanted {cut(text)} in it.")
        equal = filled(self.equals, item=means.item)
        holds = equal in found
        return self.given(float(holds), holds, f"{self.path} is {cut(found[0])}, wanted {cut(equal)}.")


class JsonPath(Place):
    """What stands at `path` of the JSON the text is."""

    type: Literal["json_path"]

    async def grade(self, made: Transcript, means: Means) -> Grade:
        return self.compared(parsed(text(self, made)), means)


class Numeric(Grader):
    """A number in the text is `value`, give or take `tolerance` (and `relative` × value)."""

    type: Literal["numeric"]
    value: float | str
    tolerance: float = Field(default=0, ge=0)
    relative: float = Field(default=0, ge=0)
    #: Which number of the text counts.
    which: Literal["last", "first", "any"] = "last"

    async def grade(self, made: Transcript, means: Means) -> Grade:
        wanted = float(filled(self.value, item=means.item))
        found = [float(one.replace(",", "")) for one in _NUMBER.findall(text(self, made))]
        counted = found if self.which == "any" else found[-1:] if self.which == "last" else found[:1]
        near = [one for one in counted if abs(one - wanted) <= self.tolerance + self.relative * abs(wanted) + 1e-12]
        why = f"Found {', '.join(f'{one:g}' for one in counted) or 'no number'}, wanted {wanted:g}."
        return self.given(float(bool(near)), bool(near), why)


# ---------------------------------------------------------------- paths into JSON


def at(value: Any, path: str) -> Iterator[Any]:
    """Everything at a path."""
    places: list[Any] = [value]
    for step in regex.findall(r"[^.\[\]]+|\[\*\]|\[-?\d+\]", path):
        places = [found for place in places for found in _next(place, step)]
    yield from places


def _next(place: Any, step: str) -> Iterator[Any]:
    if step in ("[*]", "*"):
        yield from place.values() if isinstance(place, dict) else place if isinstance(place, list) else ()
    elif step.startswith("["):
        index = int(step[1:-1])
        if isinstance(place, list) and -len(place) <= index < len(place):
            yield place[index]
    elif isinstance(place, dict) and step in place:
        yield place[step]
