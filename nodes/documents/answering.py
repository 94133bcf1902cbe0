"""What a process that reads one document does: from standard input, to standard output.

Answers an order, `{"format", "charset", "chars", "memory_bytes", "seconds"}`, with a line of JSON: `{"pages": [[mark,
text]], "chars"}` or `{"reason", "code", "damaged"}`.
"""

import importlib
import json
import os
import sys
from collections.abc import Iterable
from typing import Any

from nodes.documents import confining
from nodes.documents.decoding import recoded
from nodes.documents.parsed import Page, Unreadable


def answer(order: dict[str, Any], parent: int) -> None:
    """`parent` is who has forked this process."""
    confining.confine(order["memory_bytes"], order["seconds"], parent)
    print(json.dumps(_answer(order)))
    sys.stdout.flush()
    for fd in (0, 1):  # to end takes the kernel a while, for which nobody need wait
        os.close(fd)


def _answer(order: dict[str, Any]) -> dict[str, Any]:
    try:
        found = importlib.import_module(f"nodes.documents.formats.{order['format']}")
        content = sys.stdin.buffer.read()
        return _held(found.pages(recoded(content, order["charset"])), order["chars"])
    except Unreadable as unreadable:
        return {"reason": unreadable.reason, "code": unreadable.code, "damaged": unreadable.damaged}
    except MemoryError:
        reason = f"needs more than {order['memory_bytes'] >> 20} MB of memory to read."
        return {"reason": reason, "code": None, "damaged": True}


def _held(pages: Iterable[Page], limit_chars: int) -> dict[str, Any]:
    """As many characters as are asked for, and how many there are."""
    held, chars = list[tuple[str, str]](), 0
    for mark, text in pages:
        text = text.replace("\0", "").encode("utf-8", "replace").decode()
        left = limit_chars - chars
        chars += len(text)
        if left > 0 or not chars:
            held.append((mark, text[: max(0, left)]))
    return {"pages": held, "chars": chars}
