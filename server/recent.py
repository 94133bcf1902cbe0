"""Conversations that only a connection remembers: those of its recent responses which are not stored."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from graph.state import Entry

#: Responses a connection remembers.
_LIMIT = 64


@dataclass(frozen=True, slots=True)
class Remembered:
    entries: Sequence[Entry]
    #: The lane that made it.
    stream_id: str | None
    #: About as large as it would be as JSON.
    size_bytes: int


class Recent:
    """Response id → conversation. Bounded in number and bytes; what was not continued for longest goes first."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._kept: OrderedDict[str, Remembered] = OrderedDict()
        self._size_bytes = 0

    def get(self, response_id: str | None) -> Remembered | None:
        if response_id is None or response_id not in self._kept:
            return None
        self._kept.move_to_end(response_id)
        return self._kept[response_id]

    def put(self, response_id: str, conversation: Remembered) -> None:
        """A conversation larger than all that may be remembered is not."""
        self._kept[response_id] = conversation
        self._size_bytes += conversation.size_bytes
        while self._size_bytes > self._limit_bytes or len(self._kept) > _LIMIT:
            self.evict(next(iter(self._kept)))

    def evict(self, response_id: str) -> None:
        if evicted := self._kept.pop(response_id, None):
            self._size_bytes -= evicted.size_bytes
