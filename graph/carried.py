"""What hosted searches have found, for clients that keep their own history.

Their items say what was asked, and not what was found: sent back alone, they would leave the model with nothing, and
its marks with nothing to stand for. What was stored is looked up by the item's id. Who stores nothing and asks for
`reasoning.encrypted_content` gets an item of reasoning behind the call, without a thought, in which it is sealed;
clients bring such items back as they are.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

from graph.errors import Json
from graph.ports import Function
from graph.state import Entry, Item

_SEARCHES = frozenset({"web_search_call", "file_search_call"})
_FIELDS = ("call", "reply", "sources", "untrusted")
_WANTED = "reasoning.encrypted_content"


def is_search(item: Item) -> bool:
    return item["type"] in _SEARCHES


def sealed(entry: Entry, function: Function, request: Json, close: Callable[[Json], str]) -> Json | None:
    """The fields of the item of reasoning that is to follow a call; None where nobody wants one."""
    wanted = request.get("store") is False and _WANTED in (request.get("include") or ())
    if not wanted or not is_search(entry["item"]):
        return None
    kept = _told({**entry, "untrusted": True} if function.untrusted else entry)
    return {"encrypted_content": close({"found": {entry["item"]["id"]: kept}})}


def restored(entries: Sequence[Entry], unseal: Callable[[str], Json | None]) -> list[Entry]:
    """The entries of an input, with what was found of those searches whose finds it brings along."""
    if not any(is_search(entry["item"]) and "reply" not in entry for entry in entries):
        return [*entries]
    found = dict[str, Any]()
    for entry in entries:
        if entry["item"]["type"] == "reasoning" and (said := entry["item"].get("encrypted_content")):
            found |= cast(Json, (unseal(said) or {}).get("found") or {})
    return [of_stored(entry, found.get(entry["item"]["id"])) for entry in entries]


def of_stored(entry: Entry, found: Any) -> Entry:
    """The entry of a search, with what another entry of it knows."""
    if found is None or "reply" in entry or not is_search(entry["item"]):
        return entry
    return cast(Entry, {**entry, **_told(found)})


def _told(entry: Any) -> Json:
    return {name: entry[name] for name in _FIELDS if name in entry}
