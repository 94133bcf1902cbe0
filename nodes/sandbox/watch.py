"""Limits of a whole sandbox where the kernel keeps none for us: it is looked at, and ended when it is too large."""

import asyncio

from nodes.sandbox import usage
from nodes.sandbox.guarded import Guarded
from nodes.sandbox.usage import Usage

#: What a machine can fill in a second, more or less: the nearer the limit, the sooner the next look.
_FILLED_A_SECOND = 2 << 30
_SOONEST_S, _LATEST_S = 0.05, 1.0
#: Looks at a sandbox that is too large: what was killed takes its time to give its memory back.
_PATIENCE = 5
#: Each takes about a kilobyte of the kernel's memory, which no limit of bytes knows of.
_INODE_BYTES = 4096


async def watch(process: Guarded, limit_bytes: int, disk_bytes: int, why: str) -> None:
    """Until it ends. First the largest process is killed, and when that does not help for long, everything."""
    over = 0
    while process.returncode is None:
        seen = await asyncio.to_thread(usage.measure, process.pid, limit_bytes) or Usage(0, 0)
        if seen.inodes > disk_bytes // _INODE_BYTES:
            process.stop("It made more files than there may be.")
        over = over + 1 if seen.used_bytes > limit_bytes else 0
        if over > _PATIENCE or (over and not seen.processes):
            process.stop(why)
        elif over:
            await asyncio.to_thread(usage.kill, _largest(seen), process.pid)
        await asyncio.sleep(min(_LATEST_S, max(_SOONEST_S, (limit_bytes - seen.used_bytes) / _FILLED_A_SECOND)))


def _largest(seen: Usage) -> int:
    return max(seen.processes, key=seen.processes.__getitem__)
