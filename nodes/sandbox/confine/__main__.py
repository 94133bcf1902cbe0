"""`python -I -S DIRECTORY JSON`: start a program that can do no harm, and end everything it has started when it ends.

This process stays outside as the tracer of all there is inside: the kernel kills what is traced when the tracer dies,
whatever it has forked, whatever session it is in.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from typing import Any

import kernel  # pyright: ignore[reportMissingImports]  # beside this file
import landlock  # pyright: ignore[reportMissingImports]
import tracer  # pyright: ignore[reportMissingImports]

Json = dict[str, Any]
#: What cannot be done is said there, as long as no code runs.
_OUTSIDE = 3


def main() -> None:
    spec: Json = json.loads(sys.argv[1])
    _leave(spec)
    go_in, go = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(go)
            if os.read(go_in, 1):  # it is traced
                _confine(spec)
                os.execve(spec["program"][0], spec["program"], spec["environment"])  # noqa: S606
        except BaseException as error:
            os.write(_OUTSIDE, f"{error}\n".encode())
        os._exit(126)
    tracer.Tracer(child, spec).run(go)


def _leave(spec: Json) -> None:
    """Be nobody who owns anything, and die with the server."""
    if spec["uid"] is not None:
        os.setgroups([])
        os.setresgid(spec["uid"], spec["uid"], spec["uid"])
        os.setresuid(spec["uid"], spec["uid"], spec["uid"])
        kernel.prctl(kernel.SET_DUMPABLE, 1)  # a change of user takes it away, and with it the right to trace
    kernel.prctl(kernel.SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != spec["parent"]:
        os._exit(1)
    kernel.prctl(kernel.SET_SUBREAPER, 1)


def _confine(spec: Json) -> None:
    """All this holds for whatever is started from here; nothing takes it back."""
    os.setsid()
    os.umask(0o077)
    os.chdir(spec["files"])
    os.dup2(2, _OUTSIDE, inheritable=False)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    os.closerange(_OUTSIDE + 1, 1 << 16)
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_DATA: spec["memory_bytes"],
        resource.RLIMIT_FSIZE: spec["disk_bytes"],
        resource.RLIMIT_NOFILE: 1024,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        **({} if spec["uid"] is None else {resource.RLIMIT_NPROC: spec["processes"]}),
    }
    for limit, value in limits.items():
        hard = resource.getrlimit(limit)[1]
        least = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (least, least))
    if spec["uid"] is None and landlock.version() < landlock.KEEPS_SIGNALS_IN:
        raise OSError("the kernel is older than 6.12, and could not keep signals from the server unless that is root")
    kernel.prctl(kernel.SET_NO_NEW_PRIVILEGES, 1)
    landlock.restrict(spec["read"], spec["write"], spec["devices"])
    kernel.filter_calls(bytes.fromhex(spec["filter"]))


main()
