"""What of a transcript a grader looks at."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from evals.graders.grading import CannotGrade, Grader
from evals.transcript import Made, Transcript

Json = dict[str, Any]

#: Fields of items that say what a call was made with, by type; hosted calls without a name are called by their tool.
ASKED = {
    "function_call": "arguments",
    "mcp_call": "arguments",
    "mcp_approval_request": "arguments",
    "custom_tool_call": "input",
    "web_search_call": "action",
    "file_search_call": "queries",
    "code_interpreter_call": "code",
    "shell_call": "action",
    "local_shell_call": "action",
    "computer_call": "action",
    "apply_patch_call": "operation",
    "tool_search_call": "arguments",
}
_SHOWN = 200


class Called(NamedTuple):
    """One call of a tool, of the server's or of the client's."""

    name: str
    #: As JSON where it is.
    arguments: Any
    item: Json


def turns(grader: Grader, made: Transcript) -> list[Made]:
    """The turn the grader looks at, or all. Raises `CannotGrade`."""
    if grader.turn is None:
        return made.turns
    try:
        return [made.turns[grader.turn]]
    except IndexError:
        raise CannotGrade(f"{grader.called!r} looks at turn {grader.turn} of {len(made.turns)}.") from None


def text(grader: Grader, made: Transcript) -> str:
    """What was said last."""
    looked_at = turns(grader, made)
    return looked_at[-1].text if looked_at else ""


def calls(grader: Grader, made: Transcript) -> list[Called]:
    """Calls in the order they were shown; a call that waits for an approval, too."""
    return [called for turn in turns(grader, made) for item in turn.items for called in _called(item)]


def _called(item: Json) -> Iterator[Called]:
    kind = item.get("type", "")
    if kind in ASKED:
        yield Called(item.get("name") or kind.removesuffix("_call"), parsed(item.get(ASKED[kind])), item)


def parsed(value: Any) -> Any:
    """JSON in a text as what it is; other texts as they are."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def cut(value: Any) -> str:
    """A value as a reason may show it."""
    said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return repr(said if len(said) <= _SHOWN else said[: _SHOWN - 1] + "…")
