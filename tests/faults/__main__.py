"""`python -m tests.faults` runs the whole fault matrix and prints it; exit status 1 when a cell has failed.

`--store sqlite`, `--fault "kill -9"` and `--point "checkpoint"` (any part of the name) run a part of it.
"""

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.faults.arena import arena
from tests.faults.cell import FAULTS, Outcome, run, strikes
from tests.faults.matrix import points_of, table
from tests.faults.point import Point

Cell = tuple[Point, str]
STORES = ("sqlite", "postgresql")


def main() -> int:
    asked = _asked()
    began = time.monotonic()
    failed = 0
    for kind in asked.store:
        cells = [(point, fault) for point in points_of(kind) for fault in asked.fault if strikes(fault, point, kind)]
        cells = [(point, fault) for point, fault in cells if asked.point in str(point)]
        outcomes = _run_all(kind, cells, asked.jobs)
        print(table(kind, outcomes), flush=True)
        failed += sum(bool(outcome.problems) for outcome in outcomes)
    print(f"\n{failed} cells failed; {time.monotonic() - began:.0f} s")
    return int(failed > 0)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.faults", description=__doc__)
    parser.add_argument("--store", action="append", choices=STORES)
    parser.add_argument("--fault", action="append", choices=FAULTS)
    parser.add_argument("--point", default="")
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    asked.store, asked.fault = asked.store or STORES, asked.fault or tuple(FAULTS)
    return asked


def _run_all(kind: str, cells: Sequence[Cell], jobs: int) -> list[Outcome]:
    shares = [cells[at::jobs] for at in range(jobs)]
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        done = pool.map(_run_share, [kind] * jobs, shares)
        return [outcome for share in done for outcome in share]


def _run_share(kind: str, cells: Sequence[Cell]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as directory, arena(kind, Path(directory)) as here:
        for at, (point, fault) in enumerate(cells):
            outcomes.append(run(here, point, fault, in_conversation=at % 2 == 1))
            print(f"{kind}: {point}, {fault}: {outcomes[-1]}", *outcomes[-1].problems, sep="\n    ", flush=True)
    return outcomes


if __name__ == "__main__":
    sys.exit(main())
