"""Marks by which a model says what it relies on: `【3】` in its text, taken out before anybody sees half of one.

What a tool has found is told to the model under numbers. The text that a caller sees has annotations in their place.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from graph.errors import Json
from graph.state import Entry

#: As this server tells models to write them; some write `【3†report.pdf】` or `【4:0†source】` by themselves.
_INSIDE = r"[^【】\n]{%s,80}"
_MARK = re.compile(f"【({_INSIDE % 1})】")
#: What may become one, with the spaces before it, which go when it goes.
_BEGUN = re.compile(f" *(?:【{_INSIDE % 0})?$")
_NUMBERS = re.compile(r"\d{1,9}(?::\d+)?(?:[\s,;、,]+\d{1,9}(?::\d+)?)*")
_NUMBER = re.compile(r"(\d+)(?::\d+)?")
#: Entries that are looked through for sources.
_BACK = 1000


class Marks:
    """Takes a text piece by piece; what it gives does not depend on where the pieces end."""

    def __init__(self, sources: Mapping[str, Json]) -> None:
        """`sources`: number → the annotation it stands for, without its place."""
        self._sources = sources
        self._held = ""

    def feed(self, text: str) -> Iterator[str | Json]:
        """Text to show, and annotations in the places of marks. A mark that stands for nothing is text."""
        held, at = self._held + text, 0
        for mark in _MARK.finditer(held):
            if notes := self._meant(mark[1]):
                yield held[at : mark.start()].rstrip(" ")
                yield from notes
                at = mark.end()
        begun = _begun(held, at)
        self._held = held[begun:]
        yield held[at:begun]

    def end(self, *, cut: bool = False) -> str:
        """What was held back. The beginning of a mark is no text when it was cut off."""
        held, self._held = self._held, ""
        return held.partition("【")[0] if cut else held

    def _meant(self, inside: str) -> Sequence[Json]:
        numbers = inside.partition("†")[0].strip()
        if not _NUMBERS.fullmatch(numbers):
            return ()
        return [self._sources[found] for found in dict.fromkeys(_NUMBER.findall(numbers)) if found in self._sources]


def _begun(text: str, at: int) -> int:
    found = _BEGUN.search(text, at)
    return found.start() if found else len(text)


def sources_of(entries: Sequence[Entry]) -> dict[str, Json]:
    """What the marks of a conversation stand for."""
    return {source["mark"]: source["note"] for entry in entries[-_BACK:] for source in entry.get("sources", ())}


def next_mark(entries: Sequence[Entry]) -> int:
    """The first number that stands for nothing yet."""
    return 1 + max((int(mark) for mark in sources_of(entries)), default=0)
