"""What the processes of a sandbox use, read from outside. Everything here may wait for the kernel: use a thread."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
#: Memory that is shared with children and lasts as long as anyone has it mapped, whether it is seen in a PSS or not.
_SHARED = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ (\d+) +/dev/zero \(deleted\)$", re.MULTILINE)
_OF_ITS_OWN = re.compile(r"^(?:Pss_Anon|SwapPss): +(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Usage:
    """Of a whole sandbox."""

    #: Files and processes; an upper bound while that is under the limit it was asked with.
    used_bytes: int
    #: Files, directories and the like that were made.
    inodes: int
    #: By process, without the first, which all depend on; empty while under the limit.
    processes: dict[int, int] = field(default_factory=dict[int, int])


def measure(pid: int, limit_bytes: int) -> Usage | None:
    """Of the sandbox whose outermost process is `pid`; None while it is not there yet, or not any more."""
    try:
        program = children(pid)[0]
        if os.path.samefile(f"/proc/{program}/root", "/"):  # noqa: PTH121  # it has not gone inside yet
            return None
        files_bytes, inodes = _files(program)
    except (OSError, IndexError):
        return None
    everyone = list(dict.fromkeys([program, *_beneath(program)]))
    at_most = files_bytes + sum(_statm(each)[0] for each in everyone)
    if at_most <= limit_bytes:
        return Usage(at_most, inodes)
    shared: dict[str, int] = {}
    own = {each: _own_bytes(each, shared) for each in everyone}
    return Usage(files_bytes + sum(own.values()) + sum(shared.values()), inodes, _without(own, program))


def kill(process: int, of: int) -> None:
    """Kill a process, if it is still one of the sandbox whose outermost process is `of`."""
    with suppress(OSError, IndexError):
        handle = os.pidfd_open(process)
        try:
            if process in _beneath(of):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        finally:
            os.close(handle)


def _without(own: dict[int, int], program: int) -> dict[int, int]:
    return {process: size for process, size in own.items() if process != program}


def children(pid: int) -> list[int]:
    """Of all its threads. Raises `OSError`."""
    told: list[int] = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            told += map(int, (thread / "children").read_text().split())
    return told


def _beneath(pid: int) -> Iterator[int]:
    with suppress(OSError):
        for child in children(pid):
            yield child
            yield from _beneath(child)


def _files(program: int) -> tuple[int, int]:
    """Bytes and inodes in use of what it can write to."""
    root, shared = os.statvfs(f"/proc/{program}/root"), os.statvfs(f"/proc/{program}/root/dev/shm")
    used = [(each.f_blocks - each.f_bfree) * each.f_frsize for each in (root, shared)]
    return sum(used), root.f_files - root.f_ffree + shared.f_files - shared.f_ffree


def _statm(pid: int) -> tuple[int, int, int]:
    """Bytes that are mapped, resident, and resident of files."""
    try:
        size, resident, files = Path(f"/proc/{pid}/statm").read_text().split()[:3]
    except OSError:
        return 0, 0, 0
    return int(size) * _PAGE_BYTES, int(resident) * _PAGE_BYTES, int(files) * _PAGE_BYTES


def _own_bytes(pid: int, shared: dict[str, int]) -> int:
    """What nobody else has; what it shares is added to `shared`. Where a process may not be looked into: all of it
    that is not a file's."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        maps = Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        _, resident, files = _statm(pid)
        return resident - files
    for begin, end, inode in _SHARED.findall(maps):
        shared[inode] = max(shared.get(inode, 0), int(end, 16) - int(begin, 16))
    return sum(map(int, _OF_ITS_OWN.findall(rollup))) << 10
