"""Finding tools by words: SQLite's full-text index ranks names above groups, descriptions and parameters."""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import NamedTuple, cast

import orjson

from graph.errors import Json
from graph.ports import Deferred

#: Tools one search finds by words, and by the name of their server or namespace.
_BEST, _WHOLE = 8, 32
#: What the tools of one search may add to the context, in bytes of JSON; the first is given whatever its size.
_CONTEXT_BYTES = 32_000
#: Text of one tool that is looked at, and words of a query.
_TEXT_CHARS, _WORDS = 4000, 64
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
#: Words of a query that say nothing of a tool.
_EMPTY = frozenset({
    "a", "an", "and", "are", "be", "by", "can", "do", "for", "from", "how", "i", "in", "is", "it", "me", "my",
    "of", "on", "or", "that", "the", "this", "to", "tool", "tools", "use", "what", "which", "with",
})  # fmt: skip
#: Scripts without spaces: every sign is a word.
_SIGNS = re.compile(r"([\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af])")
_TABLE = "CREATE VIRTUAL TABLE tool USING fts5(name, grouped, description, parameters, tokenize='porter unicode61')"
_RANKED = "SELECT rowid FROM tool WHERE tool MATCH ? ORDER BY bm25(tool, 8, 4, 2, 1), rowid"


class Found(NamedTuple):
    """Tools, best first, and how many more there were."""

    tools: list[Deferred]
    left_out: int


def search(tools: Sequence[Deferred], query: str) -> Found:
    """Tools by words, or all of a group that is named. Takes some ms for a thousand tools: not for the loop."""
    group = [tool for tool in tools if tool.group and tool.group.casefold() == query.strip().casefold()]
    return _fitting(group, _WHOLE) if group else _fitting(_ranked(tools, query), _BEST)


def declarations(found: Sequence[Deferred]) -> list[Json]:
    """As `tool_search_output` shows them: those of one namespace or server together."""
    together: dict[tuple[str, str], Json] = {}
    for each in found:
        tool = each.tool
        members = {"namespace": "tools", "mcp": "allowed_tools"}.get(tool["type"])
        key = (tool["type"], each.group if members else each.name)
        known = together.get(key)
        together[key] = {**known, members: [*known[members], *tool[members]]} if known and members else tool
    return list(together.values())


def cut(text: str, chars: int) -> str:
    """Text as one line of no more than `chars`."""
    line = " ".join(text[: 4 * chars].split())
    return line if len(line) <= chars else f"{line[: chars - 1]}…"


def _fitting(tools: list[Deferred], count: int) -> Found:
    taken: list[Deferred] = []
    room = _CONTEXT_BYTES
    for tool in tools:
        room -= len(orjson.dumps([tool.name, tool.description, tool.parameters]))
        if len(taken) == count or (room < 0 and taken):
            break
        taken.append(tool)
    return Found(taken, len(tools) - len(taken))


def _ranked(tools: Sequence[Deferred], query: str) -> list[Deferred]:
    said = re.findall(r"\w+", _spaced(query).casefold())[:_WORDS]
    words = [word for word in said if word not in _EMPTY] or said
    if not words:
        return []
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute(_TABLE)
        db.executemany("INSERT INTO tool VALUES (?, ?, ?, ?)", map(_row, tools))
        rows = db.execute(_RANKED, (" OR ".join(f'"{word}"' for word in words),)).fetchall()
    return [tools[rowid - 1] for (rowid,) in rows]


def _row(tool: Deferred) -> tuple[str, str, str, str]:
    parameters = " ".join(_told(tool.parameters))
    return _spaced(tool.name), _spaced(f"{tool.group} {tool.about}"), _spaced(tool.description), _spaced(parameters)


def _told(parameters: Json) -> Iterator[str]:
    """Names of parameters and what is said of them."""
    properties = parameters.get("properties")
    for name, shape in cast(Json, properties).items() if isinstance(properties, dict) else ():
        yield name
        if isinstance(shape, dict):
            yield str(cast(Json, shape).get("description") or "")


def _spaced(text: str) -> str:
    """With a space where a word begins inside a name, and around the signs of scripts that have none."""
    return _SIGNS.sub(r" \1 ", _CAMEL.sub(" ", text[:_TEXT_CHARS].replace("_", " ")))
