"""Request bodies: read up to a limit, parsed."""

from typing import Any

from starlette.requests import ClientDisconnect, Request

from graph.errors import RequestError
from graph.text import loads

#: Levels of nesting taken; the serializer, and the many layers that look at a request, stop somewhat later.
_DEPTH = 100


async def read_json(request: Request, limit_bytes: int) -> Any:
    """The body as JSON. Raises `RequestError`: 413 when it is too large, 400 when it is not JSON, or not whole."""
    try:
        return parse(await _read(request, limit_bytes))
    except ClientDisconnect:
        raise RequestError("The connection was closed before the request body had come.") from None


async def _read(request: Request, limit_bytes: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit_bytes:
            message = f"The request body is larger than the {limit_bytes} bytes this server reads."
            raise RequestError(message, status=413, code="request_too_large")
        parts.append(part)
    return b"".join(parts)


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
        return loads(body)
    except ValueError as error:
        raise RequestError(f"We could not parse the JSON body of your request: {error}.") from error
