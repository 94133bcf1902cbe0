"""A suite's file → the suite: YAML, or JSONL with a case on each line. What is wrong names its file, line and field."""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from evals.suite.placed import Place, placed
from evals.suite.schema import Suite
from evals.unfit import Unfit

SHIPPED = Path(__file__).parent.parent / "suites"


def find(named: str) -> Path:
    """A path, or the name of a shipped suite. Raises `Unfit`."""
    path = Path(named)
    if path.exists():
        return path
    shipped = SHIPPED / f"{named}.yaml"
    if shipped.exists() and "/" not in named:
        return shipped
    names = sorted(one.stem for one in SHIPPED.glob("*.yaml"))
    raise Unfit(f"{named!r} is neither a file nor one of the suites that are shipped: {', '.join(names) or 'none'}.")


def read(path: Path) -> Suite:
    """Raises `Unfit`."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unfit(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is no UTF-8 text'}.") from error
    given, lines = placed(path, text)
    try:
        suite = Suite.model_validate({**given, "directory": str(path.parent)})
    except ValidationError as error:
        raise Unfit(_said(path, error, lines)) from None
    _refuse_twins(path, suite, lines)
    return suite


# ---------------------------------------------------------------- what is wrong


def _said(path: Path, error: ValidationError, lines: Mapping[Place, int]) -> str:
    problem = max(error.errors(include_url=False), key=lambda one: len(_steps(one, lines)))
    place = _steps(problem, lines)
    where = ".".join(map(str, place)) or "the suite"
    return f"{path}:{_line(place, lines)}: {where}: {_words(problem, place)}."


def _words(problem: ErrorDetails, place: Place) -> str:
    """What was found, what was expected, and if it is near, what was meant."""
    given = problem.get("ctx") or {}
    match problem["type"]:
        case "extra_forbidden":
            return "there is no such field" + _meant(str(place[-1]), _fields())
        case "missing":
            return "it is missing"
        case "union_tag_invalid":
            tags = str(given["expected_tags"]).replace("'", "").split(", ")
            return f"there is no {given['tag']!r}" + (_meant(given["tag"], tags) or f"; there are {', '.join(tags)}")
        case "union_tag_not_found":
            return "a 'type' is missing, which says what it is"
        case "string_type" if not isinstance(problem["input"], dict | list):
            return f"a text is expected, found {problem['input']}; quotes make it one"
        case _:
            return problem["msg"].removeprefix("Value error, ")


def _steps(problem: ErrorDetails, lines: Mapping[Place, int]) -> Place:
    """Where it stands in the file: without the tags that say which of several shapes was tried."""
    place: Place = ()
    for index, step in enumerate(problem["loc"]):
        last = index == len(problem["loc"]) - 1
        if (*place, step) in lines or (last and problem["type"] in ("missing", "extra_forbidden")):
            place = (*place, step)
    return place


def _line(place: Place, lines: Mapping[Place, int]) -> int:
    """Of what is nearest above it."""
    while place not in lines and place:
        place = place[:-1]
    return lines.get(place, 1)


def _meant(said: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(said, known, 1)
    return f"; did you mean {close[0]!r}" if close and close[0] != said else ""


def _fields() -> set[str]:
    return {name for model in _models(Suite, set()) for name in model.model_fields}


def _models(model: type[BaseModel], seen: set[type[BaseModel]]) -> set[type[BaseModel]]:
    """All models a suite is made of."""
    if model not in seen:
        seen.add(model)
        for field in model.model_fields.values():
            for part in _parts(field.annotation):
                _models(part, seen)
    return seen


def _parts(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [part for one in getattr(annotation, "__args__", ()) for part in _parts(one)]


def _refuse_twins(path: Path, suite: Suite, lines: Mapping[Place, int]) -> None:
    seen = dict[str, int]()
    for index, case in enumerate(suite.cases):
        line = _line(("cases", index), lines)
        if case.id in seen:
            raise Unfit(f"{path}:{line}: cases.{index}.id: {case.id!r} is the case of line {seen[case.id]}, too.")
        seen[case.id] = line
