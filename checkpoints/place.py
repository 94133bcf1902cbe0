"""Where a window stands, as rows have it."""

from collections.abc import Sequence
from typing import Any

import orjson

from graph.vector_stores import Place

#: Of an edition and its file.
COLUMNS = "e.number, s.id, f.file_id, f.filename, f.attributes, e.chunk_windows, e.shared_windows, e.windows"


def place_of(window: Sequence[Any], edition: Sequence[Any]) -> Place:
    """`window`: its id, edition and position."""
    _, store_id, file_id, filename, attributes, *rest = edition
    id, number, position = window
    return Place(id, number, position, store_id, file_id, filename, orjson.loads(attributes), *rest)
