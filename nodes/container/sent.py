"""Files that came within messages, as data: held from when a container is chosen until they are put into it."""

import asyncio
import hashlib
from base64 import b64decode
from binascii import Error
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from graph.containers import Fresh
from graph.errors import Json

#: Ids of files that are no files of the Files API.
PREFIX = "data-"
#: Of all that is held; the oldest goes first, and is in its container only if the message is sent again.
_HELD_CHARS = 128 << 20
#: From its beginning and from its end so much tells one from another: a hash of it all would keep others waiting.
_TOLD_APART = 1 << 18
_PIECE_BYTES = 1 << 20


class _Held(NamedTuple):
    filename: str
    data: str


class Sent:
    def __init__(self) -> None:
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._chars = 0

    def hold(self, part: Json) -> str:
        """The id of an `input_file` with `file_data`; the same for the same."""
        held = _Held(part.get("filename") or "file", part["file_data"])
        id = _id_of(held)
        if id not in self._held:
            self._held[id] = held
            self._chars += len(held.data)
        self._held.move_to_end(id)
        while self._chars > _HELD_CHARS:
            self._chars -= len(self._held.popitem(last=False)[1].data)
        return id

    def fresh(self, id: str, path_of: Callable[[str], str]) -> Fresh | None:
        """A file to be put into a container; None when it is not held any more."""
        held = self._held.get(id)
        return Fresh(path_of(held.filename), "user", _decoded(held.data), id) if held else None

    def drop(self, id: str) -> None:
        if held := self._held.pop(id, None):
            self._chars -= len(held.data)


def _id_of(held: _Held) -> str:
    data = held.data
    told = f"{held.filename}\n{len(data)}\n{data[:_TOLD_APART]}{data[-_TOLD_APART:]}"
    return PREFIX + hashlib.sha256(told.encode()).hexdigest()[:32]


async def _decoded(data: str) -> AsyncIterator[bytes]:
    encoded = data.partition(",")[2] if data.startswith("data:") else data
    try:
        content = await asyncio.to_thread(b64decode, encoded)
    except (Error, ValueError):
        return  # it was refused, or told to the model as it is
    for at in range(0, len(content), _PIECE_BYTES):
        yield content[at : at + _PIECE_BYTES]
