"""What a scripted model says, in the words of Chat Completions: whole, or in chunks."""

import json
import secrets
import time
from collections.abc import Iterator
from typing import Any

import regex

from evals.scripted.script import Reply

Json = dict[str, Any]

_PIECES = regex.compile(r"\s*\S+|\s+$")


def usage(body: Json, said: Reply) -> Json:
    """Words stand for tokens."""
    asked = len(json.dumps(body.get("messages") or []).split())
    words = len(said.text.split()) + sum(len(arguments.split()) + 1 for _, arguments in said.calls)
    return {"prompt_tokens": asked, "completion_tokens": words, "total_tokens": asked + words}


def whole(body: Json, said: Reply) -> Json:
    message: Json = {"role": "assistant", "content": said.text or None}
    if said.thought:
        message["reasoning_content"] = said.thought
    if said.calls:
        message["tool_calls"] = [_call(name, arguments) for name, arguments in said.calls]
    choice = {"index": 0, "message": message, "finish_reason": said.finish}
    return {**_head(body, "chat.completion"), "choices": [choice], "usage": usage(body, said)}


def chunks(body: Json, said: Reply) -> Iterator[Json]:
    head = _head(body, "chat.completion.chunk")

    def chunk(delta: Json, finish: str | None = None) -> Json:
        return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    yield chunk({"role": "assistant", "content": ""})
    yield from (chunk({"reasoning_content": piece}) for piece in _PIECES.findall(said.thought))
    yield from (chunk({"content": piece}) for piece in _PIECES.findall(said.text))
    for index, (name, arguments) in enumerate(said.calls):
        yield chunk({"tool_calls": [{"index": index, **_call(name, "")}]})
        for piece in _PIECES.findall(arguments) or [""]:
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, said.finish)
    if (body.get("stream_options") or {}).get("include_usage"):
        yield {**head, "choices": [], "usage": usage(body, said)}


def _call(name: str, arguments: str) -> Json:
    id = "call_" + secrets.token_hex(12)
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _head(body: Json, kind: str) -> Json:
    id = "chatcmpl-" + secrets.token_hex(12)
    return {"id": id, "object": kind, "created": int(time.time()), "model": body.get("model")}
