"""`python -m tests.faults` runs the whole fault matrix and prints it; exit status 1 when a cell has failed.

Then the rows that are no points: disks, clocks, versions, two replicas. `--store sqlite`, `--fault "kill -9"` and
`--point "checkpoint"` (any part of the name) run a part of it.
"""

import argparse
import subprocess
import sys
import time

from tests.faults.cell import FAULTS, strikes
from tests.faults.matrix import points, table
from tests.faults.running import run_all
from tests.process import ROOT

STORES = ("sqlite", "postgresql")
FURTHER = ("tests/faults/test_disk.py", "tests/faults/test_worlds.py", "tests/test_replicas.py")


def main() -> int:
    asked = _asked()
    began = time.monotonic()
    failed = 0
    for kind in asked.store:
        cells = [(point, fault) for point in points(kind) for fault in asked.fault if strikes(fault, point, kind)]
        cells = [(point, fault) for point, fault in cells if asked.point in str(point)]
        outcomes = run_all(kind, cells, asked.jobs)
        print(table(kind, outcomes), flush=True)
        failed += sum(bool(outcome.problems) for outcome in outcomes)
    if asked.store == STORES and not asked.point:
        failed += further_rows()
    print(f"\n{failed} cells failed; {time.monotonic() - began:.0f} s")
    return int(failed > 0)


def further_rows() -> int:
    """How many have failed."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--no-header",
        "-rA",
        "--tb=short",
        "-p",
        "no:randomly",
        "-n0",
        *FURTHER,
    ]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    rows = [line for line in said.splitlines() if line.startswith(("PASSED", "FAILED", "ERROR"))]
    print(*(rows or [said]), sep="\n", flush=True)
    return sum(not row.startswith("PASSED") for row in rows) + (not rows)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.faults", description=__doc__)
    parser.add_argument("--store", action="append", choices=STORES)
    parser.add_argument("--fault", action="append", choices=FAULTS)
    parser.add_argument("--point", default="")
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    asked.store, asked.fault = asked.store or STORES, asked.fault or tuple(FAULTS)
    return asked


if __name__ == "__main__":
    sys.exit(main())
