"""Everything that is kept. A store is a file here and a line in `STORES`."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from checkpoints.approval import Approval
from checkpoints.conversations import Conversation, Conversations
from checkpoints.credentials import Credentials
from checkpoints.database import Unusable
from checkpoints.events import Events
from checkpoints.facts import Facts
from checkpoints.idempotency import Attempt, Idempotency
from checkpoints.keys import Key, Keys
from checkpoints.responses import Responses, Stored
from checkpoints.runs import Claimed, Runs
from checkpoints.sqlite import open_sqlite
from checkpoints.store import Store
from checkpoints.workers import Known, Swept, Workers


def open_postgres(url: str, **options: Any) -> AbstractAsyncContextManager[Store]:
    """As `checkpoints.postgres.open_postgres`, whose driver other starts need not load: a tenth of a second."""
    from checkpoints.postgres import open_postgres as opened

    return opened(url, **options)


#: Name in the settings → `open(path_or_url, *, cache_bytes, pool, version)`, an async context manager giving a `Store`.
STORES: dict[str, Callable[..., AbstractAsyncContextManager[Store]]] = {
    "sqlite": open_sqlite,
    "postgresql": open_postgres,
}

__all__ = [
    "STORES",
    "Approval",
    "Attempt",
    "Claimed",
    "Conversation",
    "Conversations",
    "Credentials",
    "Events",
    "Facts",
    "Idempotency",
    "Key",
    "Keys",
    "Known",
    "Responses",
    "Runs",
    "Store",
    "Stored",
    "Swept",
    "Unusable",
    "Workers",
    "open_postgres",
    "open_sqlite",
]
