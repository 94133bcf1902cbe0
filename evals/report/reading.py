"""Results from disk: of a run (`result.json`), or of a bench (`--out`)."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from evals.results import RunResult
from evals.unfit import Unfit
from evals.wellformed import wellformed

#: What may be half of a pair: looked for first, because most results have none.
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
#: What a run's directory holds, beside logs.
NAME = "result.json"


class Measured(NamedTuple):
    """One figure of a bench; less is better."""

    name: str
    value: float
    limit: float
    unit: str
    detail: str
    holds: bool


class BenchResult(NamedTuple):
    #: When and where it was measured.
    about: str
    bars: list[Measured]


def read(path: Path) -> RunResult:
    """Of a file, or of the directory that holds it. Raises `Unfit`."""
    found = read_any(path)
    if not isinstance(found, RunResult):
        raise Unfit(f"{path} is the result of a bench, where that of a run was expected.")
    return found


def read_any(path: Path) -> RunResult | BenchResult:
    """Raises `Unfit`."""
    file = _file(path)
    try:
        text = file.read_text(encoding="utf-8")
        held = wellformed(json.loads(text)) if _HALF.search(text) else json.loads(text)
    except ValueError as problem:
        raise Unfit(f"{file} is no JSON ({problem}); expected a result of 'graphnexus eval run'.") from problem
    if not isinstance(held, dict):
        raise Unfit(f"{file} is no result: expected a JSON object as 'graphnexus eval run' writes it.")
    return _bench(file, held) if "bars" in held else _run(file, held)


def _file(path: Path) -> Path:
    file = path / NAME if path.is_dir() else path
    if file.is_file():
        return file
    if path.is_dir():
        raise Unfit(f"{path} holds no {NAME}: name the directory of a run, or the file itself.")
    raise Unfit(f"{path} does not exist: name a {NAME}, or the directory of a run.")


def _run(file: Path, held: dict[str, Any]) -> RunResult:
    try:
        return RunResult.model_validate(held)
    except ValidationError as problem:
        raise Unfit(f"{file} is no result of a run: {_first(problem)}.") from problem


def _first(problem: ValidationError) -> str:
    first = problem.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"])) or "the file"
    return f"{where}: {first['msg'][:1].lower()}{first['msg'][1:]}"


def _bench(file: Path, held: dict[str, Any]) -> BenchResult:
    try:
        return BenchResult(str(held.get("about", "")), [_measured(bar) for bar in held["bars"]])
    except (KeyError, TypeError, ValueError) as problem:
        raise Unfit(
            f"{file} is no result of a bench: its bars want name, value, limit, unit ({problem!r})."
        ) from problem


def _measured(bar: dict[str, Any]) -> Measured:
    value, limit = float(bar["value"]), float(bar["limit"])
    return Measured(
        name=str(bar["name"]),
        value=value,
        limit=limit,
        unit=str(bar["unit"]),
        detail=str(bar.get("detail", "")),
        holds=bool(bar.get("holds", value <= limit)),
    )
