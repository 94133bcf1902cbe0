"""What an event looks like and its number. The only place where events are made.

Items never interleave on the wire: each open item writes into a lane, lanes are said in `output_index` order, the
first open one live and the others as they come to be first.
Source: CONTRACT of the Responses API, "Streaming".
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import orjson

from graph.errors import Failure, Json
from graph.item_types import NAMELESS, PHASES, WHOLE, WITH_FAILED, WITHOUT_PHASES, WITHOUT_STATUS
from graph.log import EventLog
from graph.part import Part
from graph.state import Item

Names = Literal["openai", "open_responses"]

#: Statuses of a response that has not ended.
_GOING_ON = ("created", "queued", "in_progress")
_NUMBER = b',"sequence_number":'


def _head(type: str, fields: Json) -> bytes:
    """A frame up to its number, which is not known before the frame leaves its lane."""
    return b"event: " + type.encode() + b"\ndata: " + orjson.dumps({"type": type, **fields})[:-1] + _NUMBER


class _Lane:
    __slots__ = ("closed", "waiting")

    def __init__(self) -> None:
        self.waiting: list[bytes] = []
        self.closed = False


class Deltas:
    """The one event that is said per token: all but its text and number is made once."""

    __slots__ = ("_head", "_say", "_tail")

    def __init__(self, say_head: Callable[[bytes], None], type: str, place: Json) -> None:
        logprobs = b',"logprobs":[]' if type == "response.output_text.delta" else b""
        self._say = say_head
        self._head = _head(type, place)[: -len(_NUMBER)] + b',"delta":'
        self._tail = logprobs + _NUMBER

    def say(self, text: str, logprobs: list[Json] | None) -> None:
        tail = self._tail if logprobs is None else b',"logprobs":' + orjson.dumps(logprobs) + _NUMBER
        self._say(self._head + orjson.dumps(text) + tail)


class Emitter:
    """Makes and numbers the events of one response."""

    def __init__(self, log: EventLog, new_id: Callable[[str], str], names: Names = "openai") -> None:
        self.log = log
        self.new_id = new_id
        self.reasoning = "reasoning_text" if names == "openai" else "reasoning"
        self._next = 0
        self._lanes: list[_Lane] = []
        self._live = 0
        self._open: dict[int, OpenItem] = {}
        #: Items that are done, by output index.
        self.done: dict[int, Item] = {}
        #: Whether the last event of the response has been said.
        self.over = False

    def lifecycle(self, status: str, response: Json) -> None:
        """`response.<status>` with the whole response in it."""
        self._write(_head(f"response.{status}", {"response": response}))
        self.over = status not in _GOING_ON

    @property
    def begun(self) -> bool:
        """Whether the first event of the response has been said."""
        return self._next > 0

    def steer(self, stage: str, fields: Json) -> bytes:
        """`response.steer.<stage>`, which may follow the last event too; gives its frame."""
        return self._write(_head(f"response.steer.{stage}", fields))

    def error(self, failure: Failure) -> None:
        """The `error` event: nested as OpenAI sends it, with flat copies as the SDK's type has it."""
        error = failure.body()["error"]
        self._write(
            _head(
                "error", {"error": error, "code": error["code"], "message": error["message"], "param": error["param"]}
            )
        )

    def open(self, item: Json) -> "OpenItem":
        """`output_item.added`. The item gets its id here unless it has one."""
        kind: str = item["type"]
        item = {"id": self.new_id(kind), **item}
        opened = self.reopen(item)
        self.say(opened.index, "response.output_item.added", {"output_index": opened.index, "item": item})
        return opened

    def go_on(self, number: int, done: Sequence[Item]) -> None:
        """Begin where another emitter has come to: `number` is the next event's, `done` are its items."""
        self._next = number
        self.done = dict(enumerate(done))
        self._live = len(done)
        self._lanes = [_Lane() for _ in done]

    def reopen(self, item: Item) -> "OpenItem":
        """An item whose `output_item.added` has been said."""
        opened = OpenItem(self, item, len(self._lanes))
        self._open[opened.index] = opened
        self._lanes.append(_Lane())
        return opened

    @property
    def opened(self) -> list["OpenItem"]:
        """Items that are not done, in their order."""
        return [self._open[index] for index in sorted(self._open)]

    @property
    def next_index(self) -> int:
        """The `output_index` of the next item."""
        return len(self._lanes)

    def abandon(self) -> list["OpenItem"]:
        """Close whatever is open, as incomplete; gives what it closed."""
        left = self.opened
        for item in left:
            item.abandon()
        return left

    # What items say; not for others.

    def say(self, lane: int, type: str, fields: Json) -> None:
        self.say_head(lane, _head(type, fields))

    def say_head(self, lane: int, head: bytes) -> None:
        if lane == self._live:
            self._write(head)
        else:
            self._lanes[lane].waiting.append(head)

    def closed(self, lane: int) -> None:
        """The lane is complete; those behind it that are due are said."""
        self._lanes[lane].closed = True
        del self._open[lane]
        while self._live < len(self._lanes) and self._lanes[self._live].closed:
            self._live += 1
            if self._live < len(self._lanes):
                due, self._lanes[self._live].waiting = self._lanes[self._live].waiting, []
                for head in due:
                    self._write(head)

    def deltas(self, lane: int, type: str, place: Json) -> "Deltas":
        return Deltas(partial(self.say_head, lane), type, place)

    def _write(self, head: bytes) -> bytes:
        frame = b"%b%d}\n\n" % (head, self._next)
        self.log.append(frame)
        self._next += 1
        return frame


class OpenItem:
    """An item being made. It is closed once, by `close` or `abandon`."""

    def __init__(self, emitter: Emitter, item: Item, index: int) -> None:
        self.item = item
        self.index = index
        self.emitter = emitter
        self.part: Part | None = None
        #: Whether anything was said of it since it was added, what of its code, and whether that was all.
        self.begun = False
        self.said = ""
        self.announced = False
        #: What an approval has brought along for the call.
        self.values: Json | None = None
        #: What has to be said before an item that is abandoned may be closed.
        self.before_abandon: Callable[[], None] | None = None
        self.closed = False
        #: Items that a call brought along.
        self.followers: list[OpenItem] = []

    @property
    def id(self) -> str:
        return self.item["id"]

    @property
    def approved(self) -> bool:
        return bool(self.item.get("approval_request_id"))

    def event(self, stem: str, **fields: Any) -> None:
        self.was_told(stem, fields)
        named = {} if stem.startswith(NAMELESS) else {"item_id": self.item["id"]}
        self.emitter.say(self.index, f"response.{stem}", {**named, "output_index": self.index, **fields})

    def follow(self, item: Json, **fields: Any) -> "OpenItem":
        """Close this item, and open another behind it."""
        self.close(**fields)
        self.followers.append(self.emitter.open(item))
        return self.followers[-1]

    def was_told(self, stem: str, fields: Json) -> None:
        """What the event says of the item is so, also if it is abandoned later."""
        self.begun = True
        if stem == "code_interpreter_call_code.delta":
            self.said += fields["delta"]
        elif key := WHOLE.get(stem):
            self.announced = True
            self.item = {**self.item, key: fields[key]}

    def phase(self, name: str) -> None:
        """`response.<item type>.<name>`; of some types it is not said."""
        kind: str = self.item["type"]
        if kind in WITHOUT_PHASES or (name == "failed" and kind not in WITH_FAILED):
            return
        if name in PHASES.get(kind, ()):
            self.item = {**self.item, "status": name}
        self.event(f"{kind}.{name}")

    def open_part(self, part: Json) -> Part:
        """`content_part.added`; the part before it is closed."""
        if self.part:
            self.part.close()
        self.part = Part(self, part)
        self.event("content_part.added", part=self.part.zero, **self.part.place)
        return self.part

    def reopen_part(self, part: Json) -> Part:
        """A part whose `content_part.added` has been said."""
        self.part = Part(self, part)
        return self.part

    def close(self, **fields: Any) -> Item:
        """`output_item.done` with `fields` merged in; status `completed` unless said otherwise."""
        if self.part:
            self.part.close()
            self.part = None
        if self.item["type"] not in WITHOUT_STATUS:
            fields = {"status": "completed", **fields}
        self.item = {**self.item, **fields}
        self.closed = True
        self.emitter.done[self.index] = self.item
        self.emitter.say(self.index, "response.output_item.done", {"output_index": self.index, "item": self.item})
        self.emitter.closed(self.index)
        return self.item

    def abandon(self) -> Item:
        if self.before_abandon:
            self.before_abandon()
        if self.said:
            self.item = {**self.item, "code": self.said}
        if self.item["type"] == "mcp_list_tools":
            self.phase("failed")  # it has no status to say so
        if self.item["type"] in WITHOUT_STATUS:
            return self.close()
        return self.close(status="incomplete")
