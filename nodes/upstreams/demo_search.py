"""What the built-in model makes of searches: it asks what the user asked, and says the sentence that fits best."""

import re
from collections.abc import Mapping

from graph.errors import Json

#: Of files, of searches of the web, and of its pages, whose lines are numbered.
_FOUND = re.compile(r'<(passage|result|page) mark="(【\d+】)"[^>]*>\n(.*?)\n</\1>', re.S)
_NUMBER = re.compile(r"^L\d+: ", re.M)
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]?")
_WORD = re.compile(r"\w{3,}")


def searching(functions: Mapping[str, Json]) -> list[str]:
    """Names of those that search: they want `queries`."""
    return [name for name, function in functions.items() if "queries" in function["parameters"].get("properties", {})]


def said(result: str, question: str) -> str | None:
    """Of what was found; None of other results."""
    texts = [(mark, _NUMBER.sub("", text)) for _, mark, text in _FOUND.findall(result)]
    found = [(mark, sentence) for mark, text in texts for one in _SENTENCE.findall(text) if (sentence := one.strip())]
    if not found:
        return None
    asked = set(_WORD.findall(question.lower()))
    mark, best = max(found, key=lambda pair: len(asked & set(_WORD.findall(pair[1].lower()))))
    ending = best[-1] if best[-1] in ".!?" else ""
    return f"{best.removesuffix(ending)} {mark}{ending}"
