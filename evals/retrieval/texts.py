"""Passages and the questions they answer; see texts/README.md."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent / "texts"


class Passage(NamedTuple):
    id: str
    text: str
    question: str
    #: The same question in other words; only where there is one.
    otherwise: str = ""


def languages() -> list[str]:
    return sorted(path.stem for path in HERE.glob("*.jsonl"))


def passages(language: str) -> Sequence[Passage]:
    lines = (HERE / f"{language}.jsonl").read_text(encoding="utf-8").splitlines()
    return [Passage(**json.loads(line)) for line in lines]
