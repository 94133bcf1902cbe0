"""Holds every process inside by ptrace: none outlives the tracer, and there are never more than there may be."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import Any

import kernel  # pyright: ignore[reportMissingImports]
import watch  # pyright: ignore[reportMissingImports]

_CONTINUE, _SEIZE, _LISTEN = 7, 0x4206, 0x4208
_FORK, _VFORK, _CLONE, _STOP = 1, 2, 3, 128
#: With its tracer every tracee dies; what it starts is traced from the beginning.
_OPTIONS = (1 << 20) | (1 << _FORK) | (1 << _VFORK) | (1 << _CLONE)
_ALL = 0x40000000
#: What has started is looked at so soon.
_SOON_S = 0.02
_GROUP_STOPS = frozenset({signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU})


class Tracer:
    """Of one program and all that comes of it."""

    def __init__(self, first: int, spec: dict[str, Any]) -> None:
        self._first = first
        self._most: int = spec["processes"]
        #: Processes and threads.
        self._tasks = {first}
        self._watch = watch.Watch(first, spec)

    def run(self, go: int) -> None:
        """Returns never: ends as the first process ends, and everything ends with it."""
        kernel.ptrace(_SEIZE, self._first, _OPTIONS)
        os.write(go, b"!")
        nowhere = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1):
            os.dup2(nowhere, fd)
        signal.signal(signal.SIGALRM, self._look)
        self._look()
        while True:
            self._told(*os.waitpid(-1, _ALL))

    def _look(self, *_: object) -> None:
        after_s = self._watch.look(self._tasks)
        signal.setitimer(signal.ITIMER_REAL, after_s)

    def _told(self, pid: int, status: int) -> None:
        if not os.WIFSTOPPED(status):
            self._tasks.discard(pid)
            if pid == self._first:
                os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
            return
        event, number = status >> 16, os.WSTOPSIG(status)
        with suppress(OSError):  # it is gone already
            if event == _STOP and number in _GROUP_STOPS:
                kernel.ptrace(_LISTEN, pid)
                return
            if pid not in self._tasks:
                self._came(pid)
            kernel.ptrace(_CONTINUE, pid, 0 if event else number)

    def _came(self, pid: int) -> None:
        """A task that is one too many takes its process with it."""
        self._tasks.add(pid)
        if signal.getitimer(signal.ITIMER_REAL)[0] > _SOON_S:
            signal.setitimer(signal.ITIMER_REAL, _SOON_S)
        if len(self._tasks) > self._most:
            self._tasks = {task for task in self._tasks if watch.exists(task)}
        if len(self._tasks) > self._most:
            os.kill(pid, signal.SIGKILL)


if sys.platform != "linux":
    raise OSError("only Linux has Landlock")
