"""Code shown while the model still writes the arguments it stands in."""

from typing import Any

import jiter

from graph.ports import Shown

#: The arguments are looked at again when they have grown by this part, so that long ones cost no more a character.
_GROWN = 64


class Writing:
    """Takes the arguments piece by piece; says the code in them as far as it is certain."""

    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self._written = ""
        self._looked_at = 0

    def __call__(self, piece: str) -> None:
        self._written += piece
        if len(self._written) - self._looked_at <= self._looked_at // _GROWN:
            return
        self._looked_at = len(self._written)
        say(self._shown, code_of(self._written))


def code_of(arguments: str) -> str:
    """The code in arguments that may stop anywhere; empty where there is none."""
    try:
        found: Any = jiter.from_json(arguments.encode(), partial_mode="trailing-strings")
    except ValueError:
        return ""
    code: Any = found.get("code") if isinstance(found, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # whatever the model wrote
    return code if isinstance(code, str) else ""


def say(shown: Shown, code: str) -> None:
    """Say what has been added to the code; nothing if it turned out to be another one."""
    if not shown.begun:
        shown.phase("in_progress")
    said = len(shown.said)
    if len(code) > said and code.startswith(shown.said):
        shown.event("code_interpreter_call_code.delta", delta=code[said:])


def say_whole(shown: Shown, arguments: str) -> None:
    """Say what is left of the code, and that this was all."""
    if shown.announced:
        return
    say(shown, code_of(arguments))
    shown.event("code_interpreter_call_code.done", code=shown.said)
