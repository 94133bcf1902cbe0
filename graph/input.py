"""A request's `input` → entries of the conversation: every item with an id and a status, references resolved.

Source: CONTRACT of the Responses API, "Building the context".
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from graph.attachments import Attachments, attached
from graph.carried import is_search, of_stored, restored
from graph.errors import Json, NotFound
from graph.events import Emitter
from graph.seal import Seal
from graph.state import Entry, Item

#: Item types that have no status, or none that an input item is given.
_WITHOUT_STATUS = frozenset({
    "reasoning", "mcp_list_tools", "mcp_call", "mcp_approval_request", "mcp_approval_response", "compaction",
    "additional_tools", "configuration_update", "compaction_trigger", "program", "local_shell_call_output",
})  # fmt: skip


class Reader(Protocol):
    """What is needed to read an input: whose it is, a maker of ids, the items of earlier responses, and files."""

    @property
    def owner(self) -> str: ...
    @property
    def emitter(self) -> Emitter: ...
    @property
    def find_item(self) -> Callable[[str], Awaitable[Entry | None]]: ...
    @property
    def attachments(self) -> Attachments: ...
    @property
    def seal(self) -> Seal: ...


async def entries_of(given: str | Sequence[Json], reader: Reader) -> list[Entry]:
    """Raises `NotFound` for a reference to an item that is not stored, `RequestError` for a file nobody can read."""
    items = [message(given)] if isinstance(given, str) else given
    entries = restored([await _entry(item, reader) for item in items], reader.seal.open)
    return await attached(entries, "input", reader.owner, reader.attachments)


def message(text: str) -> Item:
    """A text as the one user message it stands for."""
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


async def _entry(item: Json, reader: Reader) -> Entry:
    if item["type"] == "item_reference":
        found = await reader.find_item(item["id"])
        if found is None:
            raise NotFound(
                f"Item with id '{item['id']}' not found. Items are not persisted when `store` is set to false. "
                "Try again with `store` set to true, or remove this item from your input.",
                param="input",
            )
        return {key: value for key, value in found.items() if key != "at"}  # pyright: ignore[reportReturnType]
    entry: Entry = {"item": stored_form(item, reader.emitter.new_id)}
    return of_stored(entry, await reader.find_item(item["id"])) if is_search(item) and item.get("id") else entry


def stored_form(item: Json, new_id: Callable[[str], str]) -> Item:
    """An input item as it is stored and listed: typed, with an id and a status, content as parts."""
    kind: str = item["type"]
    whole: Item = {"id": item.get("id") or new_id(kind), **{k: v for k, v in item.items() if k != "id"}}
    if kind not in _WITHOUT_STATUS and not whole.get("status"):
        whole["status"] = "completed"
    if kind == "message" and isinstance(item["content"], str):
        whole["content"] = [_part_of(item["role"], item["content"])]
    return whole


def _part_of(role: str, text: str) -> Json:
    if role == "assistant":
        return {"type": "output_text", "text": text, "annotations": []}
    return {"type": "input_text", "text": text}
