"""The request of a response → the question put to a model: tools, options, and the shape of the answer."""

from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple

from graph.errors import Json
from graph.offers import Offer
from graph.ports import Function

#: Fields that mean the same in both protocols.
_SAME = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "user")


class Toolset(NamedTuple):
    """What the model may call in one turn, and whether it must."""

    offers: Mapping[str, Offer]
    functions: Mapping[str, Function]
    choice: str | Json | None

    def definitions(self) -> list[Json]:
        hosted = [
            {
                "type": "function",
                "function": {"name": f.name, "description": f.description, "parameters": f.parameters},
            }
            for f in self.functions.values()
        ]
        return [*hosted, *(offer.definition() for offer in self.offers.values())]

    def named(self, names: Set[str], choice: str | Json | None) -> "Toolset":
        """Those of its tools that have one of these names."""
        offers = {name: offer for name, offer in self.offers.items() if name in names}
        functions = {name: function for name, function in self.functions.items() if name in names}
        return Toolset(offers, functions, choice)


def callable_now(choice: str | Json | None, every: Toolset, hidden: Set[str], forced_before: bool) -> Toolset:
    """Apply `tool_choice`. A forced call is forced once: later turns are free, or the loop would never end.

    `hidden` tools wait for a search to find them; who forces one has found it.
    """
    ready = {*every.offers, *every.functions} - hidden
    if not isinstance(choice, dict):
        return every.named(ready, _mode(choice, forced_before))
    if choice["type"] == "allowed_tools":
        allowed = {name for one in choice["tools"] for name in _chosen(one, every)}
        if allowed & hidden:
            allowed |= {*_chosen({"type": "tool_search"}, every)}
        return every.named(allowed & ready, _mode(choice.get("mode"), forced_before))
    names = _chosen(choice, every)
    offered = every.named(ready.union(names), None)
    return offered if forced_before else _forced(names, offered)


def _forced(names: Sequence[str], tools: Toolset) -> Toolset:
    if len(names) == 1:
        return tools._replace(choice={"type": "function", "function": {"name": names[0]}})
    only = {name: function for name, function in tools.functions.items() if name in names}
    return Toolset({}, only, "required") if only else tools


def _mode(choice: object, forced_before: bool) -> str | None:
    if choice == "required":
        return None if forced_before else "required"
    return "none" if choice == "none" else None


def _chosen(choice: Json, tools: Toolset) -> list[str]:
    """The model's names of the tools that `{type, name?, server_label?}` means."""
    kind: str = choice["type"]
    if kind in ("function", "custom"):
        return [name for name in tools.offers if name == choice["name"] or name.endswith(f"__{choice['name']}")]
    named = {"computer_use_preview": "computer", "computer_use": "computer"}.get(kind, kind)
    if named in tools.offers:
        return [named]
    hosted = (f for f in tools.functions.values() if f.kind == kind or kind.startswith(f"{f.kind}_"))
    return [f.name for f in hosted if _means(choice, f.item())]


def _means(choice: Json, item: Json) -> bool:
    return all(choice.get(key) in (None, item.get(key)) for key in ("server_label", "name"))


# ---------------------------------------------------------------- options


def options_of(request: Json, tools: Toolset, tokens_left: int | None) -> Json:
    """Chat Completions fields of a request; what the caller left out is left to the model server."""
    options: Json = {key: request[key] for key in _SAME if request.get(key) is not None}
    if tokens_left is not None:
        options["max_tokens"] = tokens_left
    reasoning: Json = request.get("reasoning") or {}
    text: Json = request.get("text") or {}
    if effort := reasoning.get("effort"):
        options["reasoning_effort"] = effort
    if verbosity := text.get("verbosity"):
        options["verbosity"] = verbosity
    if "message.output_text.logprobs" in (request.get("include") or ()):
        options |= {"logprobs": True, **({"top_logprobs": top} if (top := request.get("top_logprobs")) else {})}
    if tools.offers or tools.functions:
        options |= _tool_options(request, tools)
    return options


def _tool_options(request: Json, tools: Toolset) -> Json:
    options: Json = {} if tools.choice is None else {"tool_choice": tools.choice}
    if request.get("parallel_tool_calls") is False:
        options["parallel_tool_calls"] = False
    return options
