"""Runs a program and ends its whole process group when the process that started this one is gone.

`python guard.py COMMAND ARGUMENT...`, as leader of a group of its own. A server that is killed outright cannot end what
it started, and a program that does not watch its standard input would stay for ever. Imports little: it starts in
some 15 ms.
"""

import os
import signal
import sys
import time

_LOOK_S = 0.5


def main() -> None:
    parent = os.getppid()
    child = -1

    def look(_signal: int, _frame: object) -> None:
        _end_if_over(child)

    # Not SIG_IGN, which the program would inherit: who ends the group has the program end first.
    signal.signal(signal.SIGTERM, look)
    signal.signal(signal.SIGCHLD, look)
    child = os.fork()
    if child == 0:
        _become(sys.argv[1:])
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)  # the program's alone, so that its end is seen
    os.dup2(nothing, 1)
    while os.getppid() == parent:
        _end_if_over(child)
        time.sleep(_LOOK_S)
    os.killpg(0, signal.SIGKILL)


def _become(line: list[str]) -> None:
    try:
        os.execvp(line[0], line)  # noqa: S606 (the operator's own command)
    except OSError as error:
        os.write(2, f"{line[0]}: {error.strerror}\n".encode())
        os._exit(127)


def _end_if_over(child: int) -> None:
    if child > 0:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


if __name__ == "__main__":
    main()
