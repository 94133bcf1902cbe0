"""What sandboxes cost, as `graphnexus sandbox check --json` measures it."""

import asyncio
import json
import sys
from pathlib import Path

from evals.bench.bars import Bar
from evals.bench.client import WrongAnswer


async def sandboxes() -> list[Bar]:
    """None where no sandbox can be opened."""
    program = Path(sys.executable).with_name("graphnexus")
    process = await asyncio.create_subprocess_exec(
        program, "sandbox", "check", "--json", stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    if process.returncode:
        raise WrongAnswer(f"the sandboxes could not be measured: {said!r}")
    found = json.loads(said)
    if "problem" in found:
        print(f"  no sandboxes: {found['problem']}", file=sys.stderr)
        return []
    crowd = f"{found['crowd']} open in {found['crowd_s']:.1f} s"
    bars = [
        Bar("Sandbox, opened cold", found["cold_ms"], 600, "ms", f"by {found['way']}"),
        Bar("Sandbox, a call adds", found["call_ms"], 5, "ms", f"p90 {found['call_p90_ms']:.2f} ms"),
        Bar("Sandbox, idle, each of many", found["idle_mib"], 30, "MiB", crowd),
    ]
    if found["ready_ms"] is not None:
        bars.append(Bar("Sandbox, taken from those kept ready", found["ready_ms"], 20, "ms"))
    return bars
