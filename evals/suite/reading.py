"""A suite's file → the suite: YAML, or JSONL with a case on each line. What is wrong names its file, line and field."""

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from evals.suite.schema import Suite
from evals.unfit import Unfit

Json = dict[str, Any]
#: Where something stands: keys and indexes from the top.
Place = tuple[int | str, ...]

SHIPPED = Path(__file__).parent.parent / "suites"
#: What a line of JSONL may be instead of a case: fields of the suite itself.
_HEADER = "suite"


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
    given, lines = _jsonl(path, text) if path.suffix == ".jsonl" else _yaml(path, text)
    try:
        suite = Suite.model_validate({**given, "directory": str(path.parent)})
    except ValidationError as error:
        raise Unfit(_said(path, error, lines)) from None
    _refuse_twins(path, suite, lines)
    return suite


# ---------------------------------------------------------------- the two formats


def _yaml(path: Path, text: str) -> tuple[Json, dict[Place, int]]:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        given = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise Unfit(f"{where}: not YAML: {getattr(error, 'problem', None) or error}.") from error
    if not isinstance(given, dict):
        raise Unfit(f"{path}:1: a suite has a name and cases; found {type(given).__name__}.")
    lines = dict[Place, int]()
    if node is not None:
        _note(node, (), lines)
    return given, lines


def _note(node: yaml.Node, place: Place, lines: dict[Place, int]) -> None:
    """The line of every key and entry."""
    lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            lines[*place, key.value] = key.start_mark.line + 1
            _note(value, (*place, key.value), lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _note(value, (*place, index), lines)


def _jsonl(path: Path, text: str) -> tuple[Json, dict[Place, int]]:
    suite: Json = {"name": path.stem}
    cases: list[Any] = []
    lines = dict[Place, int]()
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            given = json.loads(line)
        except ValueError as error:
            raise Unfit(f"{path}:{number}: not JSON: {error}.") from error
        if isinstance(given, dict) and set(given) == {_HEADER}:
            suite |= given[_HEADER]
            continue
        lines["cases", len(cases)] = number
        cases.append(given)
    return {**suite, "cases": cases}, lines


# ---------------------------------------------------------------- what is wrong


def _said(path: Path, error: ValidationError, lines: Mapping[Place, int]) -> str:
    problem = max(error.errors(include_url=False), key=lambda one: len(_steps(one, lines)))
    place = _steps(problem, lines)
    where = ".".join(map(str, place)) or "the suite"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        message = "there is no such field" + _meant(str(place[-1]), problem)
    return f"{path}:{_line(place, lines)}: {where}: {message}."


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


def _meant(field: str, problem: ErrorDetails) -> str:
    known = {name for model in _models(Suite, set()) for name in model.model_fields}
    close = difflib.get_close_matches(field, known, 1)
    return f"; did you mean {close[0]!r}?" if close and close[0] != field else ""


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
