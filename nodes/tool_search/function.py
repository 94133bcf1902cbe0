"""The search as the model sees it and calls it."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from graph.errors import Json, ToolFailed
from graph.ports import Deferred, Outcome, Shown, unheard
from nodes.tool_search.found import Found, cut, declarations, search

#: What the function's description says of one namespace or server, and how many it names.
_ABOUT_CHARS, _GROUPS = 200, 30
#: What the model is told of a tool that was found; its parameters it sees in its next turn.
_TOLD_CHARS = 200
_ASKED = "What the tools are wanted for, in a few words, or the exact name of a server or namespace to get its tools."


@dataclass(slots=True)
class SearchFunction:
    """`tools` are those that can be found."""

    name: str
    #: What the caller says of it.
    about: str
    tools: Sequence[Deferred]
    kind: str = "tool_search"
    description: str = field(init=False)
    parameters: Json = field(init=False)
    origin: tuple[str, str] = ("tool_search", "tool_search")
    known_as: str = "tool_search"
    wants_approval: bool | None = False
    cautious: bool = False
    repeatable: bool = True
    deferred: bool = False
    untrusted: bool = False

    def __post_init__(self) -> None:
        self.description = described(self.about, self.tools)
        query = {"type": "string", "description": _ASKED}
        self.parameters = {"type": "object", "properties": {"query": query}, "required": ["query"]}

    def item(self) -> Json:
        return _item("tool_search_call", arguments={})

    def writing(self, shown: Shown) -> Callable[[str], None]:
        return unheard

    def announce(self, shown: Shown, arguments: str) -> None:
        """Nothing is said of a search before it is done."""

    async def run(self, arguments: Json, shown: Shown) -> Outcome:
        query = arguments.get("query")
        if not isinstance(query, str) or not query.strip():
            message = "`query` must be a string that says what the tools are wanted for."
            raise ToolFailed(message, {"arguments": arguments, "status": "incomplete"})
        found = await asyncio.to_thread(search, self.tools, query)
        output = _item("tool_search_output", tools=declarations(found.tools))
        shown.follow(output, arguments=arguments).close()
        return Outcome({}, self._reply(found))

    def failed(self, message: str, arguments: str, *, interrupted: bool = False) -> Json:
        return {"arguments": {}, "status": "incomplete"}

    def _reply(self, found: Found) -> str:
        if not found.tools:
            return f"No tool fits that. {groups_of(self.tools)}".strip()
        lines = [f"- {tool.name}: {cut(tool.description, _TOLD_CHARS)}" for tool in found.tools]
        more = f"\n{found.left_out} more fit; search for something narrower to see them." if found.left_out else ""
        return "These tools can be called now:\n" + "\n".join(lines) + more


def _item(type: str, **fields: object) -> Json:
    """A search that runs here names no call. Source: "Tool search" guide of the API, read 2026-11-22."""
    return {"type": type, "status": "in_progress", "call_id": None, "execution": "server", **fields}


def described(about: str, tools: Sequence[Deferred]) -> str:
    lead = about or "Find further tools by what they are for; those found can be called afterwards."
    count = f"{len(tools)} tools" if len(tools) > 1 else "1 tool"
    return f"{lead} {count} can be found. {groups_of(tools)}".strip()


def groups_of(tools: Sequence[Deferred]) -> str:
    """The servers and namespaces there are, with what they say of themselves."""
    counts = Counter(tool.group for tool in tools if tool.group)
    about = {tool.group: cut(tool.about, _ABOUT_CHARS) for tool in tools}
    named = [f"- {group} ({count}){': ' if about[group] else ''}{about[group]}" for group, count in counts.items()]
    if len(named) > _GROUPS:
        named = [*named[:_GROUPS], f"- and {len(named) - _GROUPS} more"]
    return "Servers and namespaces, with the number of their tools:\n" + "\n".join(named) if named else ""
