"""Tool calls that a model wrote into its text, and thoughts in tags, told apart while the text is still coming.

Open models do this when their server has no parser for their template: Hermes and Qwen write
`<tool_call>{"name", "arguments"}</tool_call>`, Llama `<function=name>{…}</function>` or a bare JSON object,
Qwen3-Coder `<function=name><parameter=key>…`; DeepSeek, Qwen and others think in `<think>…</think>`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, cast

import orjson

from graph.errors import Json

_THOUGHTS = {"<think>": "</think>", "<thinking>": "</thinking>"}
_CALLS = {"<tool_call>": "</tool_call>", "<function=": "</function>"}
_FUNCTION = re.compile(r"<function=([^>\s]+)>\s*(.*?)\s*(?:</function>|$)", re.DOTALL)
_PARAMETER = re.compile(r"<parameter=([^>\s]+)>\n?(.*?)\n?</parameter>", re.DOTALL)
#: How a bare call begins: the first key of its object.
_KEYS = ('"name"', '"type"', '"function"', '"arguments"', '"parameters"', '"id"')


class Call(NamedTuple):
    name: str
    arguments: str


class Piece(NamedTuple):
    """`text` is for the reader, `thought` is reasoning, `call` holds calls."""

    kind: Literal["text", "thought", "call"]
    text: str = ""
    calls: Sequence[Call] = ()


class Text:
    """Splits a message's text into pieces, holding back only what may be the beginning of a tag."""

    __slots__ = ("_close", "_held", "_mode", "_offered", "_tags", "_trim")

    def __init__(self, offered: Mapping[str, Json]) -> None:
        self._offered = offered
        self._tags = tuple(_CALLS) if offered else ()
        self._mode: Literal["start", "plain", "thought", "call", "whole"] = "start"
        self._held = ""
        self._close = ""
        self._trim = False

    def passes(self, text: str) -> bool:
        """Whether `text` can go on as it is; the usual case, kept cheap."""
        return self._mode == "plain" and not (self._held or self._trim) and (not self._tags or "<" not in text)

    def feed(self, text: str) -> list[Piece]:
        self._held += text
        pieces: list[Piece] = []
        while self._step(pieces):
            pass
        return [piece for piece in pieces if piece.text or piece.calls]

    def end(self) -> list[Piece]:
        """What was held back; a call without its end mark counts."""
        held, self._held = self._held, ""
        if not held:
            return []
        if self._mode == "thought":
            return [Piece("thought", held)]
        calls = calls_in(held, self._offered) if self._mode in ("call", "whole") else []
        self._mode = "plain"
        return [Piece("call", calls=calls)] if calls else [Piece("text", held)]

    def _step(self, pieces: list[Piece]) -> bool:
        """Move on by one tag; false when more text is needed."""
        match self._mode:
            case "start":
                return self._start()
            case "plain":
                return self._plain(pieces)
            case "thought":
                return self._thought(pieces)
            case "call":
                return self._call(pieces)
            case "whole":
                return self._whole()

    def _start(self) -> bool:
        text = self._held.lstrip()
        if self._trim:
            self._held = text
        for tag, close in _THOUGHTS.items():
            if text.startswith(tag):
                self._mode, self._close, self._held, self._trim = "thought", close, text[len(tag) :], True
                return bool(self._held)
            if tag.startswith(text):
                return False
        self._mode = "whole" if self._offered and text.startswith("{") else "plain"
        return True

    def _plain(self, pieces: list[Piece]) -> bool:
        if self._trim:
            self._held = self._held.lstrip()
            self._trim = not self._held
        at, tag = _earliest(self._held, self._tags)
        pieces.append(Piece("text", self._held[:at]))
        self._held = self._held[at:]
        if not tag:
            return False
        self._mode, self._close = "call", _CALLS[tag]
        return True

    def _thought(self, pieces: list[Piece]) -> bool:
        if self._trim:
            self._held = self._held.lstrip("\n")
            self._trim = not self._held
        at, tag = _earliest(self._held, (self._close,))
        pieces.append(Piece("thought", self._held[:at]))
        self._held = self._held[at + len(tag) :]
        if tag:
            self._mode, self._trim = "start", True
        return bool(tag and self._held)

    def _call(self, pieces: list[Piece]) -> bool:
        at = self._held.find(self._close)
        if at < 0:
            return False
        written, self._held = self._held[: at + len(self._close)], self._held[at + len(self._close) :]
        calls = calls_in(written, self._offered)
        pieces.append(Piece("call", calls=calls) if calls else Piece("text", written))
        # White space between calls is not an answer.
        self._mode, self._trim = "plain", bool(calls)
        return bool(self._held)

    def _whole(self) -> bool:
        """Held to the end while it may be a call; an object with another first key is an answer."""
        rest = self._held.lstrip()[1:].lstrip()
        if any(key.startswith(rest[: len(key)]) for key in _KEYS):
            return False
        self._mode = "plain"
        return True


def _earliest(text: str, tags: Sequence[str]) -> tuple[int, str]:
    """Where the first of `tags` stands, or where it may be beginning (then without the tag)."""
    found = min(((at, tag) for tag in tags if (at := text.find(tag)) >= 0), default=None)
    if found:
        return found
    for size in range(min(max(map(len, tags), default=1) - 1, len(text)), 0, -1):
        if any(tag.startswith(text[-size:]) for tag in tags):
            return len(text) - size, ""
    return len(text), ""


def calls_in(written: str, offered: Mapping[str, Json]) -> list[Call]:
    """The calls `written` stands for; none unless all of them name an offered tool."""
    inner = written.strip().removeprefix("<tool_call>").removesuffix("</tool_call>").strip()
    functions = _FUNCTION.finditer(inner) if inner.startswith("<function=") else ()
    found = [_tagged(one[1], one[2], offered) for one in functions] or list(_from_json(inner))
    calls = [call for call in found if call and call.name in offered]
    return calls if len(calls) == len(found) else []


def _tagged(name: str, inside: str, offered: Mapping[str, Json]) -> Call | None:
    """`<function=name>` with a JSON object or with `<parameter=key>` elements inside."""
    if not inside.startswith("<parameter="):
        return _call({"name": name, "arguments": inside or "{}"})
    types: Json = offered.get(name, {}).get("properties") or {}
    values = {one[1]: _typed(one[2], types.get(one[1])) for one in _PARAMETER.finditer(inside)}
    return Call(name, orjson.dumps(values).decode())


def _typed(value: str, schema: object) -> object:
    """Text stays text where the schema says so; elsewhere it is read as JSON if it is that."""
    if isinstance(schema, dict) and cast(Json, schema).get("type") == "string":
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def _from_json(text: str) -> Iterable[Call | None]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return []
    listed = cast(list[object], found) if isinstance(found, list) else [found]
    return [_call(one) for one in listed]


def _call(written: object) -> Call | None:
    """A call as models write it: `{name, arguments}`, `{name, parameters}` or `{type, function: {…}}`."""
    if not isinstance(written, dict):
        return None
    fields = cast(Json, written)
    if isinstance(fields.get("function"), dict):
        fields = cast(Json, fields["function"])
    arguments = fields.get("arguments", fields.get("parameters"))
    if not isinstance(fields.get("name"), str) or not isinstance(arguments, dict | str):
        return None
    text = arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()
    return Call(fields["name"], text) if is_object(text) else None


def is_object(text: str) -> bool:
    """Whether `text` is one JSON object."""
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False
