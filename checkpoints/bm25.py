"""How well windows fit the words of a question: Okapi BM25 among the windows that may be found.

Source: Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009); idf as Lucene has it.
"""

import math
from collections.abc import Collection, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from checkpoints.database import Rows
from checkpoints.editions import Known
from checkpoints.lexicon import Lexicon
from graph.vector_stores import Lexical

if TYPE_CHECKING:
    import numpy as np

    Numbers = np.ndarray[Any, Any]

_K1, _B = 1.2, 0.75
#: A word that so great a part of the windows has says little, and costs most; where there is no other, so many count.
_COMMON, _AT_LEAST = 0.5, 2
#: So many windows are looked at for all words together, the rarest first.
_MOST = 60_000
#: Windows that are told of: who asks goes through them where nobody else gets on meanwhile.
_BEST = 2000
#: Below so many windows nothing costs much.
_FEW = 1000


def telling(rows: Rows, lexicon: Lexicon, words: Collection[Sequence[str]], among: int) -> Collection[Sequence[str]]:
    """Words that are worth what they cost, each as it stands in every store that is searched; `among` are the windows
    of these, be they searched or not."""
    if among < _FEW:
        return words
    spread = sorted((sum(lexicon.spread(rows, word) for word in each), each) for each in words)
    rare = [(count, each) for count, each in spread if count <= _COMMON * among] or spread[:_AT_LEAST]
    costs = accumulate(count for count, _ in rare)
    return [each for nth, ((_, each), cost) in enumerate(zip(rare, costs, strict=True)) if not nth or cost <= _MOST]


def scored(rows: Rows, lexicon: Lexicon, known: Known, words: Collection[Sequence[str]]) -> Lexical:
    """`words` as `telling` has them."""
    import numpy as np

    total = len(known.ids)
    if not total or not words:
        return Lexical({}, 0.0)
    scores = np.zeros(total)
    fraction = _K1 * (1 - _B + _B * known.lengths / max(1.0, float(known.lengths.mean())))
    ceiling = 0.0
    for spellings in words:
        at, counts = _within(known, [pair for word in spellings for pair in lexicon.postings(rows, word)])
        weight = math.log(1 + (total - len(at) + 0.5) / (len(at) + 0.5))
        ceiling += weight * (_K1 + 1)
        scores[at] += weight * counts * (_K1 + 1) / (counts + fraction[at])
    hit = np.flatnonzero(scores)
    if len(hit) > _BEST:
        hit = np.sort(hit[np.argsort(-scores[hit], kind="stable")[:_BEST]])
    return Lexical(dict(zip(known.ids[hit].tolist(), scores[hit].tolist(), strict=True)), ceiling)


def _within(known: Known, postings: Sequence[tuple[int, int]]) -> "tuple[Numbers, Numbers]":
    """Where in `known` the windows stand that have a word, and how often each has it."""
    import numpy as np

    found = np.array(postings, dtype=np.int64).reshape(-1, 2)
    at = np.searchsorted(known.ids, found[:, 0])
    at[at == len(known.ids)] = 0
    there = known.ids[at] == found[:, 0]
    return at[there], found[there, 1].astype(float)
