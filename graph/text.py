"""JSON from outside, freed of what no store can keep.

NUL characters are dropped and lone surrogates replaced: PostgreSQL keeps neither, and UTF-8 has no form for the second.
"""

import json
from typing import Any, cast

import orjson


def loads(body: bytes) -> Any:
    """Raises `ValueError` for what is no JSON.

    Halves of emoji pass, as JavaScript writes them when a string was cut, and model servers between two tokens.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        if b"\\ud" not in body and b"\\uD" not in body:
            raise
        return clean(_with_surrogates(body))
    return clean(value) if b"\\u0000" in body else value


def clean(value: Any) -> Any:
    """`value` with every text in it made storable."""
    match value:
        case str():
            whole = value.replace("\0", "").encode("utf-16-le", "surrogatepass")
            return whole.decode("utf-16-le", "replace")
        case list():
            return [clean(entry) for entry in cast(list[Any], value)]
        case dict():
            return {clean(key): clean(entry) for key, entry in cast(dict[str, Any], value).items()}
        case _:
            return value


def _with_surrogates(body: bytes) -> Any:
    try:
        return json.loads(body)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
