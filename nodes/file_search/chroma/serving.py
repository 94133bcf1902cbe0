"""Chroma's server, which is written in Rust, as a process of ours: `python serving.py PARENT CONFIG PATH...`.

It ends with its parent. Chroma's server in Python is never started: CVE-2026-45829.
"""

import ctypes
import os
import signal
import sys

_SET_DEATH_SIGNAL = 1  # Source: prctl(2)

if __name__ == "__main__":
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() == int(sys.argv[1]):
        sys.path.extend(sys.argv[3:])
        import chromadb_rust_bindings  # pyright: ignore[reportMissingTypeStubs]

        chromadb_rust_bindings.cli(["chroma", "run", sys.argv[2]])  # pyright: ignore
