"""Files and images of an input: what stands for them before the model is made once, when the input is taken.

The item keeps what the caller sent. What was found behind an id or a URL stands in the entry, so that a later turn, a
restart and a deleted file change nothing.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol, cast

from graph.errors import Json
from graph.state import Entry, Item

_KINDS = ("input_file", "input_image")
#: Where the parts of an item stand.
_FIELDS = {"message": "content", "function_call_output": "output", "custom_tool_call_output": "output"}


class Attachment(NamedTuple):
    #: A content part: `input_file` or `input_image`, or a screenshot, which has the fields of an image.
    part: Json
    #: Where it stands in the request: `input[0].content[1]`.
    param: str
    #: A screenshot that a computer of the server's has shown: that its file is gone by now is told, not refused.
    shown: bool = False


class Attachments(Protocol):
    async def resolve(self, owner: str, given: Sequence[Attachment]) -> Sequence[list[Json] | None]:
        """For each of one request, in order: the parts that stand for it, with data in the place of ids and URLs;
        None for one that is told as it is. Raises `RequestError`, its `param` under that of the attachment.
        """
        ...


class NoAttachments:
    """What is given is told."""

    async def resolve(self, owner: str, given: Sequence[Attachment]) -> Sequence[list[Json] | None]:
        return [None for _ in given]


async def attached(entries: Sequence[Entry], at: str, owner: str, attachments: Attachments) -> list[Entry]:
    """The entries of an input, with what stands for their attachments; `at` is where the input is in the request."""
    found = [
        (index, place, Attachment(part, f"{at}[{index}]{param}", shown=str(entry["item"].get("id")).startswith("cuo_")))
        for index, entry in enumerate(entries)
        if "told" not in entry  # as those that were stored before have it
        for place, param, part in _parts(entry["item"])
    ]
    if not found:
        return list(entries)
    told: dict[int, dict[str, list[Json]]] = {}
    for (index, place, _), parts in zip(
        found, await attachments.resolve(owner, [one for *_, one in found]), strict=True
    ):
        if parts is not None:
            told.setdefault(index, {})[place] = parts
    return [{**entry, "told": told[index]} if index in told else entry for index, entry in enumerate(entries)]


def as_told(entry: Entry) -> Item:
    """The item with what stands for its attachments in their place."""
    item, told = entry["item"], entry.get("told")
    if not told:
        return item
    if item["type"] == "computer_call_output":
        return {**item, "output": told["0"][0]}
    field, spliced = _FIELDS[item["type"]], list[Json]()
    for place, part in enumerate(cast(list[Json], item[field])):
        spliced += told.get(str(place)) or [part]
    return {**item, field: spliced}


def _parts(item: Item) -> Iterator[tuple[str, str, Json]]:
    """Place, path and part of every file and image."""
    field = _FIELDS.get(item["type"], "")
    if item["type"] == "computer_call_output":
        yield "0", ".output", item["output"]
    elif isinstance(held := item.get(field), list):
        for place, part in enumerate(cast(list[Json], held)):
            if part.get("type") in _KINDS:
                yield str(place), f".{field}[{place}]", part
