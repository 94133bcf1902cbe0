"""Reads one document from standard input, within limits, and ends: `python reading.py ORDER PATH...`.

ORDER is `{"format", "chars", "memory_bytes", "seconds", "parent"}`, the paths are where modules are found. Answers with
a line of JSON: `{"pages": [[mark, text]], "chars"}` or `{"reason", "code"}`. Whatever a document does to a parser ends
here: this process has nothing, and is killed by the kernel when its memory or time is used up, or its server has gone.
"""

import importlib
import json
import os
import resource
import signal
import sys
import types
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nodes.documents.parsed import Page

#: Source: prctl(2), PR_SET_PDEATHSIG.
_SIGNAL_WHEN_ORPHANED = 1
_OPEN_FILES = 64


def main() -> None:
    order: dict[str, Any] = json.loads(sys.argv[1])
    _confine(order)
    sys.path.extend(sys.argv[2:])
    # The package without what its beginning imports: that is the server's.
    nodes = sys.modules["nodes"] = types.ModuleType("nodes")
    nodes.__path__ = [str(Path(__file__).parents[1])]
    print(json.dumps(_answer(order)))
    sys.stdout.flush()
    os._exit(0)  # what there is to tidy up the kernel does sooner


def _confine(order: dict[str, Any]) -> None:
    """From here on this process can neither grow, nor stay, nor write a file."""
    memory, seconds = order["memory_bytes"], order["seconds"]
    _die_with(order["parent"])
    signal.setitimer(signal.ITIMER_REAL, seconds)  # kills, also inside a library
    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, int(seconds) + 1),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
    ):
        resource.setrlimit(what, (most, most))


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_SIGNAL_WHEN_ORPHANED, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _answer(order: dict[str, Any]) -> dict[str, Any]:
    from nodes.documents.parsed import Unreadable

    try:
        found = importlib.import_module(f"nodes.documents.formats.{order['format']}")
        return _held(found.pages(sys.stdin.buffer.read()), order["chars"])
    except Unreadable as unreadable:
        return {"reason": unreadable.reason, "code": unreadable.code}
    except MemoryError:
        return {"reason": f"needs more than {order['memory_bytes'] >> 20} MB of memory to read.", "code": None}


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
