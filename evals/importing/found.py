"""What an import has come to: the suite, and what of its source could not be said in it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import regex

Json = dict[str, Any]


@dataclass(slots=True)
class Imported:
    #: As the suite's file will say it.
    suite: Json
    #: What was left out, where it stood and why; a line each.
    left: list[str] = field(default_factory=list[str])


def plain(said: object, chars: int = 120) -> str:
    """A name as suites may have it."""
    return regex.sub(r"[^\w.:/@+ -]", "-", str(said).strip())[:chars].strip()


def needs_judge(made: Imported, models: Sequence[str]) -> None:
    """Say who judges where graders ask a model: the first of `models`, or the user has to."""
    said = [
        grader
        for place in (made.suite.get("defaults") or {}, *made.suite.get("cases", ()))
        for grader in _graders(place)
    ]
    if "judge" in made.suite or not any(_asks(grader) for grader in said):
        return
    if models:
        made.suite["judge"] = {"model": models[0]}
    else:
        made.left.append("judge: graders ask a model; name it in the suite (judge: {model: …, url: …}).")


def _graders(place: Json) -> list[Json]:
    return place.get("graders") or []


def _asks(grader: Json) -> bool:
    if grader["type"] == "multi":
        return any(_asks(one) for one in grader["graders"].values())
    return grader["type"] in ("score_model", "label_model") or grader.get("evaluation_metric") == "cosine"
