"""Something that `doctor` has found out."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    state: Literal["fine", "note", "broken"]
    what: str
    fix: str = ""
