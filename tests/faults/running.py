"""Cells in several processes, each with an arena of its own."""

import multiprocessing
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.faults.arena import arena
from tests.faults.cell import Outcome, run
from tests.faults.point import Point

Cell = tuple[Point, str]


def run_all(kind: str, cells: Sequence[Cell], jobs: int) -> list[Outcome]:
    shares = [cells[at::jobs] for at in range(jobs)]
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        done = [outcome for share in pool.map(run_share, [kind] * jobs, shares) for outcome in share]
    order = {str(point): at for at, (point, _) in enumerate(cells)}
    return sorted(done, key=lambda outcome: order.get(str(outcome.point), len(cells)))


def run_share(kind: str, cells: Sequence[Cell]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as directory, arena(kind, Path(directory)) as here:
        for at, (point, fault) in enumerate(cells):
            outcomes.append(run(here, point, fault, in_conversation=at % 2 == 1))
            print(f"{kind}: {point}, {fault}: {outcomes[-1]}", *outcomes[-1].problems, sep="\n    ", flush=True)
        found = here.told_on()
    return [*outcomes, Outcome(Point("no secret on disk"), cells[0][1], found, status="completed")] if cells else []
