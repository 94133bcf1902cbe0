"""Messages of LangChain, as graphs have them, and items of the Responses API: both ways."""

import json
import uuid
from collections.abc import Iterable
from typing import Any

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    convert_to_messages,
)

from evals.unfit import Unfit

Json = dict[str, Any]


def messages_of(items: Iterable[Json]) -> list[AnyMessage]:
    """Raises `Unfit` where a graph could not be told."""
    return [_message(item) for item in items]


def _message(item: Json) -> AnyMessage:
    id = uuid.uuid4().hex
    if item.get("type") in ("function_call_output", "custom_tool_call_output"):
        return ToolMessage(_content(item["output"]), tool_call_id=item["call_id"], id=id)
    content = _content(item.get("content", ""))
    match item.get("role"):
        case "user":
            return HumanMessage(content, id=id)
        case "system" | "developer":
            return SystemMessage(content, id=id)
        case "assistant":
            return AIMessage(content, id=id)
        case _:
            raise Unfit(f"A graph is told messages and results of functions; {item.get('type')!r} is neither.")


def _content(given: str | list[Json]) -> str | list[str | Json]:
    return given if isinstance(given, str) else [_part(part) for part in given]


def _part(part: Json) -> Json:
    match part:
        case {"type": "input_text" | "output_text", "text": str(text)}:
            return {"type": "text", "text": text}
        case {"type": "input_image", "image_url": str(url)}:
            return {"type": "image_url", "image_url": {"url": url}}
        case {"type": "input_file", "file_data": str(data)}:
            kind, _, encoded = data.removeprefix("data:").partition(";base64,")
            named = {"filename": part["filename"]} if part.get("filename") else {}
            return {"type": "file", "base64": encoded, "mime_type": kind, **named}
        case _:
            raise Unfit(f"A graph cannot be shown a part {part.get('type')!r} with {', '.join(sorted(part))}.")


class Output:
    """Output items of one run of a graph, made of the messages its nodes wrote."""

    def __init__(self, known: set[str], begun: Iterable[Json] = ()) -> None:
        """`known`: ids of messages that were there before; those of this run are added. `begun`: calls that were made
        before and run now.
        """
        self.items: list[Json] = [*begun]
        self.usage: Json = {
            "input_tokens": 0,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 0,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 0,
        }
        self._known = known

    def add(self, wrote: Any) -> None:
        """What one node gave back: a change of the state, several, or nothing."""
        for change in wrote if isinstance(wrote, list) else [wrote]:
            said = change.get("messages") if isinstance(change, dict) else None
            for message in _messages(getattr(said, "value", said)):  # it may be LangGraph's `Overwrite`
                if message.id is None or message.id not in self._known:
                    self._show(message)
                if message.id is not None:
                    self._known.add(message.id)

    def hold_back(self) -> list[Json]:
        """Take out the calls nobody has answered yet."""
        answered = {item["call_id"] for item in self.items if item["type"] == "function_call_output"}
        held = [item for item in self.items if item["type"] == "function_call" and item["call_id"] not in answered]
        self.items = [item for item in self.items if item not in held]
        return held

    def _show(self, message: BaseMessage) -> None:
        if isinstance(message, AIMessage):
            self._count(message)
            self.items += _said(message)
        elif isinstance(message, ToolMessage):
            for call in [item for item in self.items if item.get("call_id") == message.tool_call_id]:
                call["status"] = "failed" if message.status == "error" else "completed"
                told = {"call_id": message.tool_call_id, "output": message.text}
                self.items.append({"type": "function_call_output", "id": _id("fco"), **told})

    def _count(self, message: AIMessage) -> None:
        used = message.usage_metadata
        if used is None:
            return
        for name in ("input_tokens", "output_tokens", "total_tokens"):
            self.usage[name] += used[name]
        cached = used.get("input_token_details", {}).get("cache_read") or 0
        self.usage["input_tokens_details"]["cached_tokens"] += cached
        reasoning = used.get("output_token_details", {}).get("reasoning") or 0
        self.usage["output_tokens_details"]["reasoning_tokens"] += reasoning


def _messages(said: Any) -> list[BaseMessage]:
    """A node may give messages, one message, or what LangChain makes messages of."""
    if said is None:
        return []
    several = isinstance(said, list) or (isinstance(said, tuple) and not isinstance(said[0], str))
    return list(convert_to_messages(said if several else [said]))


def _said(message: AIMessage) -> list[Json]:
    items: list[Json] = []
    blocks = message.content_blocks
    for thought in (block.get("reasoning") for block in blocks if block["type"] == "reasoning"):
        if thought:
            items.append({"type": "reasoning", "id": _id("rs"), "summary": [{"type": "summary_text", "text": thought}]})
    text = "".join(block["text"] for block in blocks if block["type"] == "text")
    if text:
        part = {"type": "output_text", "text": text, "annotations": []}
        items.append(
            {"type": "message", "id": _id("msg"), "status": "completed", "role": "assistant", "content": [part]}
        )
    for call in message.tool_calls:
        arguments = json.dumps(call["args"], ensure_ascii=False)
        shown = {"call_id": call["id"] or _id("call"), "name": call["name"], "arguments": arguments}
        items.append({"type": "function_call", "id": _id("fc"), "status": "completed", **shown})
    return items


def _id(prefix: str) -> str:
    return f"{prefix}_{uuid.uuid4().hex}"
