"""Entries put together as chat messages: the calls of one turn in one message, their outputs right behind it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from graph.approvals import REQUEST, RESPONSE, denial
from graph.attachments import as_told
from graph.client_tools import OUTPUTS, REPLAY
from graph.content import content_of, reply_of, text_of
from graph.errors import Json, RequestError
from graph.offers import NAME_LIMIT, ChatCall
from graph.state import Entry, Item

Unseal = Callable[[str], Json | None]
Reply = str | list[Json]


class Style(NamedTuple):
    """How a conversation is put to a model."""

    developer_role: bool = False
    #: Earlier thoughts the model is shown: those since the last user message, all, or none.
    thoughts: str = "current_turn"


@dataclass(slots=True)
class _Assistant:
    """An assistant message that is being put together."""

    thought: str = ""
    content: str | None = None
    calls: list[Json] = field(default_factory=list[Json])
    #: Replies that are known with their calls wait for the other calls of the message.
    replies: list[tuple[str, Reply]] = field(default_factory=list[tuple[str, Reply]])
    turn: int | None = None

    def message(self) -> Json:
        message: Json = {"role": "assistant", "content": self.content}
        if self.thought:
            message["reasoning_content"] = self.thought
        if self.calls:
            message["tool_calls"] = self.calls
        return message


@dataclass(slots=True)
class Chat:
    """Takes entries, gives messages."""

    style: Style
    unseal: Unseal
    messages: list[Json] = field(default_factory=list[Json])
    #: Calls without an output yet, and what has to wait until they have one.
    awaiting: set[str] = field(default_factory=set[str])
    #: Requests to approve a call, and those of them that were approved.
    asked: set[str] = field(default_factory=set[str])
    approved: set[str] = field(default_factory=set[str])
    #: Calls made upon an approval, which stand where they were asked for → the requests.
    asked_as: dict[str, str] = field(default_factory=dict[str, str])
    deferred: list[Json] = field(default_factory=list[Json])
    #: Searches for tools that ran on a server: their outputs follow in the same order and name no call.
    searches: list[str] = field(default_factory=list[str])
    assistant: _Assistant | None = None
    thought: str = ""

    def take(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            item = as_told(entry)
            kind: str = item["type"]
            if entry.get("cut") or "brought_by" in entry:
                continue
            if kind == REQUEST:
                self._asked(entry)
            elif "reply" in entry:
                self._hosted(entry)
            elif kind in OUTPUTS:
                self._output(item)
            elif kind in REPLAY:
                self._called(item)
            elif told := _TOLD.get(kind):
                told(self, item)

    def finish(self) -> list[Json]:
        """All messages. Raises `RequestError` when a call is still without its output, or not approved yet."""
        self._end_assistant()
        for call_id in self.awaiting - self.approved:
            wanted = (
                "approval response found for approval request"
                if call_id in self.asked
                else ("tool output found for function call")
            )
            raise RequestError(f"No {wanted} {call_id}.", param="input")
        self._settle()
        return self.messages

    # ------------------------------------------------------------ what is said

    def message(self, item: Item) -> None:
        role: str = item["role"]
        if role == "assistant":
            assistant = self.assistant
            if assistant is None or assistant.content is not None or assistant.replies:
                assistant = self._begin_assistant(None)
            assistant.content = text_of(item["content"])
            return
        self._end_assistant()
        self.thought = ""
        if role == "developer" and not self.style.developer_role:
            role = "system"
        self._say({"role": role, "content": content_of(item["content"])})

    def reasoning(self, item: Item) -> None:
        if self.style.thoughts == "none":
            return
        text = "".join(part["text"] for part in item.get("content") or ())
        if not text and item.get("encrypted_content"):
            text = (self.unseal(item["encrypted_content"]) or {}).get("reasoning", "")
        self.thought += text

    def compaction(self, item: Item) -> None:
        self._end_assistant()
        sealed = self.unseal(item["encrypted_content"]) or {}
        if sealed.get("summary"):
            self._say({"role": "system", "content": f"Summary of the conversation so far:\n{sealed['summary']}"})
        self.take(sealed.get("kept") or [])

    # ------------------------------------------------------------ calls and outputs

    def approval(self, item: Item) -> None:
        """An answer to a request: a call that was approved is told by its own item."""
        id: str = item["approval_request_id"]
        if item["approve"]:
            self.approved.add(id)
        elif id in self.awaiting:
            self._answer(id, denial(item))

    def listing(self, item: Item) -> None:
        """That a server cannot be used: a response only goes on then if the operator has words for it."""
        if isinstance(item.get("error"), str):
            self._end_assistant()
            said = f"The tools of the MCP server '{item['server_label']}' are not available: {item['error']}"
            self._say({"role": "system", "content": said})

    def mcp_call(self, item: Item) -> None:
        """A hosted call that came back from a client which keeps its own history."""
        if item.get("status") == "incomplete":
            return
        output = item.get("output")
        reply = output if output is not None else orjson.dumps(item.get("error")).decode()
        call = ChatCall(item["id"], _fit(item["name"]), item.get("arguments") or "{}")
        self._answered(call, reply, None, item.get("approval_request_id"))

    def code_interpreter_call(self, item: Item) -> None:
        """As `mcp_call`; its outputs are there if the client had asked for them."""
        if item.get("status") == "incomplete":
            return
        arguments = orjson.dumps({"code": item.get("code") or ""}).decode()
        outputs: list[Json] = item.get("outputs") or []
        logs = "".join(output.get("logs") or "[a picture]" for output in outputs)
        call = ChatCall(item["id"], "code_interpreter", arguments)
        self._answered(call, logs or "(no output)", None, item.get("approval_request_id"))

    def file_search_call(self, item: Item) -> None:
        """As `mcp_call`; its results are there if the client had asked for them."""
        if item.get("status") == "incomplete":
            return
        arguments = orjson.dumps({"queries": item.get("queries") or []}).decode()
        passages = [f"[{one.get('filename')}]\n{one.get('text')}" for one in item.get("results") or ()]
        call = ChatCall(item["id"], "file_search", arguments)
        self._answered(call, "\n\n".join(passages) or "(what was found is not told again)", None, None)

    def _hosted(self, entry: Entry) -> None:
        call = entry.get("call") or {}
        said = ChatCall(entry["item"]["id"], call["name"], call["arguments"])
        self._answered(said, entry.get("reply") or "", entry.get("turn"), entry.get("approval"))

    def _answered(self, call: ChatCall, reply: Reply, turn: int | None, approval: str | None) -> None:
        """A call made upon an approval stands where it was asked for."""
        if approval in self.awaiting:
            self._answer(approval, reply)
        else:
            self._call(call, turn).replies.append((call.call_id, reply))

    def _asked(self, entry: Entry) -> None:
        item = entry["item"]
        said = entry.get("call") or {"name": _fit(item["name"]), "arguments": item["arguments"]}
        self._call(ChatCall(item["id"], said["name"], said["arguments"]), entry.get("turn"))
        self.awaiting.add(item["id"])
        self.asked.add(item["id"])

    def _called(self, item: Item) -> None:
        if item.get("status") == "incomplete":
            return
        call = REPLAY[item["type"]](item)
        call_id: str = item.get("approval_request_id") or ""
        if call_id in self.awaiting:
            self.asked_as[call.call_id] = call_id
        else:
            self._call(call, None)
            self.awaiting.add(call_id := call.call_id)
        if item["type"] == "tool_search_call" and not item.get("call_id"):
            self.searches.append(call_id)

    def _call(self, call: ChatCall, turn: int | None) -> _Assistant:
        assistant = self.assistant
        if assistant is None or (assistant.calls and assistant.turn != turn):
            assistant = self._begin_assistant(turn)
        function = {"name": call.name, "arguments": call.arguments}
        assistant.calls.append({"id": call.call_id, "type": "function", "function": function})
        assistant.turn = turn
        return assistant

    def _output(self, item: Item) -> None:
        call_id: str = item.get("call_id") or item.get("id") or ""
        if item["type"] == "tool_search_output" and not item.get("call_id"):
            call_id = self.searches.pop(0) if self.searches else ""
        call_id = self.asked_as.get(call_id, call_id)
        if call_id not in self.awaiting:
            if item["type"] == "tool_search_output":
                return
            raise RequestError(f"No tool call found for function call output with call_id {call_id}.", param="input")
        self._answer(call_id, reply_of(item))

    def _answer(self, call_id: str, reply: Reply) -> None:
        self._end_assistant()
        self.awaiting.remove(call_id)
        self._reply(call_id, reply)
        self._settle()

    def _reply(self, call_id: str, reply: Reply) -> None:
        """A tool message; images, which chat tools cannot return, follow as a user message."""
        seen: list[Json] = []
        if not isinstance(reply, str):
            seen = [part for part in reply if part["type"] != "text"]
            texts = [part["text"] for part in reply if part["type"] == "text"]
            reply = "\n".join([*texts, f"[{len(seen)} attachment(s) in the next message]"] if seen else texts)
        self.messages.append({"role": "tool", "tool_call_id": call_id, "content": reply})
        if seen:
            self.deferred.append({"role": "user", "content": seen})

    # ------------------------------------------------------------ messages

    def _say(self, message: Json) -> None:
        (self.deferred if self.awaiting else self.messages).append(message)

    def _settle(self) -> None:
        """What had to wait for outputs is said once all are there."""
        if not self.awaiting:
            self.messages += self.deferred
            self.deferred = []

    def _begin_assistant(self, turn: int | None) -> _Assistant:
        self._end_assistant()
        self.assistant = _Assistant(self.thought, turn=turn)
        self.thought = ""
        return self.assistant

    def _end_assistant(self) -> None:
        assistant, self.assistant = self.assistant, None
        if assistant is None:
            return
        if assistant.calls:
            self.messages.append(assistant.message())
        else:
            self._say(assistant.message())
        for call_id, reply in assistant.replies:
            self._reply(call_id, reply)
        self._settle()


#: Item type → how it is told, beside calls and outputs; of the others the model is told nothing.
_TOLD: dict[str, Callable[[Chat, Item], None]] = {
    "message": Chat.message,
    "reasoning": Chat.reasoning,
    "compaction": Chat.compaction,
    "mcp_call": Chat.mcp_call,
    "code_interpreter_call": Chat.code_interpreter_call,
    "file_search_call": Chat.file_search_call,
    "mcp_list_tools": Chat.listing,
    RESPONSE: Chat.approval,
}


def _fit(name: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:NAME_LIMIT]
