"""`python tied.py PROGRAM …`: becomes the program, which is told to end when its parent is gone, however that went."""

import ctypes
import os
import sys
from signal import SIGTERM

_SET_DEATH_SIGNAL = 1


def main(line: list[str]) -> None:
    if sys.platform == "linux":  # elsewhere nobody can ask for that
        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, int(SIGTERM), 0, 0, 0)
    os.execvp(line[0], line)  # noqa: S606 - the program the suite names


if __name__ == "__main__":
    main(sys.argv[1:])
