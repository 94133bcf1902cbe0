"""What a run knows between its steps: plain JSON, and one append-only log."""

import secrets
from collections.abc import Iterable
from typing import Annotated, Any, NotRequired

from langgraph.channels import EphemeralValue  # pyright: ignore[reportMissingTypeStubs]
from typing_extensions import TypedDict  # pydantic makes no schema of typing's before Python 3.12

from graph.errors import Json

Item = Json


class Entry(TypedDict):
    """A finished item with what the model was told of it."""

    item: Item
    #: The `output_index` of an output item; the items of one response are shown in this order.
    at: NotRequired[int]
    #: The model turn a hosted call was made in; calls of one turn share one assistant message.
    turn: NotRequired[int]
    #: A hosted call, or the request to approve one, as the model wrote it: `{"name", "arguments"}`.
    call: NotRequired[Json]
    #: The approval request a hosted call was made upon.
    approval: NotRequired[str]
    #: The item of the hosted call that brought this one along.
    brought_by: NotRequired[str]
    #: Shown, and cut off when the process that made it died: the model was asked again and is not told of it.
    cut: NotRequired[bool]
    #: What the model was told of a hosted call: text, or chat content parts.
    reply: NotRequired[str | list[Json]]
    #: What the model is told in the place of files and images of the item: their place in it → content parts, with data
    #: where the item has ids and URLs. A part may have a `tool` with it, which is offered as if it were declared.
    told: NotRequired[dict[str, list[Json]]]
    #: Fields of the item that are shown to who asks for them; see `including`.
    held: NotRequired[Json]
    #: Files a hosted call made; see `ports.Outcome`.
    made: NotRequired[list[Json]]
    #: Whether strangers speak in the reply; see `untrusted`.
    untrusted: NotRequired[bool]
    #: What a hosted call has found; see `ports.Outcome`.
    sources: NotRequired[list[Json]]


class ItemLog(list[Entry]):
    """A list that knows which log it is a reading of, so that a store can keep only what was added.

    Two logs of one `epoch` share their first `min(len)` entries. A plain list (an edit, an `Overwrite`) starts a
    new epoch. Entries are shared between logs and never changed. `memo` holds what readers have derived from a
    prefix of this log (see `transcript`); it may be lost at any time.
    """

    __slots__ = ("epoch", "memo")

    def __init__(self, entries: Iterable[Entry] = (), epoch: str | None = None, memo: Any = None) -> None:
        super().__init__(entries)
        self.epoch = epoch or secrets.token_hex(8)
        self.memo = memo


def append_items(log: list[Entry], added: list[Entry]) -> list[Entry]:
    """Reducer of `items`: a longer log of the same epoch; neither argument is changed."""
    if not added:
        return log
    if not log and isinstance(added, ItemLog):
        return added  # brought along whole, with what is known of it
    if isinstance(log, ItemLog):
        return ItemLog([*log, *added], log.epoch, log.memo)
    return ItemLog([*log, *added])


class Record(TypedDict):
    """A response, less its request and its items. The store indexes it beside the checkpoint."""

    id: str
    owner: str
    status: str
    model: str
    created_at: int
    completed_at: int | None
    previous_response_id: str | None
    conversation: str | None
    background: bool
    error: Json | None
    incomplete_details: Json | None
    usage: Json | None
    #: Where in `items` this response's own input begins, and where its output does.
    input_at: int
    output_at: int
    #: Hosted calls and model turns made so far.
    hosted_calls: int
    turns: int


class Call(TypedDict):
    """A hosted call the model asked for, on its way to the node that executes it."""

    item_id: str
    kind: str
    name: str
    arguments: str
    at: int
    turn: int
    #: The approval request it is made upon, and what its server may be told should it ask for values.
    approval: NotRequired[str]
    values: NotRequired[Json]


class Outlook(TypedDict, total=False):
    """What the last model turn left to do."""

    calls: list[Call]
    #: Chat messages for the next question only: what was wrong with the last answer.
    repair: list[Json]
    repairs: int
    asked_client: bool
    #: Why the answer stops short: `max_output_tokens`, `content_filter`, `steered` or `unrecorded_call`.
    incomplete: str | None


class InputState(TypedDict, total=False):
    """What a run is given. `input` alone is enough: a text, or input items of the Responses API."""

    input: str | list[Json]
    #: The other fields of the request, validated and free of secrets; what is left out is the default.
    request: Json
    #: The conversation so far, where no checkpointer brings it.
    items: Annotated[list[Entry], append_items]


class State(TypedDict):
    """The channels. On a thread's first run only `input` and `request` are there until `load` has run."""

    input: Annotated[str | list[Json], EphemeralValue]
    request: Json
    items: Annotated[list[Entry], append_items]
    response: Record
    outlook: Outlook
    #: Functions of hosted tools as they were offered to the model; see `recording.described`.
    offered: NotRequired[list[Json]]


class Change(TypedDict, total=False):
    """What a step changes of the state."""

    items: list[Entry]
    request: Json
    response: Record
    outlook: Outlook
    offered: list[Json]
