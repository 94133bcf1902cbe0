"""What an import has come to: the suite, and what of its source could not be said in it."""

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


def literal(value: Any) -> Any:
    """Texts that are no templates, though they look like some."""
    if isinstance(value, str):
        return _OPENS.sub(lambda found: "{{ '" + found[0] + "' }}", value)
    if isinstance(value, list):
        return [literal(one) for one in value]
    if isinstance(value, dict):
        return {key: literal(one) for key, one in value.items()}
    return value


_OPENS = regex.compile(r"\{[{%#]")
