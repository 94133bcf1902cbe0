"""Shell commands."""

from __future__ import annotations

import os
import signal
import time

from . import processes, wire
from .environment import shell
from .turn import Turn

#: Seconds in which what a command has left running can say something.
_AFTER_S = 0.1
_LOOK_S = 0.05


def run_command(turn: Turn, reaper: processes.Reaper) -> wire.Message:
    """Run it in a session of its own; it ends with its shell, not with what that left running."""
    out, out_end = os.pipe()
    err, err_end = os.pipe()
    try:
        pid = _started(turn.asked["command"], turn.asked["folder"], out_end, err_end)
    finally:
        os.close(out_end)
        os.close(err_end)
    streams = [turn.stream(out, "stdout"), turn.stream(err, "stderr")]
    status, ended = reaper.status(pid), 0.0
    while not turn.why and not all(stream.ended for stream in streams):
        turn.attend(streams, at_most_s=_LOOK_S)
        status = reaper.status(pid)
        if status is not None:
            ended = ended or time.monotonic()
            if time.monotonic() > ended + _AFTER_S:
                break
    while status is None and not turn.why:
        turn.attend([], at_most_s=0.001)
        status = reaper.status(pid)
    if turn.why:
        processes.end(pid)
        reaper.wait(pid)
    reaper.forget(pid)
    for stream in streams:
        stream.drain()
        stream.finish()
        os.close(stream.fd)
    return {"status": None if turn.why else status, "why": turn.why}


def _started(command: str, folder: str, out: int, err: int) -> int:
    program = shell()
    nothing = os.open(os.devnull, os.O_RDONLY)
    try:
        pid = os.fork()
        if not pid:
            _become(program, command, folder, (nothing, out, err))
    finally:
        os.close(nothing)
    return pid


def _become(program: str, command: str, folder: str, ends: tuple[int, int, int]) -> None:
    """In the child; never returns."""
    try:
        os.setsid()
        for ignored in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(ignored, signal.SIG_DFL)
        processes.show()
        os.chdir(folder)
        for fd, end in enumerate(ends):
            os.dup2(end, fd)
        os.execv(program, [program, "-c", command])  # noqa: S606  # it is a shell that was asked for
    finally:
        os._exit(127)
