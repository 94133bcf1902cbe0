"""Items → chat messages.

A conversation only grows, so what has been rendered once is kept, as bytes, in the log's `memo`: a thousandth turn
renders its own messages and joins the rest.
Source: CONTRACT of the Responses API, "Building the context".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from graph.client_tools import OUTPUTS, REPLAY, ChatCall
from graph.errors import Json, RequestError
from graph.state import Entry, Item, ItemLog


class Style(NamedTuple):
    """How a conversation is put to a model."""

    developer_role: bool = False
    #: Earlier thoughts the model is shown: those since the last user message, all, or none.
    thoughts: str = "current_turn"


class _Frozen(NamedTuple):
    """The rendering of the entries before `upto`: `chunks[:count]`, each some comma-joined messages."""

    style: Style
    start: int
    upto: int
    chunks: list[bytes]
    count: int


Unseal = Callable[[str], Json | None]


def messages_of(log: Sequence[Entry], style: Style, unseal: Unseal) -> list[Any]:
    """The chat messages of a conversation, oldest first; several may stand in one `orjson.Fragment`.

    Raises `RequestError` when a call has no output or an output no call.
    """
    frozen = _frozen_of(log, style)
    start = _compacted_at(log, frozen, unseal)
    if start != frozen.start:
        frozen = _Frozen(style, start, start, [], 0)
    last_user = _last_user(log, frozen.upto)
    builder = _Builder(style._replace(thoughts="all_turns" if style.thoughts == "all_turns" else "none"), unseal)
    builder.take_all(log[frozen.upto : last_user])
    if last_user > frozen.upto and builder.settled:
        frozen = _freeze(frozen, last_user, builder.finish())
        if isinstance(log, ItemLog):
            log.memo = frozen
        builder = _Builder(style, unseal)
    builder.style = style
    builder.take_all(log[last_user:])
    live = builder.finish()
    if not frozen.count:
        return live
    return [orjson.Fragment(b",".join(frozen.chunks[: frozen.count])), *live]


def kept_user_messages(log: Sequence[Entry]) -> list[Item]:
    """The user messages of a conversation, as a compaction keeps them."""
    return [e["item"] for e in log if e["item"]["type"] == "message" and e["item"]["role"] == "user"]


def _frozen_of(log: Sequence[Entry], style: Style) -> _Frozen:
    memo = log.memo if isinstance(log, ItemLog) else None
    if isinstance(memo, _Frozen) and memo.style == style and memo.upto <= len(log):
        return memo
    return _Frozen(style, 0, 0, [], 0)


def _freeze(frozen: _Frozen, upto: int, messages: list[Json]) -> _Frozen:
    chunks = frozen.chunks if len(frozen.chunks) == frozen.count else frozen.chunks[: frozen.count]
    count = frozen.count
    if messages:
        chunks.append(orjson.dumps(messages)[1:-1])
        count += 1
    return frozen._replace(upto=upto, chunks=chunks, count=count)


def _last_user(log: Sequence[Entry], since: int) -> int:
    """Where the last user message begins; `since` if there is none after it."""
    for index in range(len(log) - 1, since, -1):
        item = log[index]["item"]
        if item["type"] == "message" and item["role"] == "user":
            return index
    return since


def _compacted_at(log: Sequence[Entry], frozen: _Frozen, unseal: Unseal) -> int:
    """Where the part of the log begins that the model still reads: at the newest compaction, if there is one.

    A compaction of the caller's own stands behind the user messages it left as they were (`users` of them).
    """
    for index in range(len(log) - 1, frozen.upto - 1, -1):
        item = log[index]["item"]
        if item["type"] == "compaction":
            return max(0, index - (unseal(item["encrypted_content"]) or {}).get("users", 0))
    return frozen.start


@dataclass(slots=True)
class _Builder:
    """Puts entries together as chat messages: calls of one turn in one message, their outputs right behind it."""

    style: Style
    unseal: Unseal
    messages: list[Json] = field(default_factory=list[Json])
    #: Calls without an output yet, and what has to wait until they have one.
    awaiting: dict[str, str] = field(default_factory=dict[str, str])
    deferred: list[Json] = field(default_factory=list[Json])
    assistant: Json | None = None
    turn: int | None = None
    thought: str = ""

    @property
    def settled(self) -> bool:
        return not self.awaiting

    def take_all(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self.take(entry)

    def finish(self) -> list[Json]:
        """All messages. Raises when a call is still without its output."""
        self._end_assistant()
        for call_id in self.awaiting:
            raise RequestError(f"No tool output found for function call {call_id}.", param="input")
        self.messages += self.deferred
        self.deferred = []
        return self.messages

    def take(self, entry: Entry) -> None:
        item = entry["item"]
        kind: str = item["type"]
        if kind == "message":
            self._message(item)
        elif kind in REPLAY:
            if item.get("status") != "incomplete":
                self._call(REPLAY[kind](item), None)
        elif kind in OUTPUTS:
            self._output(item, item.get("call_id") or item.get("id") or "", _reply(item))
        elif "reply" in entry:
            self._hosted(entry)
        elif kind == "mcp_call":
            self._replayed_mcp_call(item)
        elif kind == "reasoning":
            self.thought += self._thought(item)
        elif kind == "compaction":
            self._summary(item)

    # ------------------------------------------------------------ what is said

    def _message(self, item: Item) -> None:
        role: str = item["role"]
        if role == "assistant":
            text = _text_of(item["content"])
            if self.assistant is None or self.assistant.get("content") is not None:
                self._begin_assistant()
            assert self.assistant is not None
            self.assistant["content"] = text
            return
        self._end_assistant()
        self.thought = ""
        if role == "developer" and not self.style.developer_role:
            role = "system"
        self._say({"role": role, "content": _content(item["content"])})

    def _summary(self, item: Item) -> None:
        self._end_assistant()
        sealed = self.unseal(item["encrypted_content"]) or {}
        if sealed.get("summary"):
            self._say({"role": "system", "content": f"Summary of the conversation so far:\n{sealed['summary']}"})
        self.take_all(sealed.get("kept") or [])

    def _thought(self, item: Item) -> str:
        if self.style.thoughts == "none":
            return ""
        text = "".join(part["text"] for part in item.get("content") or ())
        if not text and item.get("encrypted_content"):
            text = (self.unseal(item["encrypted_content"]) or {}).get("reasoning", "")
        return text

    # ------------------------------------------------------------ calls and outputs

    def _call(self, call: ChatCall, turn: int | None) -> None:
        if self.assistant is None or turn != self.turn:
            self._begin_assistant()
            self.turn = turn
        assert self.assistant is not None
        function = {"name": call.name, "arguments": call.arguments}
        calls: list[Json] = self.assistant.setdefault("tool_calls", [])
        calls.append({"id": call.call_id, "type": "function", "function": function})
        self.awaiting[call.call_id] = call.name

    def _output(self, item: Item, call_id: str, reply: str | list[Json]) -> None:
        if call_id not in self.awaiting:
            if item["type"] == "tool_search_output":
                return
            raise RequestError(f"No tool call found for function call output with call_id {call_id}.", param="input")
        self._end_assistant()
        del self.awaiting[call_id]
        self._reply(call_id, reply)

    def _hosted(self, entry: Entry) -> None:
        call = entry.get("call") or {}
        item_id: str = entry["item"]["id"]
        self._call(ChatCall(item_id, call["name"], call["arguments"]), entry.get("turn"))
        del self.awaiting[item_id]
        self._hold(item_id, entry.get("reply") or "")

    def _replayed_mcp_call(self, item: Item) -> None:
        """A hosted call that came back from a client which keeps its own history."""
        self._call(ChatCall(item["id"], item["name"], item.get("arguments") or "{}"), None)
        del self.awaiting[item["id"]]
        output = item.get("output")
        self._hold(item["id"], output if output is not None else orjson.dumps(item.get("error")).decode())

    def _hold(self, call_id: str, reply: str | list[Json]) -> None:
        """A reply that is known with its call waits for the other calls of the same message."""
        assert self.assistant is not None
        self.assistant.setdefault("_replies", []).append((call_id, reply))

    def _reply(self, call_id: str, reply: str | list[Json]) -> None:
        """A tool message; images, which chat tools cannot return, follow as a user message."""
        if isinstance(reply, str):
            self.messages.append({"role": "tool", "tool_call_id": call_id, "content": reply})
        else:
            texts = [part["text"] for part in reply if part["type"] == "text"]
            seen = [part for part in reply if part["type"] != "text"]
            note = [f"[{len(seen)} attachment(s) follow in the next message]"] if seen else []
            text = "\n".join([*texts, *note])
            self.messages.append({"role": "tool", "tool_call_id": call_id, "content": text})
            if seen:
                self.deferred.append({"role": "user", "content": seen})
        if not self.awaiting:
            self.messages += self.deferred
            self.deferred = []

    # ------------------------------------------------------------ messages

    def _say(self, message: Json) -> None:
        (self.deferred if self.awaiting else self.messages).append(message)

    def _begin_assistant(self) -> None:
        self._end_assistant()
        self.assistant = {"role": "assistant", "content": None}
        if self.thought:
            self.assistant["reasoning_content"] = self.thought
            self.thought = ""
        self.turn = None

    def _end_assistant(self) -> None:
        if self.assistant is None:
            return
        assistant, self.assistant = self.assistant, None
        replies: list[tuple[str, str | list[Json]]] = assistant.pop("_replies", [])
        self._append(assistant)
        for call_id, reply in replies:
            self._reply(call_id, reply)

    def _append(self, assistant: Json) -> None:
        calls = assistant.get("tool_calls")
        if self.awaiting and not calls:
            self.deferred.append(assistant)
        else:
            self.messages.append(assistant)


# ---------------------------------------------------------------- content


def _text_of(content: str | list[Json]) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text") or part.get("refusal") or "" for part in content)


def _content(content: str | list[Json]) -> str | list[Json]:
    """Input parts as chat parts; text alone stays a string, which every server takes."""
    if isinstance(content, str):
        return content
    if all(part["type"] in ("input_text", "output_text", "text") for part in content):
        return "".join(part["text"] for part in content) if len(content) == 1 else _joined(content)
    return [_part(part) for part in content]


def _joined(content: list[Json]) -> str:
    return "\n".join(part["text"] for part in content)


def _part(part: Json) -> Json:
    match part["type"]:
        case "input_image":
            image = {"url": part["image_url"]}
            detail = part.get("detail")
            return {"type": "image_url", "image_url": image | ({"detail": detail} if detail in ("low", "high") else {})}
        case "input_file":
            return {"type": "file", "file": {key: part[key] for key in ("filename", "file_data") if part.get(key)}}
        case "input_audio":
            return {"type": "input_audio", "input_audio": part["input_audio"]}
        case _:
            return {"type": "text", "text": part.get("text") or part.get("refusal") or ""}


def _reply(item: Item) -> str | list[Json]:
    """What the client's answer to a call says to the model."""
    match item["type"]:
        case "function_call_output" | "custom_tool_call_output" | "local_shell_call_output":
            output = item["output"]
            return output if isinstance(output, str) else [_part(part) for part in output]
        case "shell_call_output":
            return orjson.dumps(item["output"]).decode()
        case "apply_patch_call_output":
            return f"{item['status']}. {item.get('output') or ''}".strip()
        case "computer_call_output":
            return [_part({"type": "input_image", "image_url": item["output"]["image_url"]})]
        case _:
            names = ", ".join(str(tool.get("name") or tool["type"]) for tool in item.get("tools") or ())
            return f"These tools can be called now: {names or 'none'}."
