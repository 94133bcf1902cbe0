"""A response that was made once, made again: its hosted calls are answered with what was recorded of them.

A recording is what the conversation held, what the response was given and came to, as entries, and the functions its
model was offered. It goes on from any turn of its model; what came before that turn is taken as it was.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, cast

import orjson

from graph.errors import Json, RequestError, ToolFailed
from graph.opening import serves
from graph.ports import Function, HostedTool, Outcome, Shown, unheard
from graph.state import Entry

_UNRECORDED = "This call was not recorded, and calls are not made while a recorded run is replayed."
#: Types of items that can be called failed; others are incomplete then.
_CAN_FAIL = frozenset({"mcp_call", "code_interpreter_call", "web_search_call", "file_search_call"})


# ---------------------------------------------------------------- what is recorded


def described(function: Function) -> Json:
    """All that is to be known of a function to offer it again."""
    names = [one.name for one in fields(RecordedFunction) if one.name not in ("zero", "answers")]
    return {**{name: getattr(function, name) for name in names}, "item": function.item()}


def turns_of(output: Sequence[Entry]) -> list[int]:
    """Of output entries in the order they were shown, the turn of the model each belongs to.

    -1 before the model was asked: lists of tools, and calls that the input approved.
    """
    turns = list[int]()
    current, called = -1, False
    for at, entry in enumerate(output):
        if (turn := entry.get("turn")) is not None:
            current, called = turn, True
        elif "brought_by" not in entry and (called or current < 0):
            current, called = _next_turn(output[at:], current), False
        turns.append(current)
    return turns


def turns_told(output: Sequence[Entry]) -> list[int]:
    """Of a replay's output items as they are shown, the model's turn each belongs to; 0 is the first one asked for.

    -1 for what no turn has brought.
    """
    turns = turns_of(sorted(output, key=lambda entry: entry.get("at", 0)))
    ranks = {turn: rank for rank, turn in enumerate(sorted({turn for turn in turns if turn >= 0}))}
    return [ranks.get(turn, -1) for turn in turns]


def _next_turn(rest: Sequence[Entry], current: int) -> int:
    if rest[0]["item"]["type"] == "mcp_list_tools":
        return current
    return next((turn for entry in rest if (turn := entry.get("turn", -1)) > current), current + 1)


def steps_of(output: Sequence[Entry], functions: Sequence[Json]) -> list[Json]:
    """What ran, in order: `load`, the model's turns, each with the calls it asked for, `persist`."""
    kinds = {function["name"]: function["kind"] for function in functions}
    turns = turns_of(output)
    steps: list[Json] = [{"node": "load", "turn": None, "output": []}]
    for turn in sorted(set(turns)):
        mine = [at for at, of in enumerate(turns) if of == turn]
        calls = [at for at in mine if "reply" in output[at]]
        if turn >= 0:
            steps.append({"node": "call_model", "turn": turn, "output": mine})
        else:
            steps[0]["output"] = [at for at in mine if at not in calls]
            steps += [{"node": "approved", "turn": None, "output": calls}] if calls else []
        steps += [{"node": _node(output[at], kinds), "turn": turn, "output": [at]} for at in calls]
    steps.append({"node": "persist", "turn": None, "output": []})
    return [{"index": index, **step} for index, step in enumerate(steps)]


def _node(entry: Entry, kinds: Json) -> str:
    name: str = (entry.get("call") or {}).get("name", "")
    kind: str = entry["item"]["type"]
    return kinds.get(name) or kind.removesuffix("_call")


# ---------------------------------------------------------------- made again


@dataclass(slots=True)
class Recording:
    """As a caller brings it; validated."""

    history: Sequence[Entry]
    input: Sequence[Entry]
    output: Sequence[Entry]
    functions: Sequence[Json]


@dataclass(slots=True)
class Replay:
    """One recording being made again from the model's turn `begin`."""

    recording: Recording
    begin: int
    #: Whether hosted calls are answered with what was recorded, or made.
    results: Literal["recorded", "live"]
    #: What becomes of a call that was not recorded: the response ends there, or its model is told.
    unrecorded: Literal["stop", "tell"]
    #: Whether the response is to end because of such a call.
    missed: bool = False

    @property
    def entries(self) -> list[Entry]:
        """The conversation up to where the model is asked. Raises `RequestError` when it was never asked that often."""
        output, turns = self.recording.output, turns_of(self.recording.output)
        if self.begin > max([0, *turns]):
            message = f"Invalid 'replay.step': the recorded model had {max([-1, *turns]) + 1} turns."
            raise RequestError(message, param="replay.step", code="invalid_value")
        before = [entry for entry, turn in zip(output, turns, strict=True) if turn < self.begin]
        if self.results == "live":
            before = [entry for entry in before if entry["item"]["type"] != "mcp_list_tools"]
        return [_settled(entry) for entry in (*self.recording.history, *self.recording.input, *before)]

    def offered(self, wanted: Sequence[Json], tools: Sequence[HostedTool]) -> dict[str, Function]:
        """The recorded functions of the declared tools, by name. Raises `RequestError` for a tool without any."""
        answers = self._answers()
        found = dict[str, Function]()
        for at, declared in enumerate(wanted):
            kinds = {tool.kind for tool in tools if serves(tool, declared)}
            mine = [one for one in self.recording.functions if one["kind"] in kinds and _is_of(one, declared)]
            if kinds and not mine:
                message = f"tools[{at}] was not offered when the run was recorded: leave it out, or make results live."
                raise RequestError(message, param=f"tools[{at}]", code="invalid_value")
            found |= {one["name"]: RecordedFunction.of(one, answers) for one in mine}
        return found

    def _answers(self) -> "Answers":
        output, turns = self.recording.output, turns_of(self.recording.output)
        made = [(turn, at) for at, turn in enumerate(turns) if "reply" in output[at] and "call" in output[at]]
        ahead = sorted(made, key=lambda one: (one[0] < self.begin, one))
        return Answers(self, [(output[at], list(_followers(output, at))) for _, at in ahead])


def _settled(entry: Entry) -> Entry:
    """Where it stood on the wire of its response is nothing to the one that is made now."""
    return cast(Entry, {key: value for key, value in entry.items() if key != "at"})


def _followers(output: Sequence[Entry], at: int) -> Iterator[Entry]:
    call = output[at]["item"].get("id")
    return (entry for entry in output[at + 1 :] if call and entry.get("brought_by") == call)


def _is_of(function: Json, declared: Json) -> bool:
    label, name = function["origin"]
    if declared.get("server_label") not in (None, label):
        return False
    allowed = declared.get("allowed_tools")
    names: Any = cast(Json, allowed).get("tool_names") if isinstance(allowed, dict) else allowed
    return not isinstance(names, list) or name in names


class Answers:
    """What recorded calls came to: for the same call made several times, one after another, the last ever after."""

    def __init__(self, replay: Replay, made: Iterable[tuple[Entry, list[Entry]]]) -> None:
        self._replay = replay
        self._made = defaultdict[bytes, list[tuple[Entry, list[Entry]]]](list)
        for entry, followers in made:
            call = entry.get("call") or {}
            self._made[_key(call["name"], _parsed(call["arguments"]))].append((entry, followers))

    def to(self, name: str, arguments: Json) -> tuple[Entry, list[Entry]]:
        """Raises `ToolFailed` where nothing was recorded."""
        made = self._made.get(_key(name, arguments))
        if not made:
            self._replay.missed = self._replay.unrecorded == "stop"
            raise ToolFailed(_UNRECORDED)
        return made.pop(0) if len(made) > 1 else made[0]


def _key(name: str, arguments: Any) -> bytes:
    return orjson.dumps([name, arguments], option=orjson.OPT_SORT_KEYS)


def _parsed(arguments: str) -> Any:
    try:
        return orjson.loads(arguments or "{}")
    except orjson.JSONDecodeError:
        return arguments


@dataclass(slots=True)
class RecordedFunction:
    """A function of which only what is recorded is known. Its call is shown when it has an answer."""

    kind: str
    name: str
    description: str
    parameters: Json
    origin: tuple[str, str]
    known_as: str
    about: str
    wants_approval: bool | None
    cautious: bool
    repeatable: bool
    deferred: bool
    untrusted: bool
    zero: Json = field(default_factory=dict[str, Any])
    answers: Answers | None = None

    @classmethod
    def of(cls, recorded: Json, answers: Answers) -> "RecordedFunction":
        known = {name: value for name, value in recorded.items() if name != "item"}
        made = cls(**known, zero=recorded["item"], answers=answers)
        made.origin = (made.origin[0], made.origin[1])
        return made

    def item(self) -> Json:
        return {**self.zero}

    def writing(self, shown: Shown) -> Callable[[str], None]:
        return unheard

    def announce(self, shown: Shown, arguments: str) -> None:
        """A replay is not streamed: nobody reads what is said on the way."""

    async def run(self, arguments: Json, shown: Shown) -> Outcome:
        if self.answers is None:
            raise ToolFailed(_UNRECORDED)
        try:
            entry, followers = self.answers.to(self.name, arguments)
        except ToolFailed as failed:
            raise ToolFailed(failed.message, self.failed(failed.message, orjson.dumps(arguments).decode())) from None
        told = _fields(entry)
        for follower in followers:
            opened = shown.follow({"type": follower["item"]["type"]}, **told)
            told = _fields(follower)
            opened.close(**told)
        return Outcome(
            {} if followers else told,
            entry.get("reply") or "",
            held=entry.get("held") or {},
            made=entry.get("made") or (),
            sources=entry.get("sources") or (),
        )

    def failed(self, message: str, arguments: str, *, interrupted: bool = False) -> Json:
        kind = self.zero["type"]
        failed: Json = {"status": "failed" if kind in _CAN_FAIL else "incomplete"}
        if kind == "mcp_call":
            said = [{"type": "text", "text": message}]
            failed |= {"arguments": arguments, "error": {"type": "mcp_tool_execution_error", "content": said}}
        return failed


def _fields(entry: Entry) -> Json:
    return {key: value for key, value in entry["item"].items() if key not in ("id", "type")}
