"""What an import has come to: the suite, and what of its source could not be said in it."""

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(slots=True)
class Imported:
    #: As the suite's file will say it.
    suite: Json
    #: What was left out, where it stood and why; a line each.
    left: list[str] = field(default_factory=list[str])
