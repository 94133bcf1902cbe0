"""Windows of editions, kept in memory: which they are and how long. An edition that is whole never changes."""

# ruff: noqa: S608 - SQL is put together from constants of this package only

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from checkpoints.database import Rows

if TYPE_CHECKING:
    import numpy as np

    Numbers = np.ndarray[Any, Any]


#: Editions that are read at once.
_MANY = 100


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

        with self._lock:
            held = {edition: known for edition in editions if (known := self._known.get(edition))}
            for edition in held:
                self._known.move_to_end(edition)
        missing = [edition for edition in editions if edition not in held]
        for at in range(0, len(missing), _MANY):
            held |= self._kept(_read(rows, missing[at : at + _MANY]))
        found = list(held.values())
        if not found:
            return Known(np.zeros(0, np.int64), np.zeros(0, np.int64))
        ids, lengths = np.concatenate([one.ids for one in found]), np.concatenate([one.lengths for one in found])
        order = np.argsort(ids, kind="stable")
        return Known(ids[order], lengths[order])

    def _kept(self, read: Mapping[int, Known]) -> Mapping[int, Known]:
        with self._lock:
            for edition, known in read.items():
                if edition not in self._known:
                    self._known[edition] = known
                    self._held += len(known.ids)
            while self._held > self._limit and len(self._known) > 1:
                self._held -= len(self._known.popitem(last=False)[1].ids)
        return read


def _read(rows: Rows, editions: Sequence[int]) -> Mapping[int, Known]:
    import numpy as np

    marks = ", ".join("?" * len(editions))
    sql = f"SELECT edition, id, length FROM search_window WHERE edition IN ({marks}) ORDER BY edition, id"
    found = np.array(rows.execute(sql, editions).fetchall(), dtype=np.int64).reshape(-1, 3)
    numbers, begins = np.unique(found[:, 0], return_index=True)
    nothing = np.zeros(0, np.int64)
    known = dict.fromkeys(editions, Known(nothing, nothing))
    for number, part in zip(numbers.tolist(), np.split(found, begins[1:]), strict=False):
        known[number] = Known(part[:, 1].copy(), part[:, 2].copy())
    return known
