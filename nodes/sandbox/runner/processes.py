"""Processes below the supervisor: whose they are, and how they end."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_SET_DEATH_SIGNAL, _SET_DUMPABLE, _SET_SUBREAPER = 1, 4, 36
#: A killed process is gone within this time, or its parent is held by the kernel.
_DEATH_S = 2.0


def hide() -> None:
    """Keep code of the same user out of this process' memory and pipes, and have orphans come to it."""
    prctl = ctypes.CDLL(None).prctl
    prctl(_SET_DUMPABLE, 0, 0, 0, 0)
    prctl(_SET_SUBREAPER, 1, 0, 0, 0)


def show() -> None:
    """Be an ordinary process again, which ends with its parent."""
    prctl = ctypes.CDLL(None).prctl
    prctl(_SET_DUMPABLE, 1, 0, 0, 0)
    prctl(_SET_DEATH_SIGNAL, int(signal.SIGKILL), 0, 0, 0)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")  # when memory ends, this one goes and the supervisor stays


def below(root: int) -> list[int]:
    """The processes that descend from `root`, without it."""
    children: dict[int, list[int]] = {}
    for pid in _pids():
        with suppress(OSError, ValueError, IndexError):
            stat = Path(f"/proc/{pid}/stat").read_bytes()
            parent = int(stat.rpartition(b")")[2].split()[1])
            children.setdefault(parent, []).append(pid)
    found, wanted = list[int](), [root]
    while wanted:
        wanted = [child for one in wanted for child in children.get(one, ())]
        found += wanted
    return found


def end(root: int) -> None:
    """Kill a process, its group and all below it; gives up on those that multiply faster than they are killed."""
    with suppress(OSError):
        os.killpg(root, signal.SIGKILL)
    for _ in range(10):
        family = below(root)
        kill(family)
        if not family:
            break
    kill([root])


def kill(pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)


class Reaper:
    """Takes leave of processes that have ended, also of those it was never told about."""

    def __init__(self) -> None:
        self._ended: dict[int, int] = {}

    def status(self, pid: int) -> int | None:
        """How `pid` ended: its exit status, or a signal's number below zero; None while it runs."""
        self.reap()
        return self._ended.get(pid)

    def wait(self, pid: int) -> int:
        """As `status`; waits for a process that was killed."""
        limit = time.monotonic() + _DEATH_S
        while time.monotonic() < limit:
            status = self.status(pid)
            if status is not None:
                return status
            time.sleep(0.001)
        return -int(signal.SIGKILL)

    def forget(self, pid: int) -> None:
        self._ended.pop(pid, None)

    def reap(self) -> None:
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                if len(self._ended) > 1000:
                    self._ended.clear()
                self._ended[pid] = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _pids() -> list[int]:
    with suppress(OSError):
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208
    return []
