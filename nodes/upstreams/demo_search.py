"""What the built-in model makes of searches: it asks what the user asked, and says the sentence that fits best."""

import re
from collections.abc import Mapping

from graph.errors import Json

_PASSAGE = re.compile(r'<passage mark="(【\d+】)"[^>]*>\n(.*?)\n</passage>', re.S)
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]?")
_WORD = re.compile(r"\w{3,}")


def searching(functions: Mapping[str, Json]) -> list[str]:
    """Names of those that search: they want `queries`."""
    return [name for name, function in functions.items() if "queries" in function["parameters"].get("properties", {})]


def said(result: str, question: str) -> str | None:
    """Of passages that were found; None of other results."""
    found = [(mark, one.strip()) for mark, text in _PASSAGE.findall(result) for one in _SENTENCE.findall(text)]
    if not found:
        return None
    asked = set(_WORD.findall(question.lower()))
    mark, best = max(found, key=lambda pair: len(asked & set(_WORD.findall(pair[1].lower()))))
    ending = best[-1] if best[-1] in ".!?" else ""
    return f"{best.removesuffix(ending)} {mark}{ending}"
