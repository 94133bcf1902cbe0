"""What sandboxes cost here: for `graphnexus sandbox check --json`, and for `make bench`."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from nodes.sandbox.pool import Pool
from nodes.sandbox.port import Room, Sandbox
from server.rooms import room_of, rooms_of
from server.settings import Settings

_ROUNDS, _CALLS, _AT_ONCE, _TOGETHER = 7, 200, 50, 5
_PATIENCE_S = 60.0


async def figures(settings: Settings) -> dict[str, Any]:
    """Milliseconds and MiB; `problem` alone where there are no sandboxes. Raises `Broken`."""
    rooms, room = rooms_of(settings), room_of(settings)
    try:
        if problem := await rooms.problem():
            return {"problem": problem}
        cold = [await _opened_ms(rooms, room) for _ in range(_ROUNDS)]
        ready_ms = await _ready_ms(rooms, room)
        sandbox = await rooms.open(room)
        calls = sorted([await _called_ms(sandbox) for _ in range(_CALLS)])
        await sandbox.close()
        return {
            "way": rooms.name,
            "cold_ms": median(cold),
            "ready_ms": ready_ms,
            "call_ms": median(calls),
            "call_p90_ms": calls[_CALLS * 9 // 10],
            **await _crowd(rooms, room),
        }
    finally:
        await rooms.close()


async def _opened_ms(rooms: Pool, room: Room) -> float:
    """Without one that is ready, and until code could run in it."""
    began = perf_counter()
    sandbox = await rooms.open_anew(room)
    took = perf_counter() - began
    await sandbox.close()
    return took * 1000


async def _ready_ms(rooms: Pool, room: Room) -> float | None:
    """None where none is kept ready."""
    rooms.fill()
    await rooms.filled()
    if not rooms.ready:
        return None
    began = perf_counter()
    sandbox = await rooms.open(room)
    took = perf_counter() - began
    await sandbox.close()
    return took * 1000


async def _called_ms(sandbox: Sandbox) -> float:
    began = perf_counter()
    await sandbox.run_code("1", _PATIENCE_S, lambda _: None)
    return (perf_counter() - began) * 1000


async def _crowd(rooms: Pool, room: Room) -> dict[str, float]:
    """Many at once, each used: how long until all are open, and what one takes of memory, idle."""
    before, began = _memory_mib(), perf_counter()
    crowd: list[Sandbox] = []
    for _ in range(_AT_ONCE // _TOGETHER):
        crowd += await asyncio.gather(*(rooms.open_anew(room) for _ in range(_TOGETHER)))
    took = perf_counter() - began
    await asyncio.gather(*(_called_ms(sandbox) for sandbox in crowd))
    mib = (_memory_mib() - before) / len(crowd)
    await asyncio.gather(*(sandbox.close() for sandbox in crowd))
    return {"crowd": len(crowd), "crowd_s": took, "idle_mib": mib}


def _memory_mib() -> float:
    """Of all processes below this one; what they share is counted once."""
    return sum(_pss_kib(pid) for pid in _below(os.getpid())) / 1024


def _below(pid: int) -> Iterator[int]:
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield int(child)
            yield from _below(int(child))


def _pss_kib(pid: int) -> int:
    """None of a process that has ended, or cannot be looked into."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
