"""The built-in model `demo`: rules behind the same port as a model server, so that everything can be tried offline.

It remembers nothing; it answers from the messages it is given, always the same. Its tokens are words.
"""

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import orjson

from graph.errors import Json
from graph.ids import new_call_id, new_id, now
from graph.ports import Profile, Prompt, Sink
from nodes.upstreams.demo_calls import Made, calls_for, report
from nodes.upstreams.demo_rules import Talk, answer, text_of
from nodes.upstreams.demo_schema import instance_of

NAME = "demo"
_WORDS = re.compile(r"\s*\S+|\s+$")
#: Between words, so that a stream can be seen.
_PAUSE_S = 0.005


@dataclass(frozen=True, slots=True)
class Said:
    """An answer before it is put into chunks."""

    thought: str = ""
    text: str = ""
    calls: Sequence[Made] = ()


class Demo:
    """Fits `Model`."""

    def __init__(self, pause_s: float = _PAUSE_S) -> None:
        self._pause_s = pause_s

    async def answer(self, prompt: Prompt, sink: Sink) -> None:
        messages = _plain(prompt)
        said = say(messages, prompt.tools, prompt.options)
        sink.accepted()
        for chunk in _Stream(prompt, _tokens(messages)).chunks(said):
            sink.feed(chunk)
            await asyncio.sleep(self._pause_s)

    async def profile(self, *, json_schema: bool = False) -> Profile:
        return Profile(json_schema=True, tools=True, developer_role=True)

    async def count_tokens(self, prompt: Prompt) -> int:
        return _tokens(_plain(prompt))


def say(messages: Sequence[Json], tools: Sequence[Json], options: Json) -> Said:
    """The answer to a conversation."""
    talk = Talk(messages, [tool["function"]["name"] for tool in tools])
    calls = calls_for(talk, tools, options)
    if calls:
        names = ", ".join(call.name for call in calls)
        return Said(_thought(options, f"The request fits {names}. I call it and wait for the result."), calls=calls)
    if shape := _shape(options):
        text = orjson.dumps(instance_of(shape, report(talk) or talk.last)).decode()
        return Said(_thought(options, "An answer in JSON is asked for. I fill the schema with the user's words."), text)
    if results := report(talk):
        return Said(_thought(options, "The tools have answered. I pass on what they said."), results)
    text, rule = answer(talk)
    return Said(_thought(options, f"The user said something. My rule “{rule}” fits it."), text)


def _thought(options: Json, thought: str) -> str:
    return thought if options.get("reasoning_effort") not in (None, "none") else ""


def _shape(options: Json) -> Json | None:
    """The schema an answer has to match."""
    wanted = cast(Json, options.get("response_format") or {})
    match wanted.get("type"):
        case "json_schema":
            return cast(Json, wanted.get("json_schema") or {}).get("schema") or {"type": "object"}
        case "json_object":
            return {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
        case _:
            return None


@dataclass(slots=True)
class _Stream:
    """Puts one answer into chunks, word by word."""

    prompt: Prompt
    prompt_tokens: int
    head: Json = field(init=False)

    def __post_init__(self) -> None:
        self.head = {
            "id": new_id("chatcmpl-"), "object": "chat.completion.chunk", "created": now(), "model": self.prompt.model
        }  # fmt: skip

    def chunks(self, said: Said) -> Iterator[Json]:
        limit = self.prompt.options.get("max_tokens") or self.prompt.options.get("max_completion_tokens")
        thoughts, words = _WORDS.findall(said.thought), _WORDS.findall(said.text)
        deltas: list[Json] = [{"reasoning_content": word} for word in thoughts]
        deltas += [{"content": word} for word in words]
        deltas += [part for at, call in enumerate(said.calls) for part in _call_deltas(at, call)]
        short = limit is not None and limit < len(deltas)
        deltas = deltas[:limit] if short else deltas
        yield self._chunk({"role": "assistant"})
        yield from map(self._chunk, deltas)
        yield self._chunk({}, "length" if short else "tool_calls" if said.calls else "stop")
        yield {**self.head, "choices": [], "usage": self._usage(len(deltas), min(len(thoughts), len(deltas)))}

    def _chunk(self, delta: Json, finish: str | None = None) -> Json:
        return {**self.head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]}

    def _usage(self, completion: int, thoughts: int) -> Json:
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion,
            "total_tokens": self.prompt_tokens + completion,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": thoughts},
        }


def _call_deltas(index: int, call: Made) -> Iterator[Json]:
    """A call's head, then its arguments in pieces."""
    head: dict[str, Any] = {"index": index, "id": new_call_id(), "type": "function"}
    yield {"tool_calls": [{**head, "function": {"name": call.name, "arguments": ""}}]}
    for piece in re.findall(r"(?s).{1,12}", call.arguments):
        yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _plain(prompt: Prompt) -> list[Json]:
    """The messages, with several that came as one ready fragment taken apart."""
    return orjson.loads(orjson.dumps(list(prompt.messages)))


def _tokens(messages: Sequence[Json]) -> int:
    return sum(len(_WORDS.findall(text_of(message))) for message in messages)
