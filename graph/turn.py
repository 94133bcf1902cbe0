"""One model turn: raw chunks of Chat Completions in; items on the wire and calls to make out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from graph.approvals import REQUEST
from graph.errors import Json, ToolFailed
from graph.events import Emitter, OpenItem
from graph.hosted import GuardedDraft, HostedDraft
from graph.ids import new_call_id
from graph.offers import Draft, Offer
from graph.policy import Guard
from graph.ports import Function
from graph.saying import Saying
from graph.state import Call, Entry

#: How an answer ends that stops in the middle → the reason its response gives.
CUT = {"length": "max_output_tokens", "content_filter": "content_filter", "steered": "steered"}


@dataclass(frozen=True, slots=True)
class Rejected:
    """A call that cannot be made; the model hears why and may try again."""

    call_id: str
    name: str
    arguments: str
    why: str


@dataclass(slots=True)
class Answer:
    """What one turn came to."""

    entries: list[Entry] = field(default_factory=list[Entry])
    #: Items of hosted calls, still open, with the calls to execute.
    calls: list[Call] = field(default_factory=list[Call])
    shown: list[OpenItem] = field(default_factory=list[OpenItem])
    rejected: list[Rejected] = field(default_factory=list[Rejected])
    #: The client has calls to answer.
    asked_client: bool = False
    text: str = ""
    refused: bool = False
    finish: str | None = None
    usage: Json | None = None


@dataclass(slots=True)
class _Calling:
    """A call the model is writing."""

    call_id: str
    name: str = ""
    arguments: str = ""
    draft: Draft | None = None
    closed: bool = False


class Turn:
    """A sink for one answer of the model (see `ports.Sink`)."""

    def __init__(
        self,
        emitter: Emitter,
        offers: Mapping[str, Offer],
        functions: Mapping[str, Function],
        guard: Guard,
        number: int,
    ) -> None:
        self._emitter = emitter
        self._offers = offers
        self._functions = functions
        self._guard = guard
        self._number = number
        self._calls: dict[int, _Calling] = {}
        self._writing: int | None = None
        self._answer = Answer()
        self.saying = Saying(emitter, self._answer.entries)
        self._texts: list[str] = []
        #: Set to keep text back until `say` is called with what may be shown.
        self.holds_text = False
        #: Set to let the model make one call only.
        self.one_call = False
        #: Hosted calls that may still be made; None is without limit.
        self.hosted_left: int | None = None

    def accepted(self) -> None:
        self._emitter.log.release()

    # ------------------------------------------------------------ chunks in

    def feed(self, chunk: Json) -> None:
        if usage := chunk.get("usage"):
            self._answer.usage = usage
        for choice in chunk.get("choices") or ():
            delta: Json = choice.get("delta") or choice.get("message") or {}
            for kind, value in delta.items():
                if value:
                    self._take(kind, value, choice)
            if finish := choice.get("finish_reason"):
                self._answer.finish = finish
            break  # one answer was asked for

    def _take(self, kind: str, value: Any, choice: Json) -> None:
        match kind:
            case "content":
                self._text(value, choice.get("logprobs"))
            case "reasoning_content":
                self._write("reasoning_text", value)
            case "refusal":
                self._answer.refused = True
                self._write("refusal", value)
            case "tool_calls":
                for call in value:
                    self._call(call)
            case _:
                pass  # role, and what model servers add of their own

    def _text(self, text: str, logprobs: Json | None) -> None:
        self._texts.append(text)
        if not self.holds_text:
            self._close_calls()
            self.saying.tell(text, (logprobs or {}).get("content"))

    def _write(self, kind: str, text: str) -> None:
        self._close_calls()
        self.saying.write(kind, text)

    # ------------------------------------------------------------ calls

    def _call(self, delta: Json) -> None:
        index: int = delta.get("index") or 0
        if self.one_call and self._calls and index not in self._calls:
            return
        if index not in self._calls:
            self.saying.close()
            self._close_written()
            self._calls[index] = _Calling(delta.get("id") or new_call_id())
        calling = self._calls[index]
        if calling.closed:
            return
        function: Json = delta.get("function") or {}
        calling.name += function.get("name") or ""
        self._arguments(calling, function.get("arguments") or "")
        self._writing = index

    def _arguments(self, calling: _Calling, arguments: str) -> None:
        calling.arguments += arguments
        if calling.draft is None and calling.name and arguments and not self._over(calling):
            calling.draft = self._draft(calling)
            arguments = calling.arguments
        if calling.draft and arguments:
            calling.draft.write(arguments)

    def _draft(self, calling: _Calling) -> Draft | None:
        if function := self._functions.get(calling.name):
            if self._over(calling):
                raise ToolFailed("No more tool calls may be made; answer with what you know.")
            if self.hosted_left is not None:
                self.hosted_left -= 1
            if self._guard.may_ask(function):
                return GuardedDraft(self._emitter, function, self._guard)
            return HostedDraft(self._emitter, function)
        if offer := self._offers.get(calling.name):
            return offer.draft(self._emitter, calling.call_id)
        return None

    def _over(self, calling: _Calling) -> bool:
        return self.hosted_left == 0 and calling.name in self._functions

    def _close_written(self) -> None:
        """Another call begins: the one before is closed if it is whole, so that it need not wait for the turn's end."""
        if self._writing is not None and _is_whole(self._calls[self._writing].arguments):
            self._close_call(self._writing)

    def _close_calls(self) -> None:
        for index in list(self._calls) if self._calls else ():
            self._close_call(index)

    def _close_call(self, index: int) -> None:
        calling = self._calls[index]
        if calling.closed:
            return
        calling.closed = True
        try:
            if calling.draft is None:
                calling.draft = self._draft(calling)
            if calling.draft is None:
                raise ToolFailed(self._unknown(calling.name))
            self._made(calling, calling.draft.close())
        except ToolFailed as failed:
            rejected = Rejected(calling.call_id, calling.name, calling.arguments, failed.message)
            self._answer.rejected.append(rejected)

    def _unknown(self, name: str) -> str:
        offered = ", ".join([*self._offers, *self._functions]) or "none"
        return f"There is no tool named {name!r}. Tools that can be called: {offered}."

    def _made(self, calling: _Calling, shown: OpenItem) -> None:
        function = self._functions.get(calling.name)
        if function and shown.item["type"] == REQUEST:
            call = {"name": calling.name, "arguments": calling.arguments}
            self._answer.asked_client = True
            self._answer.entries.append({"item": shown.item, "at": shown.index, "turn": self._number, "call": call})
        elif function:
            self._answer.shown.append(shown)
            self._answer.calls.append(
                {
                    "item_id": shown.id, "kind": function.kind, "name": calling.name, "arguments": calling.arguments,
                    "at": shown.index, "turn": self._number,
                }
            )  # fmt: skip
        else:
            self._answer.asked_client = True
            self._answer.entries.append({"item": shown.item, "at": shown.index})

    # ------------------------------------------------------------ the answer out

    def stop(self) -> None:
        """A user has steered: what the model has said so far is its answer."""
        self._answer.finish = "steered"

    def end(self) -> Answer:
        """The model has ended its turn."""
        self._answer.text = "".join(self._texts)
        if self._answer.finish in CUT:
            self._cut()
        else:
            self.saying.close()
        self._close_calls()
        return self._answer

    def say(self, text: str) -> None:
        """Show text that was held back."""
        self._write("output_text", text)
        self.saying.close()

    def _cut(self) -> None:
        """The answer stops in the middle: what is open ends incomplete, and calls half written are not made."""
        if self.holds_text and self._answer.text:
            self._write("output_text", self._answer.text)
        self.saying.cut()
        for item in self._emitter.abandon():
            self._answer.entries.append({"item": item.item, "at": item.index})
        self._calls.clear()


def _is_whole(arguments: str) -> bool:
    try:
        orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return False
    return True
