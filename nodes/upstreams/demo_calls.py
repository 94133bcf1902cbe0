"""Which tools the built-in model calls, and what it says of their results."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

import orjson

from graph.errors import Json
from nodes.upstreams.demo_code import written
from nodes.upstreams.demo_rules import Talk, text_of
from nodes.upstreams.demo_schema import instance_of, objects_in
from nodes.upstreams.demo_search import said, searching

_THEN = re.compile(r"\bthen\b|\bafter that\b|\bafterwards\b", re.I)
#: Words of a tool's name that say nothing about when it fits.
_EMPTY = frozenset({"get", "set", "the", "tool", "for", "and", "from", "with", "mcp", "server", "call", "use", "run"})
_SHOWN_CHARS = 1000


class Made(NamedTuple):
    name: str
    arguments: str


def calls_for(talk: Talk, tools: Sequence[Json], options: Json) -> list[Made]:
    """The calls of the next round; none when all that was asked for is done, or nothing was."""
    choice = options.get("tool_choice")
    functions = {cast(str, tool["function"]["name"]): cast(Json, tool["function"]) for tool in tools}
    if choice == "none" or not functions:
        return []
    rounds = [named for part in _THEN.split(talk.whole) if (named := _named(part, functions))]
    rounds = rounds or [[fit] for fit in _fitting(talk.whole, functions)] or _searches(talk, functions)
    done = _rounds_done(talk.messages)
    if done < len(rounds):
        made = rounds[done]
    elif done == 0 and (forced := _forced(choice, functions)):
        made = [Made(forced, _arguments(functions[forced], talk.whole))]
    else:
        return []
    return made[:1] if options.get("parallel_tool_calls") is False else made


def report(talk: Talk) -> str | None:
    """The results of the last calls in words; None when there are none since the user spoke."""
    names: dict[str, str] = {}
    results: list[str] = []
    for message in _since_user(talk.messages):
        for call in cast(list[Json], message.get("tool_calls") or []):
            names[call.get("id", "")] = call["function"]["name"]
        if message.get("role") == "tool":
            text = text_of(message)
            found = said(text, talk.last)
            results.append(found or _told(names.get(message.get("tool_call_id", ""), "The tool"), text))
    return "\n".join(results) or None


def _searches(talk: Talk, functions: Mapping[str, Json]) -> list[list[Made]]:
    """What nothing else fits is looked for, where there is something to look in."""
    asked = orjson.dumps({"queries": [talk.last]}).decode()
    return [[Made(name, asked) for name in searching(functions)]] if talk.last and searching(functions) else []


def _told(name: str, result: str) -> str:
    shown = result if len(result) <= _SHOWN_CHARS else result[:_SHOWN_CHARS] + "…"
    return f"{name} answered: {shown}" if shown else f"{name} answered nothing."


def _since_user(messages: Sequence[Json]) -> Sequence[Json]:
    last = max((at for at, one in enumerate(messages) if one.get("role") == "user"), default=-1)
    return messages[last + 1 :]


def _rounds_done(messages: Sequence[Json]) -> int:
    return sum(1 for one in _since_user(messages) if one.get("tool_calls"))


def _named(text: str, functions: Mapping[str, Json]) -> list[Made]:
    """Calls of the tools that `text` names, in its order, each with the words up to the next name."""
    found: list[tuple[int, int, str]] = []
    for name in functions:
        spelled = {name, name.rpartition("__")[2]}
        pattern = "|".join(re.escape(one).replace("_", "[_ ]") for one in spelled)
        found += [(one.start(), one.end(), name) for one in re.finditer(rf"(?<!\w)(?:{pattern})(?!\w)", text, re.I)]
    found.sort()
    ends = [*(start for start, _, _ in found[1:]), len(text)]
    return [
        Made(name, _arguments(functions[name], text[at:end])) for (_, at, name), end in zip(found, ends, strict=False)
    ]


def _fitting(text: str, functions: Mapping[str, Json]) -> list[Made]:
    """The one tool whose name shares most words with `text`."""
    words = set(re.findall(r"[a-z]+", text.lower()))
    scores = {name: len(_significant(name) & words) for name in functions}
    best = max(scores, key=lambda name: scores[name])
    clear = scores[best] > 0 and list(scores.values()).count(scores[best]) == 1
    return [Made(best, _arguments(functions[best], text))] if clear else []


def _significant(name: str) -> set[str]:
    parts = re.sub(r"([a-z])([A-Z])", r"\1_\2", name.rpartition("__")[2]).lower()
    return {word for word in re.findall(r"[a-z]{3,}", parts) if word not in _EMPTY}


def _forced(choice: Any, functions: Mapping[str, Json]) -> str | None:
    """The tool that `tool_choice` demands."""
    if choice == "required":
        return next(iter(functions))
    name = cast(Json, choice.get("function") or {}).get("name") if isinstance(choice, dict) else None
    return name if name in functions else None


def _arguments(function: Json, text: str) -> str:
    """JSON written in `text`; else an instance of the tool's schema with words of `text`."""
    given = next(objects_in(text), None)
    schema: Json = function.get("parameters") or {}
    given = written(schema, text) if given is None else given
    text = re.sub(r"^\W*(?:the tool|tool|with|to|for|on|of|in|about|and)\b\s*", "", text.strip(), flags=re.I)
    made = given if given is not None else instance_of({**schema, "type": "object"}, text)
    return orjson.dumps(made).decode()
