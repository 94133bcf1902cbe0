"""Where a window stands, as rows have it."""

from collections.abc import Sequence
from typing import Any

import orjson

from graph.vector_stores import Place

COLUMNS = (
    "w.id, w.edition, w.position, s.id, f.file_id, f.filename, f.attributes, e.chunk_windows, e.shared_windows, "
    "e.windows"
)


def place_of(row: Sequence[Any]) -> Place:
    window, edition, position, store_id, file_id, filename, attributes, *rest = row
    return Place(window, edition, position, store_id, file_id, filename, orjson.loads(attributes), *rest)
