"""What a model server's answer lacks, made good between the wire and the sink.

The normal form of a chunk is OpenAI's, with thoughts in `reasoning_content`; a call's first delta carries index, id,
type and name, the following ones only index and arguments. Missing usage is not made up: no chunk carries it then.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, cast

import orjson

from graph.errors import Json
from graph.ids import new_call_id
from nodes.upstreams.spoken import Piece, Text, is_object

logger = logging.getLogger(__name__)

_BESIDE = ("reasoning_content", "reasoning", "tool_calls", "function_call")
_REPLACED = frozenset({"content", *_BESIDE})
_REASONS = {"eos": "stop", "eos_token": "stop", "end_turn": "stop", "function_call": "tool_calls",
            "max_tokens": "length"}  # fmt: skip


class Calls:
    """The tool calls of one answer, brought into normal form."""

    __slots__ = ("_ids", "_names", "_notes", "_told", "_written")

    def __init__(self, notes: dict[str, None]) -> None:
        self._notes = notes
        self._ids: list[str] = []
        self._names: list[str] = []
        self._written: list[str] = []
        #: The server's index → ours.
        self._told: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def delta(self, given: Json) -> Json:
        """One entry of a server's `tool_calls` in normal form."""
        function = cast(Json, given.get("function") or {})
        arguments = self._as_text(function.get("arguments"))
        index = self._index(given, function)
        if index < len(self._ids):
            self._written[index] += arguments
            return {"index": index, "function": {"arguments": arguments}}
        if not _string(given.get("id")):
            self._notes["tool call without an id"] = None
        return self.open(_string(function.get("name")), arguments, _string(given.get("id")) or new_call_id())

    def open(self, name: str, arguments: str, id: str) -> Json:
        """The first delta of a new call."""
        self._ids.append(id)
        self._names.append(name)
        self._written.append(arguments)
        head = {"name": name, "arguments": arguments}
        return {"index": len(self._ids) - 1, "id": id, "type": "function", "function": head}

    def missing(self) -> list[Json]:
        """Deltas for calls that were given no arguments at all: `{}` is what they mean."""
        empty = [index for index, written in enumerate(self._written) if not written.strip()]
        if empty:
            self._notes["tool call without arguments"] = None
        return [{"index": index, "function": {"arguments": "{}"}} for index in empty]

    def _index(self, given: Json, function: Json) -> int:
        """Our index of the call a delta belongs to; one past the last for a new call."""
        told = given.get("index")
        if not isinstance(told, int):
            self._notes["tool call without an index"] = None
            told = -1
        last = len(self._ids) - 1
        ours = self._told.get(told, last if told < 0 else last + 1)
        if 0 <= ours <= last and self._is_another(ours, given.get("id"), function.get("name")):
            self._notes["tool calls that share an index"] = None
            ours = last + 1
        ours = max(ours, 0)
        self._told[told] = ours
        return ours

    def _is_another(self, ours: int, id: object, name: object) -> bool:
        """Whether a delta that came under a known index begins another call."""
        if not name:
            return False
        if id and id != self._ids[ours]:
            return True
        return not id and is_object(self._written[ours])

    def _as_text(self, arguments: object) -> str:
        if isinstance(arguments, str):
            return arguments
        if arguments is None:
            return ""
        self._notes["tool call arguments that are not text"] = None
        return orjson.dumps(arguments).decode()


class Repair:
    """One answer's way from the wire to the sink. `offered` maps the names of offered tools to their parameters."""

    __slots__ = ("_calls", "_ended", "_last", "_noted", "_text")

    def __init__(self, offered: Mapping[str, Json]) -> None:
        self._noted: dict[str, None] = {}
        self._calls = Calls(self._noted)
        self._text = Text(offered)
        self._last: Json = {}
        self._ended = False

    @property
    def notes(self) -> list[str]:
        """What was put right, each kind once."""
        return list(self._noted)

    def mend(self, chunk: Json) -> Sequence[Json]:
        """The chunks to hand on for `chunk`; `chunk` itself in the usual case."""
        choices: list[Json] | None = chunk.get("choices")
        if not choices:
            return (chunk if choices is not None else {**chunk, "choices": []},)
        choice = choices[0]
        delta: Json | None = choice.get("delta")
        if delta and choice.get("finish_reason") is None:
            content = delta.get("content")
            alone = len(delta) == 1 or not any(map(delta.get, _BESIDE))
            if alone and type(content) is str and self._text.passes(content):
                return (chunk,)
        return self._mended(chunk, choice, delta or {})

    def end(self) -> Sequence[Json]:
        """What was held back when a body ended without a finish reason."""
        if self._ended or not self._last:
            return ()
        self._noted["no finish reason"] = None
        return self._mended({**self._last, "usage": None}, {"index": 0, "finish_reason": "stop"}, {})

    def _mended(self, chunk: Json, choice: Json, delta: Json) -> Sequence[Json]:
        finish: str | None = choice.get("finish_reason") or None
        deltas = self._deltas(delta)
        if finish:
            self._ended = True
            deltas += self._pieces(self._text.end())
            deltas += [{"tool_calls": [one]} for one in self._calls.missing()]
            finish = self._reason(_REASONS.get(finish, finish))
        else:
            self._last = chunk
        rest = {key: value for key, value in delta.items() if key not in _REPLACED and value is not None}
        deltas = deltas or ([{}] if finish or rest else [])
        if rest and deltas:
            deltas[0] = {**rest, **deltas[0]}
        last = len(deltas) - 1
        return [
            {**chunk, "choices": [{**choice, "delta": one, "finish_reason": finish if at == last else None}]}
            for at, one in enumerate(deltas)
        ] or ([{**chunk, "choices": []}] if chunk.get("usage") else [])

    def _deltas(self, delta: Json) -> list[Json]:
        """Thoughts first, then text, then calls."""
        deltas: list[Json] = []
        content, thoughts = _told(delta.get("content"))
        if thought := self._thought(delta) or thoughts:
            deltas.append({"reasoning_content": thought})
        if content:
            deltas += self._pieces(self._text.feed(content))
        calls = _given_calls(delta)
        if calls:
            deltas.append({"tool_calls": [self._calls.delta(call) for call in calls]})
        return deltas

    def _thought(self, delta: Json) -> str:
        if thought := delta.get("reasoning_content"):
            return thought if isinstance(thought, str) else _told(thought)[0]
        thought, _ = _told(delta.get("reasoning"))
        if thought:
            self._noted["reasoning under another name"] = None
        return thought

    def _pieces(self, pieces: Sequence[Piece]) -> list[Json]:
        return [self._piece(piece) for piece in pieces]

    def _piece(self, piece: Piece) -> Json:
        match piece.kind:
            case "text":
                return {"content": piece.text}
            case "thought":
                self._noted["thoughts in tags"] = None
                return {"reasoning_content": piece.text}
            case "call":
                self._noted["tool calls written as text"] = None
                return {"tool_calls": [self._calls.open(*call, new_call_id()) for call in piece.calls]}

    def _reason(self, finish: str) -> str:
        if finish == "stop" and len(self._calls):
            self._noted["finish reason stop after tool calls"] = None
            return "tool_calls"
        return finish


def _string(given: object) -> str:
    """Empty for what is none."""
    return given if isinstance(given, str) else ""


def _given_calls(delta: Json) -> list[Json]:
    """`tool_calls`, or the older `function_call`."""
    if calls := cast(list[Json] | None, delta.get("tool_calls")):
        return calls
    function = delta.get("function_call")
    return [{"index": 0, "function": function}] if function else []


def _told(content: object) -> tuple[str, str]:
    """Text and thoughts of a content that may be text or a list of parts (Mistral)."""
    if isinstance(content, str):
        return content, ""
    if not isinstance(content, list):
        return "", ""
    parts = [cast(Json, part) for part in cast(list[Any], content) if isinstance(part, dict)]
    text = "".join(str(part.get("text") or "") for part in parts if part.get("type") != "thinking")
    thoughts = "".join(_told(part.get("thinking"))[0] for part in parts if part.get("type") == "thinking")
    return text, thoughts


def as_chunk(completion: Json) -> Json:
    """A whole completion as the one chunk of a stream; what is no completion is left as it is."""
    choices = completion.get("choices")
    if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in cast(list[object], choices)):
        return completion
    return {**completion, "object": "chat.completion.chunk", "choices": [*map(_as_delta, cast(list[Json], choices))]}


def _as_delta(choice: Json) -> Json:
    return {
        "index": choice.get("index", 0),
        "delta": choice.get("message") or choice.get("delta") or {},
        "logprobs": choice.get("logprobs"),
        "finish_reason": choice.get("finish_reason") or "stop",
    }


def offered_by(tools: Sequence[Json], options: Json) -> dict[str, Json]:
    """Name → parameters of the functions a prompt offers."""
    if options.get("tool_choice") == "none":
        return {}
    functions = [cast(Json, tool["function"]) for tool in tools if tool.get("type") == "function"]
    return {function["name"]: function.get("parameters") or {} for function in functions}
