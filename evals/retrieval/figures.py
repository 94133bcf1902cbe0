"""Where the right passage stood → how good that is."""

from collections.abc import Sequence
from math import log2
from typing import NamedTuple

#: 1 is the first place; None: not among the ten that were given.
Rank = int | None


class Figures(NamedTuple):
    questions: int
    #: With one right passage a question: 1 for the first place, .63 for the second, .5 for the third, 0 beyond ten.
    ndcg: float
    #: Share of questions whose passage stood first, and among the ten.
    first: float
    found: float


def figures(ranks: Sequence[Rank]) -> Figures:
    there = [rank for rank in ranks if rank is not None and rank <= 10]
    count = len(ranks)
    gain = sum(1 / log2(rank + 1) for rank in there)
    return Figures(count, gain / count, sum(rank == 1 for rank in there) / count, len(there) / count)
