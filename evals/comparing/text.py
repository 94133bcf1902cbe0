"""What differs between two texts, word by word."""

import re
from difflib import SequenceMatcher
from typing import Literal, NamedTuple

_WORD = re.compile(r"\s+|\w+|[^\w\s]")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
#: Of more words lines are compared: the time grows with their square.
_WORDS = 3000


class Piece(NamedTuple):
    kind: Literal["same", "gone", "new"]
    text: str


def pieces(before: str, after: str) -> list[Piece]:
    """In reading order; where something was replaced, what is gone stands first."""
    cut = _WORD if max(len(_WORD.findall(one)) for one in (before, after)) <= _WORDS else _LINE
    old, new = cut.findall(before), cut.findall(after)
    found: list[Piece] = []
    for what, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if what == "equal":
            found.append(Piece("same", "".join(old[a:b])))
            continue
        changes = (Piece("gone", "".join(old[a:b])), Piece("new", "".join(new[c:d])))
        found += [piece for piece in changes if piece.text]
    return found
