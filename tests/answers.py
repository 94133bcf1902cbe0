"""What the scripted model server says: turns of a model in Chat Completions' words, and ways to fail at them."""

import asyncio
import json
import secrets
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, zip_longest
from typing import Any, Self

from tests.connection import Connection, HangUp

Json = dict[str, Any]


@dataclass(slots=True)
class Ask:
    """One chat request as it arrived."""

    headers: Mapping[str, str]
    body: Json
    at: float = field(default_factory=time.monotonic)
    #: Set when the other side closed the connection before the answer had ended.
    left: threading.Event = field(default_factory=threading.Event)
    #: Set when the whole answer was written.
    answered: threading.Event = field(default_factory=threading.Event)

    @property
    def messages(self) -> list[Json]:
        return self.body["messages"]

    def tool(self, name: str) -> Json:
        """The declaration of the function called `name`."""
        return next(t["function"] for t in self.body["tools"] if t["function"]["name"] == name)

    def tool_names(self) -> list[str]:
        return [tool["function"]["name"] for tool in self.body.get("tools", ())]


Act = Callable[[Connection], Awaitable[None]]


class Step:
    """What the model server does with one request."""

    async def play(self, ask: Ask, wire: Connection) -> None:
        raise NotImplementedError


@dataclass(frozen=True)
class Fails(Step):
    status: int
    body: Any
    headers: Mapping[str, str]

    async def play(self, ask: Ask, wire: Connection) -> None:
        await wire.json(self.status, self.body, **self.headers)


@dataclass(frozen=True)
class Answer(Step):
    """A turn of the model: the deltas of its one choice, and how they are sent."""

    deltas: tuple[Json, ...]
    finish: str | None = "stop"
    usage: Json | None = None
    silent_usage: bool = False
    newline: str = "\n"
    plain: bool = False
    bytewise: bool = False
    pace_s: float = 0
    acts: tuple[tuple[int, Act], ...] = ()

    def acting(self, after: int, act: Act) -> Self:
        """Do `act` when `after` deltas have been sent; -1: before the first frame."""
        return replace(self, acts=(*self.acts, (after, act)))

    def cuts(self, after: int) -> Self:
        """Close the connection without ending the body."""
        return self.acting(after, _hang_up)

    def stalls(self, after: int) -> Self:
        """Send nothing more until the other side leaves."""
        return self.acting(after, lambda wire: _until_gone(wire))

    def pauses(self, after: int, until: threading.Event) -> Self:
        """Go on when `until` is set, or the other side has left."""
        return self.acting(after, lambda wire: _until(wire, until))

    def sends(self, after: int, raw: bytes) -> Self:
        """Put `raw` on the wire as it is, then go on."""
        return self.acting(after, lambda wire: wire.chunk(raw))

    def ends(self, after: int) -> Self:
        """End the HTTP body properly, but in the middle of the answer."""
        return self.acting(after, _end_body)

    def half_frame(self, after: int) -> Self:
        return self.sends(after, b'data: {"id":"chatcmpl-1","object":"chat.comp').ends(after)

    def broken_json(self, after: int) -> Self:
        return self.sends(after, b'data: {"choices":[{"delta":{]}\n\n')

    def error_frame(self, after: int, message: str = "The engine died.", **more: Any) -> Self:
        frame = {"error": {"message": message, "type": "server_error", **more}}
        return self.sends(after, b"data: %s\n\n" % json.dumps(frame).encode()).ends(after)

    def paced(self, seconds: float) -> Self:
        return replace(self, pace_s=seconds)

    def crlf(self) -> Self:
        return replace(self, newline="\r\n")

    def without_usage(self) -> Self:
        return replace(self, silent_usage=True)

    def byte_by_byte(self) -> Self:
        """Each byte in a packet of its own."""
        return replace(self, bytewise=True)

    def as_json(self) -> Self:
        """One JSON body although a stream was asked for."""
        return replace(self, plain=True)

    async def play(self, ask: Ask, wire: Connection) -> None:
        if self.plain or not ask.body.get("stream"):
            return await wire.json(200, self._completion(ask))
        await wire.head(200, content_type="text/event-stream", transfer_encoding="chunked")
        await self._act(-1, wire)
        await self._frame(wire, self._chunk(ask, {"delta": {"role": "assistant", "content": ""}}))
        for sent, delta in enumerate(self.deltas):
            await self._act(sent, wire)
            await self._frame(wire, self._chunk(ask, delta))
            await asyncio.sleep(self.pace_s)
        await self._act(len(self.deltas), wire)
        await self._close(ask, wire)

    async def _act(self, sent: int, wire: Connection) -> None:
        for after, act in self.acts:
            if after == sent:
                await act(wire)

    async def _close(self, ask: Ask, wire: Connection) -> None:
        if self.finish is not None:
            await self._frame(wire, self._chunk(ask, {"delta": {}, "finish_reason": self.finish}))
        if (ask.body.get("stream_options") or {}).get("include_usage") and not self.silent_usage:
            await self._frame(wire, {**self._chunk(ask, {}), "choices": [], "usage": self._used(ask)})
        await wire.chunk(f"data: [DONE]{self.newline * 2}".encode())
        await wire.chunk(b"")

    async def _frame(self, wire: Connection, chunk: Json) -> None:
        text = json.dumps(chunk, ensure_ascii=False)
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            text = json.dumps(chunk)  # half a character cannot be sent but as an escape
        frame = f"data: {text}{self.newline * 2}".encode()
        for piece in (frame[at : at + 1] for at in range(len(frame))) if self.bytewise else (frame,):
            await wire.chunk(piece)

    def _chunk(self, ask: Ask, choice: Json) -> Json:
        whole = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": None, **choice}
        return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": ask.body["model"],
                "choices": [whole], "usage": None}  # fmt: skip

    def _used(self, ask: Ask) -> Json:
        asked, told = len(json.dumps(ask.messages).split()), max(1, len(self.deltas))
        default = {"prompt_tokens": asked, "completion_tokens": told, "total_tokens": asked + told}
        return self.usage or default

    def _completion(self, ask: Ask) -> Json:
        message: Json = {"role": "assistant", "content": None}
        for delta in (choice.get("delta", {}) for choice in self.deltas):
            for call in delta.get("tool_calls") or ():
                _merge_call(message.setdefault("tool_calls", []), call)
            for key in ("content", "refusal", "reasoning_content", "reasoning"):
                if delta.get(key):
                    message[key] = (message.get(key) or "") + delta[key]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.finish}
        return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": ask.body["model"],
                "choices": [choice], "usage": self._used(ask)}  # fmt: skip


def _merge_call(calls: list[Json], delta: Json) -> None:
    while delta["index"] >= len(calls):
        calls.append({"id": delta.get("id"), "type": "function", "function": {"name": "", "arguments": ""}})
    for key, text in delta["function"].items():
        calls[delta["index"]]["function"][key] += text


async def _hang_up(wire: Connection) -> None:
    raise HangUp


async def _end_body(wire: Connection) -> None:
    await wire.chunk(b"")
    raise HangUp


async def _until_gone(wire: Connection) -> None:
    await wire.gone.wait()


async def _until(wire: Connection, event: threading.Event) -> None:
    while not (event.is_set() or wire.gone.is_set()):
        await asyncio.sleep(0.005)


# ---------------------------------------------------------------- what a model says


def pieces(text: str, chunks: int | None = None) -> list[str]:
    """`text` in `chunks` parts; word by word when not told."""
    if chunks is None:
        return [word for word in text.replace(" ", " \0").split("\0") if word]
    size = max(1, -(-len(text) // chunks))
    return [text[at : at + size] for at in range(0, len(text), size)]


def says(text: str, *, chunks: int | None = None, finish: str = "stop", usage: Json | None = None) -> Answer:
    words = [{"delta": {"content": piece}} for piece in pieces(text, chunks)]
    return Answer(tuple(words), finish, usage)


def thinks(thought: str, then: Answer, *, field: str = "reasoning_content") -> Answer:
    """Thoughts in the field a server calls `field`, before `then`."""
    thoughts = ({"delta": {field: piece}} for piece in pieces(thought))
    return replace(then, deltas=(*thoughts, *then.deltas))


def says_with_logprobs(text: str, top: int = 0) -> Answer:
    return Answer(tuple({"delta": {"content": word}, "logprobs": _logprobs(word, top)} for word in pieces(text)))


def refuses(reason: str) -> Answer:
    return Answer(tuple({"delta": {"refusal": piece}} for piece in pieces(reason)))


def calls(name: str, arguments: str | Json | None = None, /, *, id: str | None = None, **fields: Any) -> Answer:
    """One tool call; `arguments` as text goes out unchanged, however broken it is."""
    return together((name, fields if arguments is None else arguments), ids=[id])


def together(
    *asked: tuple[str, str | Json], interleave: bool = False, ids: Iterable[str | None] = (), text: str = ""
) -> Answer:
    """Several tool calls in one turn; with `interleave` their deltas arrive in turns, as some servers send them."""
    columns = [
        _call_deltas(at, name, arguments, id or "call_" + secrets.token_hex(12))
        for at, ((name, arguments), id) in enumerate(zip(asked, chain(ids, [None] * len(asked)), strict=False))
    ]
    rows = zip_longest(*columns) if interleave else columns
    said = [{"delta": {"content": piece}} for piece in pieces(text)]
    return Answer((*said, *(delta for row in rows for delta in row if delta)), "tool_calls")


def fails(
    status: int, message: str = "The model server says no.", *, retry_after: int | None = None, **error: Any
) -> Fails:
    body = {"error": {"message": message, "type": "scripted", "param": None, "code": None, **error}}
    return Fails(status, body, {} if retry_after is None else {"retry_after": str(retry_after)})


def _call_deltas(index: int, name: str, arguments: str | Json, id: str) -> list[Json]:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    head = {"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}}
    tail = [{"index": index, "function": {"arguments": piece}} for piece in pieces(text, 3)]
    return [{"delta": {"tool_calls": [call]}} for call in (head, *tail)]


def _logprobs(word: str, top: int) -> Json:
    one: Json = {"token": word, "logprob": -0.25, "bytes": list(word.encode())}
    return {"content": [{**one, "top_logprobs": [one] * top}], "refusal": None}
