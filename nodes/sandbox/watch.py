"""Limits of a whole sandbox where the kernel keeps none for us: it is looked at, and ended when it is too large."""

import asyncio
import time

from nodes.sandbox import usage
from nodes.sandbox.guarded import Guarded
from nodes.sandbox.usage import Usage

#: What a machine can fill in a second, more or less: the nearer the limit, the sooner the next look.
_FILLED_A_SECOND = 2 << 30
_SOONEST_S, _LATEST_S = 0.05, 1.0
#: Looks at a sandbox that is too large: what was killed takes its time to give its memory back.
_PATIENCE = 20
#: Longer than it takes to begin, on the busiest machine.
_UNSEEN_S = 15.0
#: Each takes about a kilobyte of the kernel's memory, which no limit of bytes knows of.
_INODE_BYTES = 4096


async def watch(process: Guarded, limit_bytes: int, disk_bytes: int, why: str) -> None:
    """Until it ends; what cannot be watched is ended. First the largest process is killed, and when that does not
    help for long, everything."""
    try:
        await _look(process, limit_bytes, disk_bytes, why)
    finally:
        process.stop("The sandbox could not be kept within its limits.")


async def _look(process: Guarded, limit_bytes: int, disk_bytes: int, why: str) -> None:
    over, seen_at = 0, time.monotonic()
    while process.returncode is None and time.monotonic() - seen_at < _UNSEEN_S:
        seen = await asyncio.to_thread(usage.measure, process.pid, limit_bytes)
        seen_at = time.monotonic() if seen else seen_at
        seen = seen or Usage(0, 0)
        over = over + 1 if seen.used_bytes > limit_bytes else 0
        if seen.inodes > disk_bytes // _INODE_BYTES:
            process.stop("It made more files than there may be.")
        elif over > _PATIENCE or (over and not seen.processes):
            process.stop(why)
        elif over:
            await asyncio.to_thread(usage.kill, _largest(seen), process.pid)
        await asyncio.sleep(min(_LATEST_S, max(_SOONEST_S, (limit_bytes - seen.used_bytes) / _FILLED_A_SECOND)))


def _largest(seen: Usage) -> int:
    return max(seen.processes, key=seen.processes.__getitem__)
