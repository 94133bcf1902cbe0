"""Documents read before: a client that keeps its own history sends them again with every turn."""

from collections import OrderedDict
from hashlib import sha256
from typing import NamedTuple

from nodes.documents.parsed import Parsed


class Key(NamedTuple):
    """What a document is read as."""

    digest: bytes
    format: str
    charset: str
    limit_chars: int

    @classmethod
    def of(cls, content: bytes, format: str, charset: str, limit_chars: int) -> "Key":
        """Takes a while for a large document."""
        return cls(sha256(content).digest(), format, charset, limit_chars)


class Known:
    """The latest of them, `limit_chars` in all. Who has the same bytes learns nothing from what is in them."""

    def __init__(self, limit_chars: int = 4_000_000) -> None:
        self._limit_chars = limit_chars
        self._held = 0
        self._parsed: OrderedDict[Key, Parsed] = OrderedDict()

    def get(self, key: Key) -> Parsed | None:
        if key in self._parsed:
            self._parsed.move_to_end(key)
        return self._parsed.get(key)

    def put(self, key: Key, parsed: Parsed) -> None:
        if key in self._parsed or parsed.held > self._limit_chars:
            return
        self._parsed[key] = parsed
        self._held += parsed.held
        while self._held > self._limit_chars:
            _, oldest = self._parsed.popitem(last=False)
            self._held -= oldest.held
