"""Everything that is kept. A store is a file here and a line in `STORES`."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from checkpoints.conversations import Conversation, Conversations
from checkpoints.events import Events
from checkpoints.facts import Facts
from checkpoints.idempotency import Attempt, Idempotency
from checkpoints.keys import Key, Keys
from checkpoints.responses import Responses, Stored
from checkpoints.runs import Claimed, Runs
from checkpoints.sqlite import open_sqlite
from checkpoints.store import Store
from checkpoints.workers import Swept, Workers

#: Name in the settings → `open(path, *, cache_bytes, synchronous, version)`, an async context manager giving a `Store`.
STORES: dict[str, Callable[..., AbstractAsyncContextManager[Store]]] = {"sqlite": open_sqlite}

__all__ = [
    "STORES",
    "Attempt",
    "Claimed",
    "Conversation",
    "Conversations",
    "Events",
    "Facts",
    "Idempotency",
    "Key",
    "Keys",
    "Responses",
    "Runs",
    "Store",
    "Stored",
    "Swept",
    "Workers",
    "open_sqlite",
]
