"""Figures of a run, with the intervals they are likely in.

pass@k: one of k attempts passes; pass^k: all of them do. Both are estimated without bias from n attempts, c of which
passed (Chen et al. 2021, "Evaluating Large Language Models Trained on Code"; Yao et al. 2024, "τ-bench").
"""

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist

import numpy as np

from evals.results import CaseResult, Figure

_SURE = 0.95
_Z = NormalDist().inv_cdf((1 + _SURE) / 2)
_DRAWS, _SEED = 2000, 20_250_101
#: Numbers drawn at once at most, so that many cases take no memory.
_AT_ONCE = 4_000_000


def pass_at(n: int, c: int, k: int) -> float:
    """The chance that among k of n attempts one is of the c that passed."""
    return 1.0 - math.comb(n - c, k) / math.comb(n, k)


def pass_all(n: int, c: int, k: int) -> float:
    """The chance that k of n attempts are all of the c that passed."""
    return math.comb(c, k) / math.comb(n, k)


def wilson(passed: float, count: int) -> Figure:
    """A share of `count` independent cases. Source: Wilson 1927."""
    share = passed / count
    middle = (share + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    wide = _Z * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2)) / (1 + _Z**2 / count)
    return Figure(value=share, low=max(0.0, min(share, middle - wide)), high=min(1.0, max(share, middle + wide)))


def bootstrap(values: Sequence[float]) -> Figure:
    """The mean of cases, which are drawn again with replacement; always the same for the same values.

    Equal cases never vary when drawn again, which says nothing: of these it is the interval of a share.
    """
    if len(set(values)) == 1:
        return wilson(sum(values), len(values))
    array, random = np.asarray(values, dtype=float), np.random.default_rng(_SEED)
    means = list[float]()
    step = max(1, _AT_ONCE // len(array))
    for begin in range(0, _DRAWS, step):
        drawn = random.integers(0, len(array), (min(step, _DRAWS - begin), len(array)))
        means += array[drawn].mean(axis=1).tolist()
    low, high = np.quantile(means, [(1 - _SURE) / 2, (1 + _SURE) / 2])
    return Figure(value=float(array.mean()), low=float(low), high=float(high))


def pass_rate(cases: Sequence[CaseResult]) -> Figure | None:
    """Cases that pass; an epoch counts as a part of its case."""
    asked = [case for case in cases if case.attempts]
    if not asked:
        return None
    if all(len(case.attempts) == 1 for case in asked):
        return wilson(sum(case.passed for case in asked), len(asked))
    return bootstrap([case.passed for case in asked])


def by_k(cases: Sequence[CaseResult], chance: Callable[[int, int, int], float]) -> dict[int, Figure]:
    """For every k that all cases were asked often enough for."""
    asked = [(len(case.attempts), sum(one.passed for one in case.attempts)) for case in cases if case.attempts]
    most = min((n for n, _ in asked), default=0)
    return {k: bootstrap([chance(n, c, k) for n, c in asked]) for k in range(1, most + 1)}
