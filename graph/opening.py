"""The tools of a run while they are made ready, and those of them that wait to be found."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from graph.client_tools import BY_TYPE, is_clients, offers_of
from graph.errors import Json, RequestError
from graph.events import Emitter, OpenItem
from graph.offers import Offer
from graph.ports import Consult, Deferred, Function, HostedTool
from graph.state import Entry
from graph.transcript import toolsets_of


@dataclass(slots=True)
class Toolbox:
    """What a run's hosted tools are told while they open; see `ports.Opening`."""

    owner: str
    entries: Sequence[Entry]
    emitter: Emitter
    declared: Sequence[Json]
    offers: Mapping[str, Offer]
    functions: Mapping[str, Function]
    consult: Consult
    marks: Iterator[int]
    stored: bool = True
    chosen: dict[str, str] = field(default_factory=dict[str, str])
    shown: list[OpenItem] = field(default_factory=list[OpenItem])

    @property
    def taken(self) -> Collection[str]:
        return {*self.offers, *self.functions}

    @property
    def deferred(self) -> list[Deferred]:
        return [*_clients(self.declared), *_hosted(self.functions)]

    def param(self, tool: Json) -> str:
        return next((f"tools[{at}]" for at, declared in enumerate(self.declared) if declared is tool), "input")

    def show(self, item: Json) -> OpenItem:
        self.shown.append(self.emitter.open(item))
        return self.shown[-1]

    def entries_shown(self) -> list[Entry]:
        return [{"item": shown.item, "at": shown.index} for shown in self.shown]


def serves(tool: HostedTool, declared: Json) -> bool:
    """Whether a declaration of a request is for a hosted tool."""
    return declared["type"] in tool.types and not is_clients(declared)


def refuse_twin(function: Function, known: Mapping[str, Function]) -> None:
    """A yes to a call names its origin alone: it must not be taken for a yes to a tool of another kind."""
    if any(other.origin == function.origin and other.kind != function.kind for other in known.values()):
        label, name = function.origin
        message = f"Two tools are called '{name}' of '{label}': give the MCP server another 'server_label'."
        raise RequestError(message, param="tools", code="invalid_value")


def brought(conversation: Sequence[Entry]) -> list[Json]:
    """Tools that nobody declares, and that what the conversation was given wants: long files are searched."""
    told = (parts for entry in conversation for parts in (entry.get("told") or {}).values())
    return [part["tool"] for parts in told for part in parts if "tool" in part]


def joined(conversation: Sequence[Entry]) -> list[Json]:
    """Tools that joined in the course of the conversation: found by a search, or added by the developer.

    What was found here still says that it had been deferred: calls of it show that.
    """
    items = toolsets_of(conversation)
    return [tool if item.get("execution") == "server" else _loaded(tool) for item in items for tool in item["tools"]]


def hidden(offers: Mapping[str, Offer], functions: Mapping[str, Function], conversation: Sequence[Entry]) -> set[str]:
    """Names of the tools that no search in the conversation has found."""
    waiting = {name: each for name, each in {**offers, **functions}.items() if each.deferred}
    if not waiting:
        return set()
    tools = joined(conversation)
    found = {offer.name for offer in offers_of(tools)}
    return {name for name in waiting if name not in found and not _is_found(functions.get(name), tools)}


def _is_found(function: Function | None, tools: Sequence[Json]) -> bool:
    """A server that is found without names is found whole."""
    if function is None:
        return False
    label, name = function.origin
    return any(
        tool.get("server_label") == label and name in (tool.get("allowed_tools") or [name])
        for tool in tools
        if tool["type"] == function.kind
    )


def _loaded(tool: Json) -> Json:
    members = {"tools": [_loaded(member) for member in tool["tools"]]} if tool["type"] == "namespace" else {}
    return {**tool, **members, "defer_loading": False}


def _clients(declared: Sequence[Json]) -> Iterator[Deferred]:
    for tool in declared:
        for one in _singles(tool) if is_clients(tool) else ():
            group, about = (tool["name"], tool.get("description") or "") if tool["type"] == "namespace" else ("", "")
            for offer in BY_TYPE[one["type"]].offers(one):
                if offer.deferred:
                    yield Deferred(offer.name, offer.description, offer.parameters, group, about, one)


def _singles(tool: Json) -> Iterator[Json]:
    """A namespace once for each of its members, with the description that items must have."""
    if tool["type"] == "namespace":
        about = tool.get("description") or ""
        yield from ({**tool, "description": about, "tools": [member]} for member in tool["tools"])
    else:
        yield tool


def _hosted(functions: Mapping[str, Function]) -> Iterator[Deferred]:
    for function in functions.values():
        if function.deferred:
            label, name = function.origin
            tool: Json = {"type": function.kind, "server_label": label, "allowed_tools": [name]}
            yield Deferred(function.name, function.description, function.parameters, label, function.about, tool)
