"""State as JSON, and nothing that is not.

Plain JSON is stored as it is. LangGraph itself puts a few other things beside it (`Send`, `Interrupt`, `Overwrite`,
tuples, an exception): a value that holds one is stored behind a `!`, with those types under `~`. Decoding knows exactly
these tags; no name of a class or module is ever stored, so none is ever looked up. A caller's dict that happens to have
a `~` is never mistaken for a tag: plain JSON is not searched for tags, and behind a `!` such a dict is escaped.
"""

import math
from typing import Any, cast

import orjson
from langgraph.types import Interrupt, Overwrite, Send, TimeoutPolicy

_STRICT = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
_MARK = b"!"
_TAG = "~"


def dumps_plain(value: Any) -> bytes:
    """Plain JSON, exactly: raises `TypeError` for what would come back different (tuples, NaN, UUIDs, objects)."""
    encoded = orjson.dumps(value, option=_STRICT)
    if orjson.loads(encoded) != value:
        raise TypeError("State must be plain JSON; found a tuple, NaN or an object that JSON cannot tell from another.")
    return encoded


def dumps(value: Any) -> bytes:
    """JSON of `value`, with a leading `!` when it holds types of LangGraph's. Raises `TypeError` for any other type."""
    try:
        return dumps_plain(value)
    except TypeError:
        return _MARK + orjson.dumps(_tagged(value), option=_STRICT)


def loads(encoded: bytes) -> Any:
    """What `dumps` was given; an exception comes back as its text."""
    if encoded[:1] == _MARK:
        return untagged(orjson.loads(encoded[1:]))
    return orjson.loads(encoded)


def is_tagged(encoded: bytes) -> bool:
    return encoded[:1] == _MARK


def _tagged(value: Any) -> Any:
    match value:
        case None | bool() | int() | str():
            return value
        case float() if math.isfinite(value):
            return value
        case dict():
            return _tagged_dict(cast(dict[Any, Any], value))
        case list():
            return [_tagged(part) for part in cast(list[Any], value)]
        case _:
            return {_TAG: _tag_of(value)}


def _tagged_dict(value: dict[Any, Any]) -> Any:
    encoded = {key: _tagged(part) for key, part in value.items()}
    return {_TAG: ["dict", encoded]} if _TAG in encoded else encoded


def _tag_of(value: Any) -> list[Any]:
    match value:
        case Send():
            return ["send", value.node, _tagged(value.arg), _limits(value.timeout)]
        case Interrupt():
            schema = cast(Any, value.response_schema)
            return ["interrupt", _tagged(value.value), value.id, schema if isinstance(schema, dict) else None]
        case Overwrite():
            return ["overwrite", _tagged(value.value)]
        case BaseException():
            return ["exception", repr(value)]
        case tuple() if type(cast(Any, value)) is tuple:
            return ["tuple", [_tagged(part) for part in cast(tuple[Any, ...], value)]]
        case _:
            raise TypeError(f"State must be plain JSON; found {type(value).__name__}.")


def _limits(timeout: TimeoutPolicy | None) -> dict[str, Any] | None:
    if timeout is None:
        return None
    return {name: getattr(timeout, name) for name in ("run_timeout", "idle_timeout", "refresh_on")}


def untagged(value: Any) -> Any:
    """The value behind a parsed `!` encoding."""
    if isinstance(value, list):
        return [untagged(part) for part in cast(list[Any], value)]
    if not isinstance(value, dict):
        return value
    fields = cast(dict[str, Any], value)
    if _TAG in fields:
        return _meant_by(fields[_TAG])
    return {key: untagged(part) for key, part in fields.items()}


def _meant_by(tag: list[Any]) -> Any:
    match tag:
        case ["dict", fields]:
            return {key: untagged(part) for key, part in fields.items()}
        case ["tuple", parts]:
            return tuple(untagged(part) for part in parts)
        case ["exception", str() as text]:
            return text
        case ["overwrite", inner]:
            return Overwrite(untagged(inner))
        case ["interrupt", inner, str() as id, schema]:
            return Interrupt(untagged(inner), id, response_schema=schema)
        case ["send", str() as node, arg, limits]:
            return Send(node, untagged(arg), timeout=limits and TimeoutPolicy(**limits))
        case _:
            raise ValueError(f"The stored state has a tag this version does not know: {tag[:1]}.")
