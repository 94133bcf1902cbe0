"""What a tool returned, as the item shows it and as the model reads it.

Source: MCP specification 2025-11-25, "Tool Result".
"""

from dataclasses import dataclass, field
from typing import Any, cast

import orjson

from graph.errors import Json
from nodes.mcp.limits import Limits


@dataclass(slots=True)
class Result:
    """`parts` are texts, and images as data URLs, in the server's order."""

    failed: bool
    parts: list[Json] = field(default_factory=list[Json])

    def output(self, limit_chars: int) -> str:
        """All of it as one text; images are only mentioned."""
        return shortened("\n".join(part.get("text") or part["note"] for part in self.parts), limit_chars)

    def reply(self, limits: Limits) -> str | list[Json]:
        """Text, or chat content parts where there are images."""
        left = limits.image_chars
        images = 0
        reply: list[Json] = []
        for part in self.parts:
            if "url" in part and len(part["url"]) <= left:
                left -= len(part["url"])
                images += 1
                reply.append({"type": "image_url", "image_url": {"url": part["url"]}})
            else:
                reply.append({"type": "text", "text": part.get("text") or part["note"]})
        if not images:
            return self.output(limits.reply_chars)
        return _shortened_parts(reply, limits.reply_chars)


def result_of(answer: Json) -> Result:
    """Of a `CallToolResult`; kinds of content that are not known are named."""
    content = answer.get("content")
    blocks = cast(list[Any], content) if isinstance(content, list) else []
    parts = [_part(cast(Json, block)) for block in blocks if isinstance(block, dict)]
    if not parts and answer.get("structuredContent") is not None:
        parts = [_text(orjson.dumps(answer["structuredContent"]).decode())]
    return Result(bool(answer.get("isError")), parts)


def _part(block: Json) -> Json:
    match block.get("type"):
        case "text":
            return _text(str(block.get("text", "")))
        case "image":
            return _bytes("image", block.get("mimeType"), str(block.get("data", "")))
        case "audio":
            return _bytes("audio", block.get("mimeType"), str(block.get("data", "")))
        case "resource":
            return _resource(block.get("resource"))
        case "resource_link":
            return _text(f"[resource {cleaned(block.get('name', ''))}: {cleaned(block.get('uri', ''))}]")
        case other:
            return _text(f"[content of type {str(other)[:50]}, which is not known here]")


def _resource(resource: Any) -> Json:
    held = cast(Json, resource) if isinstance(resource, dict) else {}
    if "text" in held:
        return _text(str(held["text"]))
    return _bytes("resource", held.get("mimeType"), str(held.get("blob", "")))


def _bytes(kind: str, mime_type: Any, base64: str) -> Json:
    mime_type = cleaned(str(mime_type or "application/octet-stream"))[:100]
    note = f"[{kind}: {mime_type}, {len(base64) * 3 // 4} bytes]"
    if mime_type.startswith("image/") and base64.isascii():
        return {"note": note, "url": f"data:{mime_type};base64,{cleaned(base64)}"}
    return {"note": note}


def _text(text: str) -> Json:
    return {"text": cleaned(text), "note": ""}


def _shortened_parts(parts: list[Json], limit_chars: int) -> list[Json]:
    left = limit_chars
    short: list[Json] = []
    for part in parts:
        if part["type"] == "text":
            part = {"type": "text", "text": shortened(part["text"], left)}
            left = max(0, left - len(part["text"]))
        short.append(part)
    return short


def shortened(text: str, limit_chars: int) -> str:
    """`text`, or its beginning and how much is missing."""
    if len(text) <= limit_chars:
        return text
    return f"{text[:limit_chars]}\n[cut: {len(text) - limit_chars} of {len(text)} characters are not shown]"


def cleaned(value: Any) -> Any:
    """JSON without NUL and lone surrogates, which a store may refuse."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [cleaned(each) for each in cast(list[Any], value)]
    if isinstance(value, dict):
        return {cleaned(key): cleaned(each) for key, each in cast(Json, value).items()}
    return value
