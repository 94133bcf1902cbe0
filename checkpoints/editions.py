"""Windows of editions, kept in memory: which they are and how long. An edition that is whole never changes."""

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from checkpoints.database import Rows

if TYPE_CHECKING:
    import numpy as np

    Numbers = np.ndarray[Any, Any]


class Known(NamedTuple):
    """Windows in ascending order of their ids, and how many words each has."""

    ids: "Numbers"
    lengths: "Numbers"


class Editions:
    """Used by several threads."""

    def __init__(self, limit: int = 2_000_000) -> None:
        """`limit`: windows that are remembered, at 16 bytes each."""
        self._limit = limit
        self._held = 0
        self._known: OrderedDict[int, Known] = OrderedDict()
        self._lock = Lock()

    def known(self, rows: Rows, editions: Sequence[int]) -> Known:
        """Of all of them together."""
        import numpy as np

        found = [self._one(rows, edition) for edition in editions]
        if not found:
            return Known(np.zeros(0, np.int64), np.zeros(0, np.int64))
        ids, lengths = np.concatenate([one.ids for one in found]), np.concatenate([one.lengths for one in found])
        order = np.argsort(ids, kind="stable")
        return Known(ids[order], lengths[order])

    def _one(self, rows: Rows, edition: int) -> Known:
        with self._lock:
            if known := self._known.get(edition):
                self._known.move_to_end(edition)
                return known
        known = _read(rows, edition)
        with self._lock:
            if edition not in self._known:
                self._known[edition] = known
                self._held += len(known.ids)
            while self._held > self._limit and len(self._known) > 1:
                self._held -= len(self._known.popitem(last=False)[1].ids)
        return known


def _read(rows: Rows, edition: int) -> Known:
    import numpy as np

    sql = "SELECT id, length FROM search_window WHERE edition = ? ORDER BY id"
    found = np.array(rows.execute(sql, (edition,)).fetchall(), dtype=np.int64).reshape(-1, 2)
    return Known(found[:, 0].copy(), found[:, 1].copy())
