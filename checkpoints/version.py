"""Channel versions: text in memory, numbers on disk.

LangGraph's API server numbers versions as text, `<32 digits>.<random>`, whatever the saver; a thread must go on there
and here alike, so ours are the same text without the random part. Stored, both are plain integers, which spares some
700 bytes a checkpoint. Integers that came as integers stay what they are.
"""

from collections.abc import Callable
from typing import Any

from graph.errors import Json

_DIGITS = 32
#: Marks a body whose versions were text.
_TEXT = "text"


def next_version(current: str | None) -> str:
    """Above `current`, whoever gave that."""
    return _text(_number(current) + 1 if current else 1)


def packed(fields: Json) -> Json:
    """The fields of a checkpoint with its versions as integers."""
    versions = fields.get("channel_versions", {})
    if not versions or not all(isinstance(version, str) for version in versions.values()):
        return fields
    return {**_with_versions(fields, _number), _TEXT: 1}


def unpacked(fields: Json) -> Json:
    """What `packed` was given, random parts left out."""
    if _TEXT not in fields:
        return fields
    return _with_versions({name: value for name, value in fields.items() if name != _TEXT}, _text)


def _with_versions(fields: Json, of: Callable[[Any], Any]) -> Json:
    seen = {node: _each(versions, of) for node, versions in fields.get("versions_seen", {}).items()}
    return {**fields, "channel_versions": _each(fields["channel_versions"], of), "versions_seen": seen}


def _each(versions: Json, of: Callable[[Any], Any]) -> Json:
    return {channel: of(version) for channel, version in versions.items()}


def _number(version: str) -> int:
    return int(version.partition(".")[0])


def _text(number: int) -> str:
    return f"{number:0{_DIGITS}}"
