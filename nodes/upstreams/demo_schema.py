"""A minimal instance of a JSON Schema, filled with a user's own words where they fit. Deterministic."""

import json
import re
from collections.abc import Iterator, Sequence
from math import ceil
from typing import Any, cast

from graph.errors import Json

_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w])")
_QUOTED = re.compile(r"\"([^\"]+)\"|“([^”]+)”|'([^']+)'|`([^`]+)`")
_AFTER = re.compile(
    r"\b(?:in|for|about|of|to|at|named|called|with|on)\s+(?:the\s+)?([^,.;:!?\n]+?)(?=\s+(?:on|in|at|for|with|from|by|and)\s|[,.;:!?\n]|$)",
    re.I,
)
_NAMES = re.compile(r"(?<=[a-z,] )[A-Z][\w-]+|^[A-Z][\w-]+(?= and )")
_WHEN = re.compile(r"\d{4}-\d{2}-\d{2}|\b(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|today|tomorrow)\b", re.I)
_FORMATS = {
    "date": re.compile(r"\b\d{4}-\d{2}-\d{2}\b"),
    "time": re.compile(r"\b\d{2}:\d{2}(?::\d{2})?\b"),
    "email": re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+"),
    "uri": re.compile(r"https?://\S+"),
}
_SAMPLES = {"date": "2026-01-01", "time": "12:00:00", "date-time": "2026-01-01T12:00:00Z", "email": "ada@example.com",
            "uri": "https://example.com", "uuid": "00000000-0000-4000-8000-000000000000"}  # fmt: skip
_DEPTH = 16
#: Below it what may be null is null, so that schemas of lists and trees end.
_OPTIONAL_DEPTH = 2


class Words:
    """A text, taken apart; each number and quotation is given out once."""

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        self._numbers = iter([one[0] for one in _NUMBER.finditer(text)])
        self._quoted = iter([next(group for group in one.groups() if group) for one in _QUOTED.finditer(text)])
        self._after = iter([one[1].strip() for one in _AFTER.finditer(text)])

    def number(self) -> float | None:
        found = next(self._numbers, None)
        return None if found is None else float(found)

    def value_of(self, key: str) -> str | None:
        """What stands after `key=`, `key:` or `key is`."""
        spelled = re.escape(key).replace("_", "[_ ]")
        found = re.search(rf"(?<!\w){spelled}\s*(?:=|:|\bis\b)\s*(\"[^\"]*\"|'[^']*'|[^\s,;]+)", self.text, re.I)
        return found[1].strip("\"'").rstrip(".!?") if found else None

    def phrase(self) -> str:
        """The likeliest text value: a quotation, what follows a preposition, all of it."""
        found = next(self._quoted, None) or next(self._after, None)
        return found or self.text.strip(" .!?:") or "demo"

    def names(self) -> list[str]:
        return [one[0] for one in _NAMES.finditer(self.text)]


class Filler:
    """Builds instances of one schema with its `$defs`."""

    def __init__(self, root: Json, text: str) -> None:
        self._root = root
        self._words = Words(text)

    def fill(self) -> Any:
        return self._value(self._root, "", 0)

    def _value(self, schema: Json, key: str, depth: int) -> Any:
        schema = self._resolved(schema, depth)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._one_of(schema["enum"], key)
        match _kind(schema):
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, key, depth)
            case "integer" | "number" as kind:
                return self._number(schema, key, whole=kind == "integer")
            case "boolean":
                return (self._words.value_of(key) or "true").lower() not in ("false", "no", "off", "0")
            case "null":
                return None
            case _:
                return self._text(schema, key)

    def _resolved(self, schema: Json, depth: int = 0) -> Json:
        """Follow `$ref`, the first `anyOf`/`oneOf` that is not null, and `allOf`."""
        for _ in range(_DEPTH):
            if "$ref" in schema:
                schema = {**_at(self._root, schema["$ref"]), **{k: v for k, v in schema.items() if k != "$ref"}}
            elif choices := cast(list[Json], schema.get("anyOf") or schema.get("oneOf")):
                rest = {key: value for key, value in schema.items() if key not in ("anyOf", "oneOf")}
                wanted = (one for one in choices if (one.get("type") == "null") == (depth > _OPTIONAL_DEPTH))
                schema = {**rest, **next(wanted, choices[0])}
            elif "allOf" in schema:
                parts = cast(list[Json], schema["allOf"])
                schema = _merged([{k: v for k, v in schema.items() if k != "allOf"}, *parts])
            else:
                return schema
        return {"type": "null"}

    def _object(self, schema: Json, depth: int) -> Json:
        properties: dict[str, Json] = schema.get("properties") or {}
        required: list[str] = schema.get("required") or []
        wanted = [key for key in properties if key in required or self._words.value_of(key) is not None]
        if depth == 0 and not wanted:
            wanted = list(properties)[:1]
        if depth >= _DEPTH:
            wanted = []
        return {key: self._value(properties[key], key, depth + 1) for key in wanted}

    def _array(self, schema: Json, key: str, depth: int) -> list[Any]:
        least, most = schema.get("minItems") or 0, schema.get("maxItems", 8)
        items: Json = schema.get("items") or {}
        if depth >= _DEPTH:
            return []
        if _kind(self._resolved(items)) == "string" and not self._resolved(items).get("enum"):
            names = (self._words.names() or [self._words.phrase()])[:most]
            return names + [names[-1]] * (least - len(names))
        return [self._value(items, key, depth + 1) for _ in range(min(max(least, 1), most))]

    def _number(self, schema: Json, key: str, *, whole: bool) -> float | int:
        told = self._words.value_of(key)
        value = float(told) if told and _NUMBER.fullmatch(told) else self._words.number()
        low = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1 if "exclusiveMinimum" in schema else None)
        high = schema.get("maximum", schema.get("exclusiveMaximum", 1) - 1 if "exclusiveMaximum" in schema else None)
        value = (low or 0) if value is None else value
        value = value if low is None else max(value, low)
        value = value if high is None else min(value, high)
        if step := schema.get("multipleOf"):
            value = ceil(value / step) * step
        return int(value) if whole or value == int(value) else value

    def _text(self, schema: Json, key: str) -> str:
        form = str(schema.get("format") or "")
        if form in _FORMATS:
            found = _FORMATS[form].search(self._words.text)
            return found[0] if found else _SAMPLES[form]
        if form in _SAMPLES:
            return _SAMPLES[form]
        when = _WHEN.search(self._words.text) if re.search(r"date|day|when", key, re.I) else None
        text = self._words.value_of(key) or (when[0] if when else self._words.phrase())
        if pattern := schema.get("pattern"):
            text = self._matching(pattern, text)
        text += "." * ((schema.get("minLength") or 0) - len(text))
        return text[: schema.get("maxLength")]

    def _matching(self, pattern: str, text: str) -> str:
        """A word that a pattern accepts, if there is one."""
        try:
            words = (text, *self._words.text.split())
            return next((one for one in words if re.search(pattern, one)), text)
        except re.error:
            return text

    def _one_of(self, values: Sequence[Any], key: str) -> Any:
        """The value that the text names; else the first."""
        told, text = (self._words.value_of(key) or "").lower(), self._words.text.lower()
        named = (one for one in values if str(one).lower() == told)
        seen = (one for one in values if re.search(rf"(?<!\w){re.escape(str(one).lower())}(?!\w)", text))
        return next(named, next(seen, values[0]))


def instance_of(schema: Json, text: str) -> Any:
    """An instance of `schema` with words of `text` in it."""
    return Filler(schema, text).fill()


def objects_in(text: str) -> Iterator[Json]:
    """The JSON objects written in `text`, from the left."""
    decoder = json.JSONDecoder()
    at = text.find("{")
    while at >= 0:
        try:
            found, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            yield found
        at = text.find("{", end)


def _kind(schema: Json) -> str:
    kind: Any = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in cast(list[str], kind) if one != "null"), "null")
    return kind or ("object" if "properties" in schema else "array" if "items" in schema else "string")


def _at(root: Json, pointer: str) -> Json:
    """What a `$ref` within the document points to; a null where there is nothing."""
    found: Any = root
    for part in pointer.removeprefix("#").strip("/").split("/"):
        if part:
            found = cast(Json, found).get(part, {"type": "null"}) if isinstance(found, dict) else {"type": "null"}
    return cast(Json, found) if isinstance(found, dict) else {"type": "null"}


def _merged(schemas: Sequence[Json]) -> Json:
    merged: Json = {}
    for schema in schemas:
        properties: Json = {**(merged.get("properties") or {}), **(schema.get("properties") or {})}
        required: list[str] = [*(merged.get("required") or []), *(schema.get("required") or [])]
        merged = {**merged, **schema, "properties": properties, "required": required}
    return merged
