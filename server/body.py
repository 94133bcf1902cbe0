"""Request bodies: read up to a limit, parsed, freed of what no store can keep."""

import json
from typing import Any

import orjson
from starlette.requests import Request

from graph.errors import RequestError

#: Levels of nesting taken; the serializer, and the many layers that look at a request, stop somewhat later.
_DEPTH = 100


async def read_json(request: Request, limit_bytes: int) -> Any:
    """The body as JSON. Raises `RequestError`: 413 when it is too large, 400 when it is not JSON.

    NUL characters are dropped and lone surrogates replaced: PostgreSQL keeps neither, UTF-8 has no form for the second.
    """
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit_bytes:
            message = f"The request body is larger than the {limit_bytes} bytes this server reads."
            raise RequestError(message, status=413, code="request_too_large")
        parts.append(part)
    return parse(b"".join(parts))


def parse(body: bytes) -> Any:
    """Raises `RequestError` for what is no JSON, or nested deeper than it could be written again."""
    value = _parsed(body)
    if body.count(b"[") + body.count(b"{") > _DEPTH and _depth(value) > _DEPTH:
        raise RequestError(f"The JSON body of your request is nested deeper than {_DEPTH} levels.")
    return value


def _depth(value: Any) -> int:
    level, depth = [value], 0
    while level and depth <= _DEPTH:
        inner = (list(one.values()) if isinstance(one, dict) else one for one in level if isinstance(one, dict | list))  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # JSON
        level = [entry for one in inner for entry in one]  # pyright: ignore[reportUnknownVariableType]  # JSON
        depth += 1
    return depth


def _parsed(body: bytes) -> Any:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if b"\\ud" not in body and b"\\uD" not in body:
            raise RequestError(f"We could not parse the JSON body of your request: {error}.") from error
        return _clean(_with_surrogates(body))
    return _clean(value) if b"\\u0000" in body else value


def _with_surrogates(body: bytes) -> Any:
    """Halves of emoji, as JavaScript's `JSON.stringify` writes them when a string was cut."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"We could not parse the JSON body of your request: {error}.") from error


def _clean(value: Any) -> Any:
    match value:
        case str():
            return value.replace("\0", "").encode(errors="replace").decode()
        case list():
            return [_clean(entry) for entry in value]  # pyright: ignore[reportUnknownVariableType]  # JSON
        case dict():
            return {_clean(key): _clean(entry) for key, entry in value.items()}  # pyright: ignore[reportUnknownVariableType]  # JSON
        case _:
            return value
