"""What a tool returned, as the item shows it and as the model reads it.

Source: MCP specification 2025-11-25, "Tool Result".
"""

import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import orjson

from graph.errors import Json
from nodes.mcp.limits import Limits
from nodes.mcp.visible import visible

_NAME_CHARS = 2000
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
#: The first bytes of the pictures that models are shown.
_PICTURES: Mapping[bytes, str] = {
    b"\x89PNG\r\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
}


@dataclass(slots=True)
class Result:
    """`parts` are texts, and images as data URLs, in the server's order; `cut` says how many are missing."""

    failed: bool
    parts: list[Json] = field(default_factory=list[Json])
    cut: str = ""

    def output(self, limit_chars: int) -> str:
        """All of it as one text; images are only mentioned."""
        return _joined([*(part.get("text") or part["note"] for part in self.parts), *self._cuts()], limit_chars)

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
        reply += [{"type": "text", "text": text} for text in self._cuts()]
        return _shortened_parts(reply, limits.reply_chars)

    def _cuts(self) -> list[str]:
        return [self.cut] if self.cut else []


def result_of(answer: Json, limits: Limits) -> Result:
    """Of a `CallToolResult`; kinds of content that are not known are named. `structuredContent` says what `content`
    says, once more, for programs: it is read where there is nothing else."""
    content = answer.get("content")
    blocks = cast(list[Any], content) if isinstance(content, list) else []
    kept = blocks[: limits.result_parts]
    cut = f"[cut: {len(blocks) - len(kept)} of {len(blocks)} parts are not shown]" if len(blocks) > len(kept) else ""
    parts = [_part(cast(Json, block)) for block in kept if isinstance(block, dict)]
    if not parts and answer.get("structuredContent") is not None:
        parts = [_text(orjson.dumps(answer["structuredContent"]).decode())]
    return Result(bool(answer.get("isError")), parts, cut)


def _part(block: Json) -> Json:
    match block.get("type"):
        case "text":
            return _text(block.get("text"))
        case "image" | "audio" as kind:
            return _bytes(kind, block.get("mimeType"), block.get("data"))
        case "resource":
            return _resource(block.get("resource"))
        case "resource_link":
            return _text(f"[resource {_line(block.get('name'))}: {_line(block.get('uri'))}]")
        case other:
            return _text(f"[content of type {_line(other)[:50]}, which is not known here]")


def _resource(resource: Any) -> Json:
    held = cast(Json, resource) if isinstance(resource, dict) else {}
    if "text" in held:
        return _text(held["text"])
    return _bytes("resource", held.get("mimeType"), held.get("blob"))


def _bytes(kind: str, mime_type: Any, base64: Any) -> Json:
    """An image is what its first bytes say: a model server that is told otherwise refuses the whole request."""
    data = base64 if isinstance(base64, str) else ""
    told = _line(mime_type)[:100] or "application/octet-stream"
    note = f"[{kind}: {told}, {len(data) * 3 // 4} bytes]"
    found = _picture(data) if told.startswith("image/") else None
    return {"note": note, "url": f"data:{found};base64,{data}"} if found else {"note": note}


def _picture(base64: str) -> str | None:
    if len(base64) % 4 or not _BASE64.fullmatch(base64):
        return None
    begins = b64decode(base64[:16])
    return next((kind for magic, kind in _PICTURES.items() if begins.startswith(magic)), None)


def _text(text: Any) -> Json:
    return {"text": cleaned(text) if isinstance(text, str) else "", "note": ""}


def _line(value: Any) -> str:
    """A name or an address, in one line that hides nothing."""
    return visible(value[:_NAME_CHARS]).replace("\n", " ") if isinstance(value, str) else ""


def _joined(texts: list[str], limit_chars: int) -> str:
    """The texts, a line break between them; no more of them is put together than is shown."""
    total = sum(map(len, texts)) + len(texts) - 1
    if total <= limit_chars:
        return "\n".join(texts)
    beginnings, left = list[str](), limit_chars
    for text in texts:
        beginnings.append(text[:left])
        left -= len(text) + 1
        if left <= 0:
            break
    return _cut("\n".join(beginnings)[:limit_chars], total)


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
    return text if len(text) <= limit_chars else _cut(text[:limit_chars], len(text))


def _cut(beginning: str, total_chars: int) -> str:
    return f"{beginning}\n[cut: {total_chars - len(beginning)} of {total_chars} characters are not shown]"


def cleaned(text: str) -> str:
    """Without NUL and lone surrogates, which a store may refuse."""
    text = text.replace("\0", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text
