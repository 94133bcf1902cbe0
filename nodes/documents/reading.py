"""Reads one document from standard input, within limits, and ends: `python reading.py ORDER PATH...`.

ORDER is `{"format", "chars", "memory_bytes", "seconds", "parent"}`, the paths are where modules are found. Answers with
a line of JSON: `{"pages": [[mark, text]], "chars"}` or `{"reason", "code", "damaged"}`. Whatever a document does to a
parser ends here: this process has nothing, sees no file but those of the parsers and no network, and is killed by the
kernel when its memory or time is used up, or its server has gone.
"""

import importlib
import json
import os
import resource
import signal
import sys
import types
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nodes.documents.parsed import Page

_OPEN_FILES = 64
#: A user and a network of its own. Source: clone(2).
_NEW_USER_AND_NETWORK = 0x10000000 | 0x40000000
_NODES = Path(__file__).parents[1]
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/nix/store", sys.base_prefix)


def main() -> None:
    order: dict[str, Any] = json.loads(sys.argv[1])
    _confine(order)
    if sys.platform == "linux":
        _shut_in(order["parent"])
    sys.path.extend(sys.argv[2:])
    # The packages without what their beginnings import, which is the server's, and without the need to list them.
    for name, path in (("nodes", _NODES), ("nodes.documents", _NODES / "documents")):
        package = sys.modules[name] = types.ModuleType(name)
        package.__path__ = [str(path)]
    print(json.dumps(_answer(order)))
    sys.stdout.flush()
    os._exit(0)  # what there is to tidy up the kernel does sooner


def _confine(order: dict[str, Any]) -> None:
    """From here on this process can neither grow, nor stay, nor write a file."""
    memory, seconds = order["memory_bytes"], order["seconds"]
    signal.setitimer(signal.ITIMER_REAL, seconds)  # kills, also inside a library
    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, int(seconds) + 1),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_NPROC, 0),
    ):
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))


def _shut_in(parent: int) -> None:
    """Die with the server; see no network, and no file but the parsers' own, as far as the kernel can do that."""
    import ctypes

    sys.path.insert(0, str(_NODES / "sandbox" / "confine"))
    import kernel  # pyright: ignore[reportMissingImports]  # of the launcher of sandboxes
    import landlock  # pyright: ignore[reportMissingImports]

    ctypes.CDLL(None).unshare(_NEW_USER_AND_NETWORK)
    kernel.prctl(kernel.SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    kernel.prctl(kernel.SET_NO_NEW_PRIVILEGES, 1)
    packages = [path for path in sys.argv[2:] if path.endswith("-packages")]
    with suppress(OSError):  # a kernel without Landlock
        landlock.restrict([*_LIBRARIES, *packages, str(_NODES / "documents")], [], [])
    del sys.path[0]


def _answer(order: dict[str, Any]) -> dict[str, Any]:
    from nodes.documents.parsed import Unreadable

    try:
        found = importlib.import_module(f"nodes.documents.formats.{order['format']}")
        return _held(found.pages(sys.stdin.buffer.read()), order["chars"])
    except Unreadable as unreadable:
        return {"reason": unreadable.reason, "code": unreadable.code, "damaged": unreadable.damaged}
    except MemoryError:
        reason = f"needs more than {order['memory_bytes'] >> 20} MB of memory to read."
        return {"reason": reason, "code": None, "damaged": True}


def _held(pages: "Iterable[Page]", limit_chars: int) -> dict[str, Any]:
    """As many characters as are asked for, and how many there are."""
    held, chars = list[tuple[str, str]](), 0
    for mark, text in pages:
        text = text.replace("\0", "").encode("utf-8", "replace").decode()
        left = limit_chars - chars
        chars += len(text)
        if left > 0 or not chars:
            held.append((mark, text[: max(0, left)]))
    return {"pages": held, "chars": chars}


if __name__ == "__main__":
    main()
