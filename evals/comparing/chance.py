"""How surely a change is more than chance."""

from collections.abc import Sequence
from math import comb
from typing import NamedTuple

import numpy as np

#: How often cases are drawn anew, and from which seed: the same two results always compare alike.
TIMES, SEED = 10_000, 20261123
#: Numbers in memory at once.
_AT_ONCE = 4_000_000
#: Up to here every way to turn signs round is tried.
_ALL_SIGNS = 12
SURE = 0.05


class Interval(NamedTuple):
    """Of a mean of paired differences."""

    value: float
    #: Where it is with 95 %.
    low: float
    high: float
    #: How likely a mean this far from 0 is if sides do not matter: 1 says nothing, 0 that it cannot be chance.
    p: float

    @property
    def sure(self) -> bool:
        """Both must say so: drawn anew, a handful of equal differences never varies, which is no evidence."""
        return self.p <= SURE and (self.low > 0 or self.high < 0)


def paired(differences: Sequence[float]) -> Interval:
    """Bootstrap over cases (percentiles), and a test that turns signs of cases round. Of nothing: nothing."""
    found = np.asarray(differences, dtype=np.float64)
    if not len(found):
        return Interval(0, 0, 0, 1)
    mean = float(found.mean())
    if not found.any():
        return Interval(0, 0, 0, 1)
    low, high = np.quantile(_drawn_anew(found), (0.025, 0.975))
    return Interval(mean, float(low), float(high), _by_signs(found))


def _drawn_anew(found: np.ndarray) -> np.ndarray:
    chance, size = np.random.default_rng(SEED), len(found)
    step = max(1, _AT_ONCE // size)
    sizes = [min(step, TIMES - start) for start in range(0, TIMES, step)]
    return np.concatenate([found[chance.integers(0, size, (times, size))].mean(axis=1) for times in sizes])


def _by_signs(found: np.ndarray) -> float:
    """Zeros have no sign to turn."""
    found = found[found != 0]
    size, reached = len(found), abs(float(found.sum())) - 1e-9
    if size <= _ALL_SIGNS:
        signs = (np.arange(2**size)[:, None] >> np.arange(size) & 1) * 2 - 1
        return float((np.abs(signs @ found) >= reached).mean())
    chance, step = np.random.default_rng(SEED), max(1, _AT_ONCE // size)
    beyond = 0
    for start in range(0, TIMES, step):
        signs = chance.integers(0, 2, (min(step, TIMES - start), size)) * 2 - 1
        beyond += int((np.abs(signs @ found) >= reached).sum())
    return (beyond + 1) / (TIMES + 1)


def fell_by_chance(passed: tuple[int, int], asked: tuple[int, int]) -> float:
    """How likely the second side passes so rarely if both are the same: Fisher's exact test, one-sided.

    Each pair: before, after.
    """
    whole, good = sum(asked), sum(passed)
    ways = [comb(asked[1], k) * comb(asked[0], good - k) for k in range(passed[1] + 1) if good - k >= 0]
    return sum(ways) / comb(whole, good)
