"""The limits of a process that reads a document. Whatever a document does to a parser ends within them."""

import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path

_OPEN_FILES = 64
#: A user and a network of its own. Source: clone(2).
_NEW_USER_AND_NETWORK = 0x10000000 | 0x40000000
_NODES = Path(__file__).parents[1]
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/nix/store", sys.base_prefix)

if sys.platform == "linux":
    sys.path.insert(0, str(_NODES / "sandbox" / "confine"))
    import kernel  # pyright: ignore[reportMissingImports]  # of the launcher of sandboxes
    import landlock  # pyright: ignore[reportMissingImports]

    del sys.path[0]


def die_with(parent: int) -> None:
    """As far as the kernel can do that."""
    if sys.platform == "linux":
        kernel.prctl(kernel.SET_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def confine(memory_bytes: int, seconds: float, parent: int) -> None:
    """From here on this process can neither grow, nor stay, nor write a file, nor see one but the parsers' own."""
    signal.setitimer(signal.ITIMER_REAL, seconds)  # kills, also inside a library
    for what, most in (
        (resource.RLIMIT_AS, memory_bytes + _mapped()),
        (resource.RLIMIT_CPU, int(seconds) + 1),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_NPROC, 0),
    ):
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))
    if sys.platform == "linux":
        _shut_in(parent)


def _mapped() -> int:
    """Bytes of address space that libraries take, and all who read share."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        return 0
    return pages * resource.getpagesize()


def _shut_in(parent: int) -> None:
    """See no network, and no file but the parsers' own, as far as the kernel can do that."""
    import ctypes

    ctypes.CDLL(None).unshare(_NEW_USER_AND_NETWORK)
    die_with(parent)  # again: who changes users is forgotten
    kernel.prctl(kernel.SET_NO_NEW_PRIVILEGES, 1)
    packages = [path for path in sys.path if path.endswith("-packages")]
    with suppress(OSError):  # a kernel without Landlock
        landlock.restrict([*_LIBRARIES, *packages, str(_NODES / "documents")], [], [])
