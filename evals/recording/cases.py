"""Recorded cases as lines of a file; a suite may have the same cases."""

import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evals.graders.grading import Grader
from evals.graders.looking import calls
from evals.recording.acts import asked_for, without_sources
from evals.recording.chain import recordings_of
from evals.templates import literal
from evals.transcript import Made, Transcript
from evals.unfit import Unfit

Json = dict[str, Any]
#: A line of a suite that is no case.
_HEADER = '{"suite"'


class Recorded(BaseModel):
    """One line: what a replay needs of a case; a case of a suite may say more."""

    model_config = ConfigDict(extra="ignore")

    id: str
    recording: Json
    tags: list[str] = Field(default_factory=list[str])
    #: Fields of every request.
    request: Json = Field(default_factory=dict[str, Any])

    @property
    def recordings(self) -> list[Json]:
        return recordings_of(self.recording)


def case_of(recordings: Sequence[Json], recording: Json) -> Json:
    """A case of `recording`, which holds `recordings`. In a suite it passes where the same calls are made."""
    responses = [one["response"] for one in recordings]
    kinds = {item["type"] for response in responses for item in response["output"] if _is_call(item)}
    tags = [f"model:{name}" for name in sorted({response["model"] for response in responses})]
    return {
        "id": responses[0]["id"],
        "tags": [*tags, *(f"tool:{kind}" for kind in sorted(kinds))],
        "graders": [{"type": "trajectory", "name": "calls as recorded", "calls": literal(_calls(recordings))}],
        "recording": recording,
    }


def _calls(recordings: Sequence[Json]) -> list[Json]:
    """What the models asked for, as graders name it."""
    asked = [Made(responses=[{"output": asked_for(recording)}]) for recording in recordings]
    found = calls(Grader(), Transcript(case="recorded", turns=asked))
    return [{"tool": one.name, "arguments": without_sources(one.arguments)} for one in found]


def _is_call(item: Json) -> bool:
    return item["type"].endswith("_call")


def write(path: Path, cases: Iterable[Json]) -> None:
    """Whole or not at all; for nobody else to read, as these are conversations of users."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # its mode is 600
    made = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.writelines(_line(case) + "\n" for case in cases)
        made.replace(path)
    finally:
        made.unlink(missing_ok=True)


def _line(case: Json) -> str:
    """Without what some readers take for the end of a line."""
    return json.dumps(case, ensure_ascii=False).translate(_ENDS)


_ENDS = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}


def read(path: Path) -> list[Recorded]:
    """Raises `Unfit`, which names file and line."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError as missing:
        raise Unfit(f"{path} does not exist: make it with 'graphnexus eval record --out {path}'.") from missing
    except (OSError, UnicodeDecodeError) as problem:
        raise Unfit(f"{path} cannot be read ({problem}); expected lines of JSON.") from problem
    told = [(line, f"{path}:{number}") for number, line in enumerate(lines, 1) if line.strip()]
    cases = [_case(line, where) for line, where in told if not line.startswith(_HEADER)]
    if not cases:
        raise Unfit(f"{path} holds no cases: record some with 'graphnexus eval record --out {path}'.")
    return cases


def _case(line: str, where: str) -> Recorded:
    try:
        case = Recorded.model_validate(json.loads(line))
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "the line"
        raise Unfit(
            f"{where}: {field}: {first['msg']}; expected a case that 'graphnexus eval record' has made."
        ) from problem
    except ValueError as problem:
        raise Unfit(f"{where}: no JSON ({problem}); expected one case a line.") from problem
    _check(case.recording, where)
    return case


def _check(recording: Json, where: str) -> None:
    chain = "recordings" in recording
    parts: Any = recording["recordings"] if chain else [recording]
    for at, one in enumerate(parts if isinstance(parts, list) and parts else [None]):
        wanted = _PARTS if at == 0 else _PARTS - {"history"}
        lacking = sorted(
            wanted - {name for name in one if isinstance(one[name], _KINDS)} if isinstance(one, dict) else wanted
        )
        if lacking:
            place = f"recording.recordings[{at}]" if chain else "recording"
            raise Unfit(f"{where}: {place}.{lacking[0]} is missing: expected what GET /responses/ID/recording answers.")


_KINDS = (dict, list)
_PARTS = frozenset({"history", "input", "output", "request", "response", "steps"})
