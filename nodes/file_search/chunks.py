"""Windows that were found → the chunks that are given back, none of which says what another said."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from graph.vector_stores import Place


class Chunk(NamedTuple):
    #: Of its best window.
    place: Place
    score: float
    #: Windows of the file: the first, and the one behind the last.
    begin: int
    end: int


def chosen(places: Iterable[Place], scores: Mapping[int, float], limit: int) -> list[Chunk]:
    """The best chunks, the best first."""
    known = sorted(places, key=lambda place: (-scores[place.window], place.window))
    weights = {(place.edition, place.position): scores[place.window] for place in known}
    found, covered = list[Chunk](), set[tuple[int, int]]()
    for place in known:
        if len(found) == limit:
            break
        if (place.edition, place.position) not in covered:
            begin, end = max(_around(place), key=lambda bounds: _worth(place, bounds, weights))
            covered |= {(place.edition, at) for at in range(begin, end)}
            found.append(Chunk(place, scores[place.window], begin, end))
    return found


def _around(place: Place) -> Sequence[tuple[int, int]]:
    """The chunks that a window is in."""
    size, step = place.chunk_windows, max(1, place.chunk_windows - place.shared_windows)
    last = max(0, -(-(place.windows - size) // step))
    first = max(0, -(-(place.position - size + 1) // step))
    numbers = range(min(first, last), min(place.position // step, last) + 1)
    return [(number * step, min(number * step + size, place.windows)) for number in numbers]


def _worth(place: Place, bounds: tuple[int, int], weights: Mapping[tuple[int, int], float]) -> tuple[float, float]:
    """What else was found in it, and then how far in the middle of it the window stands."""
    begin, end = bounds
    found = sum(weights.get((place.edition, at), 0.0) for at in range(begin, end))
    return found, -abs(place.position - (begin + end - 1) / 2)
