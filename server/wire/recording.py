"""A recorded run as a caller brings it back: `replay` of `POST /responses`, and what is in it.

Nothing in it is trusted: items are checked as input items are, pictures and files are data and no addresses.
"""

from collections.abc import Sequence
from typing import Annotated, Literal, cast

from pydantic import AfterValidator, ConfigDict, Field

from graph.errors import Json, RequestError
from graph.ids import PREFIXES, new_id
from graph.input import stored_form
from graph.recording import Recording, Replay
from graph.state import Entry
from server.wire.items import InputItem, item_type
from server.wire.parts import Wire
from server.wire.problems import custom
from server.wire.tools import found_tools

#: Item types that bring tools, and those with places for files: the field they stand in.
_WITH_TOOLS = frozenset({"tool_search_output", "additional_tools"})
_PLACES = {"message": "content", "function_call_output": "output", "custom_tool_call_output": "output"}
_Data = Annotated[str, Field(pattern=r"^data:")]


class Picture(Wire):
    url: _Data


class TextTold(Wire):
    type: Literal["text"]
    text: str


class PictureTold(Wire):
    type: Literal["image_url"]
    image_url: Picture


Reply = str | list[Annotated[TextTold | PictureTold, Field(discriminator="type")]]


class Brought(Wire):
    """A tool that a long file has brought along."""

    type: Literal["file_search"]


class Standing(Wire):
    """What stands for a file or an image."""

    tool: Brought | None = None


class TextStanding(Standing):
    type: Literal["input_text"]
    text: str


class FileStanding(Standing):
    type: Literal["input_file"]
    file_data: str
    file_id: None = None
    file_url: None = None


class ImageStanding(Standing):
    type: Literal["input_image", "computer_screenshot"]
    image_url: _Data
    file_id: None = None


Stood = Annotated[TextStanding | FileStanding | ImageStanding, Field(discriminator="type")]


class RecordedCall(Wire):
    name: str
    arguments: str


class MadeFile(Wire):
    container_id: str
    file_id: str
    filename: str
    path: str


class Note(Wire):
    type: str


class Source(Wire):
    mark: str
    note: Note


class RecordedEntry(Wire):
    """An item, and what the model was told of it. Fields that are not named here are left out."""

    item: InputItem
    turn: Annotated[int, Field(ge=-1, le=100_000)] | None = None
    call: RecordedCall | None = None
    reply: Reply | None = None
    told: dict[str, Annotated[list[Stood], Field(min_length=1)]] | None = None
    held: Json | None = None
    made: list[MadeFile] | None = None
    sources: list[Source] | None = None
    untrusted: bool | None = None
    brought_by: str | None = None
    approval: str | None = None


class ZeroItem(Wire):
    type: str


def _pair(value: list[str]) -> list[str]:
    if len(value) != 2:
        raise custom("invalid_value", "expected a label and a name")
    return value


class RecordedTool(Wire):
    """A function as it was offered."""

    kind: str
    name: Annotated[str, Field(min_length=1, max_length=64)]
    description: str
    parameters: Json
    origin: Annotated[list[str], AfterValidator(_pair)]
    known_as: str
    about: str
    wants_approval: bool | None
    cautious: bool
    repeatable: bool
    deferred: bool
    untrusted: bool
    item: ZeroItem


Entries = Annotated[list[RecordedEntry], Field(max_length=20_000)]


class RecordingGiven(Wire):
    request: Json
    history: Entries | None = None
    input: Entries | None = None
    output: Entries | None = None
    functions: Annotated[list[RecordedTool], Field(max_length=2000)] | None = None


class ReplayGiven(Wire):
    model_config = ConfigDict(extra="forbid")

    recording: RecordingGiven
    step: Annotated[int, Field(ge=0)] | None = None
    results: Literal["recorded", "live"] | None = None
    unrecorded: Literal["stop", "tell"] | None = None


def replay_of(given: Json) -> Replay:
    """Of what fits `ReplayGiven`. Raises `RequestError`."""
    recording: Json = given["recording"]
    history, asked, made = (
        _entries(recording.get(name) or [], f"replay.recording.{name}") for name in ("history", "input", "output")
    )
    functions = [{name: one[name] for name in RecordedTool.model_fields} for one in recording.get("functions") or ()]
    return Replay(
        Recording(history, asked, made, functions),
        given.get("step") or 0,
        given.get("results") or "recorded",
        given.get("unrecorded") or "stop",
    )


def _entries(given: Sequence[Json], at: str) -> list[Entry]:
    return [_entry(entry, f"{at}[{index}]") for index, entry in enumerate(given)]


def _entry(given: Json, at: str) -> Entry:
    kind = item_type(given["item"]) or ""
    if kind == "item_reference":
        message = "A recording holds items, and no references to them."
        raise RequestError(message, param=f"{at}.item", code="invalid_value")
    item = stored_form({**given["item"], "type": kind}, lambda kind: new_id(PREFIXES.get(kind, "item_")))
    if kind in _WITH_TOOLS:
        item["tools"] = found_tools(item["tools"], f"{at}.item.tools")
    if given.get("told") and not _has_place(item, given["told"]):
        message = f"Invalid '{at}.told': the item has no place for what is told."
        raise RequestError(message, param=f"{at}.told", code="invalid_value")
    kept = {name: given[name] for name in RecordedEntry.model_fields if given.get(name) is not None}
    return cast(Entry, {**kept, "item": item})


def _has_place(item: Json, told: Json) -> bool:
    if item["type"] == "computer_call_output":
        return set(told) == {"0"}
    return isinstance(item.get(_PLACES.get(item["type"], "")), list)
