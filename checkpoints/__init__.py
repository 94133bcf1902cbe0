"""Everything that is kept. A store is a file here and a line in `STORES`."""

from typing import Protocol

from checkpoints.conversations import Conversation, Conversations
from checkpoints.keys import Key, Keys
from checkpoints.responses import Responses, Stored
from checkpoints.saver import AppendOnlySaver
from checkpoints.sqlite import open_sqlite


class Store(Protocol):
    """An open store."""

    @property
    def saver(self) -> AppendOnlySaver: ...

    @property
    def responses(self) -> Responses: ...

    @property
    def conversations(self) -> Conversations: ...

    @property
    def keys(self) -> Keys: ...


#: Name in the settings → `open(path, *, cache_bytes, synchronous)`, an async context manager giving a `Store`.
STORES = {"sqlite": open_sqlite}

__all__ = ["STORES", "Conversation", "Conversations", "Key", "Keys", "Responses", "Store", "Stored", "open_sqlite"]
