"""Where a window stands, as rows have it; see `nodes.file_search.port.Place`."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from graph.vector_stores import Attributes

COLUMNS = (
    "w.id, w.edition, w.position, s.id, f.file_id, f.filename, f.attributes, e.chunk_windows, e.shared_windows, "
    "e.windows"
)


class Place(NamedTuple):
    window: int
    edition: int
    position: int
    store_id: str
    file_id: str
    filename: str
    attributes: Attributes
    chunk_windows: int
    shared_windows: int
    windows: int


def place_of(row: Sequence[Any]) -> Place:
    window, edition, position, store_id, file_id, filename, attributes, *rest = row
    return Place(window, edition, position, store_id, file_id, filename, orjson.loads(attributes), *rest)
