"""Looks now and then at what those inside take of memory and disk, and stops those who take too much."""

from __future__ import annotations

import os
import resource
import signal
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

#: Seconds between looks: while something happens, and while nothing does.
_BUSY_S, _IDLE_S = 0.05, 0.5
#: Looks take at most this part of a processor.
_SHARE = 0.1
#: What a name costs, beside its content.
_ENTRY_BYTES = 1024
#: Over the disk's limit nothing more is written; over this many times as much, everything is ended.
_BEYOND = 3
#: Until it is heard outside why.
_HEARD_S = 0.05


class Watch:
    def __init__(self, first: int, spec: dict[str, Any]) -> None:
        self._first = first
        self._memory_bytes: int = spec["memory_bytes"]
        self._disk_bytes: int = spec["disk_bytes"]
        self._places: list[str] = spec["write"]
        self._ticks = -1
        self._full = False

    def look(self, tasks: Iterable[int]) -> float:
        """Seconds until it wants to look again."""
        started = time.process_time()
        processes = {pid: taken for pid in set(tasks) if (taken := _taken(pid)) is not None}
        ticks = sum(map(_ticks, processes))
        if ticks == self._ticks and not self._full:
            return _IDLE_S
        self._ticks = ticks
        if sum(processes.values()) > self._memory_bytes:
            self._shrink({pid: _owned(pid, taken) for pid, taken in processes.items()})
        self._weigh(processes)
        return max(_BUSY_S, (time.process_time() - started) / _SHARE)

    def _shrink(self, owned: dict[int, int]) -> None:
        """The largest goes first; the first process, which tells those outside, last."""
        too_much = sum(owned.values()) - self._memory_bytes
        for pid in sorted(owned, key=lambda pid: (pid != self._first, owned[pid]), reverse=True):
            if too_much <= 0:
                return
            too_much -= owned[pid]
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)

    def _weigh(self, processes: Iterable[int]) -> None:
        used = sum(map(_size, self._places)) + sum(map(_unnamed, processes))
        if used > self._disk_bytes * _BEYOND:
            os.write(2, b"The sandbox has written more than it may.\n")
            time.sleep(_HEARD_S)
            os._exit(1)
        if self._full or used > self._disk_bytes:
            self._full = used > self._disk_bytes
            most = 0 if self._full else self._disk_bytes
            for pid in processes:
                with suppress(OSError, ValueError):
                    resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, self._disk_bytes))


def exists(task: int) -> bool:
    return os.path.exists(f"/proc/{task}")  # noqa: PTH110


def _read(path: str) -> str:
    with suppress(OSError), open(path) as file:  # noqa: PTH123
        return file.read()
    return ""


def _field(text: str, name: str) -> int:
    _, _, rest = text.partition(f"\n{name}:")
    return int(rest.split(maxsplit=1)[0]) if rest else 0


def _taken(task: int) -> int | None:
    """Bytes of a process that are its own at most; None for a thread, and for what is gone."""
    status = _read(f"/proc/{task}/status")
    if not status or _field(status, "Tgid") != task:
        return None
    return sum(_field(status, kind) for kind in ("RssAnon", "RssShmem", "VmSwap")) * 1024


def _owned(pid: int, taken: int) -> int:
    """The same where what is shared with others counts in parts."""
    shares = _read(f"/proc/{pid}/smaps_rollup")
    if not shares:
        return taken
    return sum(_field(shares, kind) for kind in ("Pss_Anon", "Pss_Shmem", "SwapPss")) * 1024


def _ticks(pid: int) -> int:
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12]) if fields else 0


def _size(place: str) -> int:
    total = 0
    for entry in _entries(place):
        with suppress(OSError):
            found = entry.stat(follow_symlinks=False)
            total += _ENTRY_BYTES + found.st_blocks * 512 // (found.st_nlink if stat.S_ISREG(found.st_mode) else 1)
    return total


def _entries(place: str) -> Iterator[os.DirEntry[str]]:
    wanted = [place]
    while wanted:
        with suppress(OSError), os.scandir(wanted.pop()) as entries:
            for entry in entries:
                yield entry
                if entry.is_dir(follow_symlinks=False):
                    wanted.append(entry.path)


def _unnamed(pid: int) -> int:
    """Bytes of files that are open and have no name any more."""
    total = 0
    with suppress(OSError):
        for fd in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208
            with suppress(OSError):
                found = os.stat(f"/proc/{pid}/fd/{fd}")  # noqa: PTH116
                if stat.S_ISREG(found.st_mode) and not found.st_nlink:
                    total += found.st_blocks * 512
    return total
