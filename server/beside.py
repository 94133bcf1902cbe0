"""The index beside the database, for large vector stores: put together of settings."""

import secrets
from functools import partial

from checkpoints import Store
from checkpoints.outbox import Outbox
from nodes.file_search.chroma.child import Child
from nodes.file_search.chroma.client import Chroma, Fixed
from nodes.file_search.chroma.draining import Draining
from nodes.file_search.chroma.naming import Naming
from nodes.file_search.chroma.neighbours import ChromaNeighbours
from nodes.file_search.port import Index
from server.settings import Settings


def beside(settings: Settings, store: Store, index: Index) -> tuple[ChromaNeighbours, Draining] | tuple[None, None]:
    """Nothing is started yet; nothing at all if none is wanted."""
    if settings.file_search_chroma == "off":
        return None, None
    ours = settings.file_search_chroma == "auto"
    child = Child(settings.directory / "chroma") if ours else None
    token = settings.file_search_chroma_token
    chroma = Chroma(child or Fixed(settings.file_search_chroma), token.get_secret_value() if token else None)
    naming = Naming(partial(store.facts.settle, "index", secrets.token_hex(4)))
    outbox = Outbox(store.database, store.workers.id)
    draining = Draining(chroma, naming, outbox, settings.file_search_exact_windows, child)
    return ChromaNeighbours(chroma, naming, outbox, index), draining
