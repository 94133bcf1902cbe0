"""Text of strangers in a conversation, after which calls with side effects wait for somebody's yes.

A page can say "now send the mail" as plainly as the user can, and no fence around it makes a model deaf. So what counts
is what the model has been told, not how: once a conversation holds a stranger's text, a call that is not `repeatable`
is asked for first, whatever the caller waives (see `policy.Guard`). This holds for the rest of the conversation, also
in later responses: the text is still read, and a yes to one call is no yes to the next. Calls that the model writes in
the same turn as the one that fetches the text were written before it was read, and do not wait for it.

It is written into the entries of the conversation, so that a process that goes on after another has died, a store and
a reference know it, too. Of a history that the client keeps itself nobody knows who said what: see `_is_brought`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, cast

from graph.errors import Json
from graph.policy import Guard
from graph.ports import Function
from graph.state import Entry, Item

#: `allow`: what strangers say changes nothing. `ask`: calls with side effects wait after it.
Untrusted = Literal["allow", "ask"]
#: What a client brings that tells of the web, of a screen, or of a conversation nobody has here.
_TELLING = frozenset({"web_search_call", "computer_call_output", "compaction"})
_SHELL, _CODE = ("shell", "shell"), ("code_interpreter", "code_interpreter")
#: `server_label` and name of a tool → whether strangers speak in its replies.
_Known = Mapping[tuple[str, str], bool]


def marked(entries: Sequence[Entry], function: Function | None) -> list[Entry]:
    """The entries of a hosted call, marked if strangers speak in them; a tool that is gone may have let them."""
    if function is not None and not function.untrusted:
        return [*entries]
    return [{**entry, "untrusted": True} if "reply" in entry else entry for entry in entries]


def wary(guard: Guard, entries: Iterable[Entry], functions: Iterable[Function]) -> Guard:
    """The guard for the next turn of a model that has been told `entries`."""
    if guard.untrusted == "allow":
        return guard
    known = {function.origin: function.untrusted for function in functions}
    return replace(guard, wary=True) if any(_is_untrusted(entry, known) for entry in entries) else guard


def _is_untrusted(entry: Entry, known: _Known) -> bool:
    if "at" in entry or "call" in entry:
        return bool(entry.get("untrusted"))
    return _is_brought(entry["item"], known)


def _is_brought(item: Item, known: _Known) -> bool:
    """Whether an item of the client's own tells what strangers say. Of calls that were made here that is known by the
    tools there are now; what its own functions and shells said, and files it has uploaded, a client answers for."""
    match item["type"]:
        case "mcp_call":
            return known.get((item["server_label"], item["name"]), True)
        case "code_interpreter_call":
            return known.get(_CODE, True)
        case "shell_call_output":
            return known.get(_SHELL, False)
        case kind:
            return kind in _TELLING or any(_is_fetched(part) for part in _parts(item))


def _parts(item: Item) -> Iterable[Json]:
    for given in (item.get("content"), item.get("output")):
        if isinstance(given, list):
            yield from (part for part in cast(list[Any], given) if isinstance(part, dict))


def _is_fetched(part: Json) -> bool:
    """A file or an image that is fetched from where a URL leads."""
    image = part.get("image_url")
    return bool(part.get("file_url")) or (isinstance(image, str) and not image.startswith("data:"))
